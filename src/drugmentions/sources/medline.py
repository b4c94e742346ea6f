"""Read MEDLINE text, as PubMed saves it (.nbib): a field a line, a blank line between records.

Source: https://www.nlm.nih.gov/bsd/mms/medlineelements.html.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from drugmentions.model import SourceFile
from drugmentions.sources.columns import RETRACTED, STATUS
from drugmentions.sources.named_rows import NamedRows
from drugmentions.sources.pubmed_record import UNTITLED, without_brackets
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import INVALID_UTF8, UnreadableError, read_line_blocks

COLUMNS: Final = ("pmid", "title", "journal", "journal_abbreviation", "pub_date", STATUS)
FIRST_TAG: Final = "PMID- "
RECORD_LIMIT: Final = 64 << 20
"""Bytes that a record may take."""
LONG_RECORD: Final = f"record longer than {RECORD_LIMIT >> 20} MiB"
NOT_RECORD: Final = "not a MEDLINE record"

_TAG: Final = 6
"""Characters of a tag, its blanks, the hyphen and another blank; as many blanks stand before what continues a field."""


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file record by record; raises UnreadableError where nothing of it can be read."""
    rows = NamedRows(file, COLUMNS, fields, spool)
    try:
        for line, record in _records(spool.metered(read_line_blocks(file))):
            _keep(record, line, rows)
    except UnreadableError as error:
        if not rows.count and not error.rest:
            raise
        rows.reject(error.reason, error.rest.decode(errors="replace"), None)
    spool.read[file.file] += rows.count


def _records(blocks: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of each record, and the 1-based number of its first; of one that is too long, as many as that takes."""
    record: list[bytes] = []
    start = size = number = 0
    for block in blocks:
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if record and (not line.strip() or line.startswith(FIRST_TAG.encode())):
                yield start, record
                record, size = [], 0
            if line.strip():
                start = start if record else number
                if size <= RECORD_LIMIT:
                    record.append(line)
                size += len(line)
    if record:
        yield start, record


def _keep(lines: list[bytes], line: int, rows: NamedRows) -> None:
    raw = b"\n".join(lines)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        rows.reject(INVALID_UTF8, raw.decode(errors="surrogateescape"), line)
        return
    fields = _fields(text.splitlines())
    values = _values(fields)
    if len(raw) > RECORD_LIMIT:
        rows.reject(LONG_RECORD, text, line)
    elif not any(values):
        rows.reject(NOT_RECORD, text, line)
    else:
        rows.keep(values, line)


def _fields(lines: Iterable[str]) -> dict[str, list[str]]:
    """Tag -> its values, in order, each of one line."""
    fields: dict[str, list[str]] = {}
    values: list[str] = []
    for line in lines:
        if line[:_TAG].isspace():
            if values:
                values[-1] += " " + line.strip()
        elif line[_TAG - 2 : _TAG].rstrip() == "-":
            values = fields.setdefault(line[: _TAG - 2].rstrip(), [])
            values.append(line[_TAG:].strip())
    return fields


def _values(fields: dict[str, list[str]]) -> tuple[str | None, ...]:
    """The values of COLUMNS."""

    def first(*tags: str) -> str:
        return next((fields[tag][0] for tag in tags if tag in fields), "")

    title = first("TI", "BTI")
    if title in UNTITLED:
        title = first("TT")
    status = RETRACTED if "Retracted Publication" in fields.get("PT", ()) else None
    return first("PMID"), without_brackets(title), first("JT", "TA", "BTI"), first("TA"), first("DP"), status
