"""Read PubMed XML: the baseline, its update files, what efetch gives, and single records.

A large file is cut behind the ends of articles, and the pieces are parsed by all cores. A piece that isn't well formed
by itself is where reading goes on here, record by record, and so is what follows the last piece. That gives the same
as reading all of it so, as a cut within a comment or the like leaves a malformed piece.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from itertools import chain, repeat
from typing import Final

import msgspec

from drugmentions.model import SourceFile
from drugmentions.sources.named_rows import NamedRows
from drugmentions.sources.pubmed_record import COLUMNS, RECORDS, ROOTS, Entry, entries_of
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import UnreadableError, is_utf8, read_blocks
from drugmentions.sources.workers import Workers, WorkFailedError, shared_workers
from drugmentions.sources.xml_records import StoppedError, XmlRecords, root_of

LARGE: Final = 4 << 20
"""Bytes of a file, as it lies there, from which more than one core pays."""
PIECE: Final = 2 << 20
"""Bytes that are parsed at a time, or as many as an article has."""
_HEAD: Final = 64 << 10
_BEGIN: Final = b"<PubmedArticle>"
_END: Final = b"</PubmedArticle>"


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file record by record; raises UnreadableError where nothing of it can be read."""
    rows = NamedRows(file, COLUMNS, fields, spool)
    blocks = spool.metered(read_blocks(file))
    parted = file.fingerprint.size >= LARGE and is_utf8(file.encoding) and not spool.limit
    workers = shared_workers("drugmentions.sources.pubmed_worker") if parted else None
    lines = 0
    if workers:
        pieces = _Pieces(blocks)
        for entries in pieces.read(workers):
            _keep(entries, rows, pieces.lines)
        blocks, lines = pieces.rest(), pieces.lines
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


class _Pieces:
    """A file in pieces: each its head, up to the first article, then some articles, then the end of its root element.

    `lines`: those of the articles that were read so far.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.lines = 0
        self._blocks = blocks
        self._broken: UnreadableError | None = None
        self._head = b""
        self._data = b""
        self._waiting: deque[tuple[bytes, Future[bytes]]] = deque()

    def read(self, workers: Workers) -> Iterator[list[Entry]]:
        """What the pieces say, in their order, as far as they are what they look like."""
        if not self._take_head():
            return
        end = b"</" + root_of(self._head).encode() + b">"
        for body in chain(self._bodies(), repeat(None)):
            if body:
                self._waiting.append((body, workers.submit(self._head + body + end)))
            if body and len(self._waiting) <= 2 * workers.count:
                continue
            if not self._waiting or (entries := _reply(self._waiting[0][1])) is None:
                return
            yield entries
            self.lines += self._waiting.popleft()[0].count(b"\n")

    def rest(self) -> Iterator[bytes]:
        """The text that isn't read yet, under the file's own head."""
        yield from filter(None, (self._head, *(body for body, _ in self._waiting), self._data))
        if self._broken:
            raise self._broken
        yield from self._blocks

    def _more(self) -> bool:
        try:
            block = next(self._blocks, b"")
        except UnreadableError as error:
            self._broken, block = error, b""
        self._data += block
        return bool(block)

    def _take_head(self) -> bool:
        """Whether what stands before the first article is plain: declarations, the root element, and nothing else."""
        while (begin := self._data.find(_BEGIN)) < 0 and len(self._data) <= _HEAD and self._more():
            pass
        head = self._data[: max(begin, 0)]
        declared, root = head.partition(b"?>")[0].lower(), root_of(head)
        in_utf8 = b"encoding" not in declared or b"utf-8" in declared
        is_bare = b"<!ENTITY" not in head and head.rstrip().endswith(f"<{root}>".encode())
        if root not in ROOTS or not in_utf8 or not is_bare:
            return False
        self._head, self._data = head, self._data[begin:]
        return True

    def _bodies(self) -> Iterator[bytes]:
        """Articles, some at a time; what is left is too little to be parted, or has no article's end for long."""
        while True:
            cut = self._data.find(_END, PIECE) + len(_END)
            if cut >= len(_END):
                body, self._data = self._data[:cut], self._data[cut:]
                yield body
            elif len(self._data) > 4 * PIECE or not self._more():
                return


def _reply(future: "Future[bytes]") -> list[Entry] | None:
    try:
        reply = future.result()
    except WorkFailedError:
        return None
    return msgspec.msgpack.decode(reply, type=list[Entry]) if reply else None
