"""A large file in pieces that worker processes parse: each a whole text by itself, or where reading goes on here."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import chain, repeat
from typing import Final

from drugmentions.sources.streams import UnreadableError
from drugmentions.sources.workers import Workers, WorkFailedError

LARGE: Final = 4 << 20
"""Bytes of a file, as it lies there, from which more than one core pays."""
PIECE: Final = 2 << 20
"""Bytes that are parsed at a time, or as many as a record has."""


class Pieces:
    """A text in pieces: each its head, up to the first record, then some records, then what closes the text.

    `lines`: line feeds in the records that were read so far. `data`: what was taken from the blocks, and waits.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.lines = 0
        self.data = b""
        self._blocks = iter(blocks)
        self._broken: UnreadableError | None = None
        self._head = self._end = self._mark = b""
        self._own = 0
        self._waiting: deque[tuple[bytes, Future[bytes]]] = deque()

    def cut(self, head: int, end: bytes, mark: bytes, own: int) -> None:
        """Say how the text is cut, before it is read.

        head: bytes of `data` before the first record. end: what closes the text behind a record. mark: what stands
        where one may be cut, of which the first `own` bytes belong to the piece before.
        """
        self._head, self.data = self.data[:head], self.data[head:]
        self._end, self._mark, self._own = end, mark, own

    def read(self, workers: Workers, context: bytes = b"") -> Iterator[bytes]:
        """What workers made of the pieces, in their order, up to one that isn't well formed by itself.

        `context` goes in front of each that is handed out.
        """
        for body in chain(self._bodies(), repeat(None)):
            if body:
                self._waiting.append((body, workers.submit(b"".join((context, self._head, body, self._end)))))
            if body and len(self._waiting) <= 2 * workers.count:
                continue
            if not self._waiting or not (reply := _reply(self._waiting[0][1])):
                return
            yield reply
            self.lines += self._waiting.popleft()[0].count(b"\n")

    def rest(self) -> Iterator[bytes]:
        """The text that isn't read yet, under its own head."""
        yield from filter(None, (self._head, *(body for body, _ in self._waiting), self.data))
        if self._broken:
            raise self._broken
        yield from self._blocks

    def more(self) -> bool:
        """Take another block; whether there was one."""
        try:
            block = next(self._blocks, b"")
        except UnreadableError as error:
            self._broken, block = error, b""
        self.data += block
        return bool(block)

    def _bodies(self) -> Iterator[bytes]:
        """Records, some at a time; what is left is too little to be parted, or has no mark for long."""
        while True:
            found = self.data.find(self._mark, PIECE)
            if found >= 0:
                body, self.data = self.data[: found + self._own], self.data[found + self._own :]
                yield body
            elif len(self.data) > 4 * PIECE or not self.more():
                return


def _reply(future: "Future[bytes]") -> bytes:
    """What a worker made of a piece; nothing where the worker failed."""
    try:
        return future.result()
    except WorkFailedError:
        return b""
