"""Where the values of a JSON text end, found without building them, in bounded depth and time."""

from collections.abc import Iterator
from typing import Final

from drugmentions.sources.streams import BLOCK, UnreadableError

DEPTH: Final = 256
"""Levels of nesting that a record may have, itself counted."""

END: Final = -1
_WINDOW: Final = 1 << 10
_WORD: Final = 1 << 16
"""Bytes that a number may have."""
_WHITE_SPACE: Final = b" \t\r\n"
_QUOTE: Final = ord('"')
_OPENING: Final = b"{["
_BRACKETS: Final = b"{}[]"
_DELIMITERS: Final = _WHITE_SPACE + _BRACKETS + b',:"'
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in _BRACKETS)


class TooDeepError(Exception):
    """A value is nested deeper than DEPTH."""


def value_end(data: bytes, start: int) -> int:
    """Where the value at `start` ends, if it is well formed; 0 where it goes on behind `data`.

    Raises TooDeepError, and ValueError where no value begins there.
    """
    first = data[start]
    if first not in _OPENING and first != _QUOTE:
        return _word_end(data, start)
    size = _WINDOW
    while True:
        window = data[start : start + size]
        end = _nested_end(window) if first in _OPENING else _string_end(window)
        if end or start + size >= len(data):
            return end and start + end
        size *= 2


def _word_end(data: bytes, start: int) -> int:
    """Where a number or a constant ends."""
    end = start
    while end < len(data) and data[end] not in _DELIMITERS:
        end += 1
        if end - start > _WORD:
            raise ValueError(start)
    if end == start:
        raise ValueError(start)
    return end if end < len(data) else 0


def _split_strings(text: bytes) -> list[bytes]:
    """What stands between the quotes of a text: by turns outside of its strings and inside."""
    return text.replace(rb"\\", b"__").replace(rb"\"", b"__").split(b'"')


def _string_end(text: bytes) -> int:
    outside_inside = _split_strings(text)[:3]
    return len(outside_inside[1]) + 2 if len(outside_inside) > 2 else 0  # two quotes part three


def _nested_end(text: bytes) -> int:
    depth = place = 0
    for number, piece in enumerate(_split_strings(text)):
        if number % 2 == 0 and (brackets := piece.translate(None, _OTHERS)):
            level = depth
            for bracket in brackets:
                level += 1 if bracket in _OPENING else -1
                if level > DEPTH:
                    raise TooDeepError
                if not level:
                    return place + _closing_end(piece, depth)
            depth = level
        place += len(piece) + 1
    return 0


def _closing_end(piece: bytes, depth: int) -> int:
    """Where the bracket that closes the outermost of so many ends, in a text without strings that holds it."""
    end = 0
    while depth or not end:
        bracket = piece[end]
        if bracket in _BRACKETS:
            depth += 1 if bracket in _OPENING else -1
        end += 1
    return end


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

    `broken`: why the file couldn't be read to its end.
    """

    def __init__(self, blocks: Iterator[bytes], lines: int = 0) -> None:
        """`lines`: how many stand before the blocks."""
        self.data = b""
        self.at = 0
        self.broken: UnreadableError | None = None
        self._line = 1 + lines
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
        """The next byte that isn't white space, to which `at` moves; END at the end."""
        while True:
            if self.at < len(self.data) and (byte := self.data[self.at]) not in _WHITE_SPACE:
                return byte
            window = self.data[self.at : self.at + _WINDOW]
            self.at += len(window) - len(window.lstrip(_WHITE_SPACE))
            if self.at == len(self.data) and not self.more():
                return END

    def _next_block(self) -> bytes:
        try:
            return next(self._blocks, b"")
        except UnreadableError as error:
            self.broken = error
            return b""
