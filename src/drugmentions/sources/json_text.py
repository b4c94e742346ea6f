"""Where the values of a JSON text end, found without building them, in bounded depth and time."""

import re
from collections.abc import Iterator
from typing import Final

from drugmentions.sources.json_values import STRING
from drugmentions.sources.streams import BLOCK, UnreadableError

DEPTH: Final = 256
"""Levels of nesting that a record may have, itself counted."""

_WHITE_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_SCALAR: Final = re.compile(rf'{STRING}|[^\s,\[\]{{}}":]+'.encode(), re.DOTALL)
_TO_BRACKET: Final = re.compile(rf'(?:[^"{{}}\[\]]++|{STRING})*+[{{}}\[\]]'.encode(), re.DOTALL)
_OPENING: Final = b"{["


class TooDeepError(Exception):
    """A value is nested deeper than DEPTH."""


def value_end(data: bytes, start: int) -> int:
    """Where the value at `start` ends, if it is well formed; 0 where it goes on behind `data`.

    Raises TooDeepError, and ValueError where no value begins there.
    """
    if data[start] in _OPENING:
        return _nested_end(data, start)
    scalar = _SCALAR.match(data, start)
    if scalar:
        return scalar.end() if scalar.end() < len(data) else 0
    if data[start] == ord('"'):
        return 0
    raise ValueError(start)


def _nested_end(data: bytes, start: int) -> int:
    depth, end = 0, start
    while bracket := _TO_BRACKET.match(data, end):
        end = bracket.end()
        if data[end - 1] in _OPENING:
            depth += 1
            if depth > DEPTH:
                raise TooDeepError
        else:
            depth -= 1
            if not depth:
                return end
    return 0


def guess_end(data: bytes, start: int, closings: int) -> int:
    """Where the object at `start` seems to end, as if no string held a bracket; 0 where that can't be guessed.

    Gives up behind so many closing brackets, and where it may be nested deeper than DEPTH. Ten times as fast as
    `value_end`; an end that is none shows when the object is parsed.
    """
    end = data.find(b"}", start) + 1
    opened = data.count(b"{", start, end)
    closed, deepest = 1, opened
    while end and closed < opened:
        behind = data.find(b"}", end) + 1
        if not behind or closed == closings:
            return 0
        opened += data.count(b"{", end, behind)
        deepest = max(deepest, opened - closed)
        closed, end = closed + 1, behind
    return end if end - start <= DEPTH or deepest + data.count(b"[", start, end) <= DEPTH else 0


class Text:
    """The bytes of a file from a moving place `at` on; those before it are forgotten.

    `line`: the 1-based line of `at`, known after `locate`. `broken`: why the file couldn't be read to its end.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.data = b""
        self.at = 0
        self.broken: UnreadableError | None = None
        self._line = 1
        self._counted = 0
        self._blocks = blocks

    @property
    def waiting(self) -> int:
        """Bytes from `at` on that are here."""
        return len(self.data) - self.at

    def locate(self) -> int:
        """The 1-based line of `at`."""
        self._line += self.data.count(b"\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def more(self) -> bool:
        """Read on, as much again as is waiting and a block at least; whether there was more."""
        self.locate()
        pieces = [self.data[self.at :]]
        wanted = max(BLOCK, self.waiting)
        while wanted > 0 and (piece := self._next_block()):
            pieces.append(piece)
            wanted -= len(piece)
        self.data = b"".join(pieces)
        self.at = self._counted = 0
        return len(pieces) > 1

    def peek(self) -> int:
        """The next byte that isn't white space, to which `at` moves; 0 at the end."""
        while True:
            self.at = _WHITE_SPACE.match(self.data, self.at).end()  # type: ignore[union-attr]  # it always matches
            if self.at < len(self.data):
                return self.data[self.at]
            if not self.more():
                return 0

    def _next_block(self) -> bytes:
        try:
            return next(self._blocks, b"")
        except UnreadableError as error:
            self.broken = error
            return b""
