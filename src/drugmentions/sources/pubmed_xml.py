"""Read PubMed XML: the baseline, its update files, what efetch gives, and single records.

A large file is cut behind the ends of articles, and the pieces are parsed by all cores. A piece that isn't well formed
by itself is where reading goes on here, record by record, and so is what follows the last piece. That gives the same
as reading all of it so, as a cut within a comment or the like leaves a malformed piece.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from drugmentions.model import SourceFile
from drugmentions.sources import pieces
from drugmentions.sources.named_rows import NamedRows
from drugmentions.sources.pieces import Pieces
from drugmentions.sources.pubmed_record import COLUMNS, RECORDS, ROOTS, Entry, entries_of
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import is_utf8, read_blocks
from drugmentions.sources.workers import shared_workers
from drugmentions.sources.xml_records import StoppedError, XmlRecords, root_of

_HEAD: Final = 64 << 10
_BEGIN: Final = b"<PubmedArticle>"
_END: Final = b"</PubmedArticle>"


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file record by record; raises UnreadableError where nothing of it can be read."""
    rows = NamedRows(file, COLUMNS, fields, spool)
    blocks = spool.metered(read_blocks(file))
    parted = file.fingerprint.size >= pieces.LARGE and is_utf8(file.encoding) and not spool.limit
    workers = shared_workers("drugmentions.sources.pubmed_worker") if parted else None
    lines = 0
    if workers:
        parts = Pieces(blocks)
        for reply in parts.read(workers) if _cut(parts) else ():
            _keep(msgspec.msgpack.decode(reply, type=list[Entry]), rows, parts.lines)
        blocks, lines = parts.rest(), parts.lines
    try:
        _keep(entries_of(XmlRecords(blocks, file.encoding, RECORDS)), rows, lines)
    except StoppedError as error:
        rows.reject(error.reason, error.raw, None if error.line is None else error.line + lines)
    spool.read[file.file] += rows.count


def _keep(entries: Iterable[Entry], rows: NamedRows, lines: int) -> None:
    """Keep or reject what was read behind so many lines."""
    for entry in entries:
        line = None if entry.line is None else entry.line + lines
        if entry.values is None:
            rows.reject(entry.reason, entry.raw, line)
        else:
            rows.keep(entry.values, line)


def _cut(parts: Pieces) -> bool:
    """Have the text cut behind articles; whether what stands before the first is plain.

    That is declarations, the root element, and nothing else.
    """
    while (begin := parts.data.find(_BEGIN)) < 0 and len(parts.data) <= _HEAD and parts.more():
        pass
    head = parts.data[: max(begin, 0)]
    declared, root = head.partition(b"?>")[0].lower(), root_of(head)
    in_utf8 = b"encoding" not in declared or b"utf-8" in declared
    is_bare = b"<!ENTITY" not in head and head.rstrip().endswith(f"<{root}>".encode())
    if root not in ROOTS or not in_utf8 or not is_bare:
        return False
    parts.cut(len(head), f"</{root}>".encode(), _END, len(_END))
    return True
