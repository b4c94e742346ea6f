"""Read MEDLINE text, as PubMed saves it (.nbib): a field a line, a blank line between records.

Source: https://www.nlm.nih.gov/bsd/mms/medlineelements.html.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from drugmentions.model import SourceFile
from drugmentions.sources.columns import RETRACTED, STATUS
from drugmentions.sources.named_rows import NamedRows
from drugmentions.sources.pubmed_record import UNTITLED, printed_date, without_brackets
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import UnreadableError, read_line_blocks

COLUMNS: Final = ("pmid", "title", "journal", "journal_abbreviation", "pub_date", STATUS)
FIRST_TAG: Final = "PMID- "
RECORD_LIMIT: Final = 16 << 20
"""Bytes that a record may take."""
LONG_RECORD: Final = f"record longer than {RECORD_LIMIT >> 20} MiB"
NOT_RECORD: Final = "not a MEDLINE record"

_EMPTY: Final = (b"", b"\r")
"""Lines that end a record; one of blanks alone continues a field."""
_TAGS: Final = frozenset({"PMID", "TI", "BTI", "TT", "JT", "TA", "DP", "PT"})
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


def _records(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The text of each record, and the 1-based number of its first line; of a long one, as much as says so."""
    record = bytearray()
    start = number = 0
    for block in blocks:
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if record and (line in _EMPTY or line.startswith(FIRST_TAG.encode())):
                yield start, bytes(record)
                record.clear()
            if record or line.strip():
                start = start if record else number
                if len(record) <= RECORD_LIMIT:
                    record += line + b"\n"
    if record:
        yield start, bytes(record)


def _keep(raw: bytes, line: int, rows: NamedRows) -> None:
    text = rows.text_of(raw, line, RECORD_LIMIT, LONG_RECORD)
    if text is None:
        return
    values = _values(_fields(io.StringIO(text, newline="\n")))
    if any(values):
        rows.keep(values, line)
    else:
        rows.reject(NOT_RECORD, text.rstrip("\r\n"), line)


def _fields(lines: Iterable[str]) -> dict[str, list[str]]:
    """Tag of ours -> its values, in order, each of one line."""
    fields: dict[str, list[list[str]]] = {}
    pieces: list[str] | None = None
    for line in lines:
        if line[:_TAG].isspace():
            if pieces and (piece := line.strip()):
                pieces.append(piece)
        elif line[_TAG - 2 : _TAG].rstrip() == "-":
            tag = line[: _TAG - 2].rstrip()
            pieces = [line[_TAG:].strip()] if tag in _TAGS else None
            if pieces:
                fields.setdefault(tag, []).append(pieces)
    return {tag: [" ".join(filter(None, value)) for value in values] for tag, values in fields.items()}


def _values(fields: dict[str, list[str]]) -> tuple[str | None, ...]:
    """The values of COLUMNS."""

    def first(*tags: str) -> str:
        return next((fields[tag][0] for tag in tags if tag in fields), "")

    title = first("TI", "BTI")
    if title in UNTITLED:
        title = first("TT")
    status = RETRACTED if "Retracted Publication" in fields.get("PT", ()) else None
    return (
        first("PMID"),
        without_brackets(title),
        first("JT", "TA", "BTI"),
        first("TA"),
        printed_date(first("DP")),
        status,
    )
