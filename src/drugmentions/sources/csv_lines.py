"""The physical lines of a delimited file, fed to the csv module such that a record that fails can be taken back."""

import csv
import io
from collections.abc import Iterator
from typing import Final, Literal

from drugmentions.model import SourceFile
from drugmentions.sources.streams import LINE_LIMIT, UnreadableError

AHEAD_LINES: Final = 1_000
AHEAD_TEXT: Final = 16 << 20
"""Lines and characters behind its first line that a quoted cell may go on for."""
CREDIT: Final = 64 << 20
"""Characters that may be read in vain, behind quotes that nothing closes, beyond as many as the file has."""
FIELD_LIMIT: Final = 2**31 - 1


class Lines:
    """An iterator over lines for one csv reader after the other.

    `lines[start:at]` are those handed out for the record being read. Its user sets `start` to `at` behind each
    record; behind one that fails, `take_first` comes before. `base`: number of lines before `lines[0]`. `careful`: some
    lines hold invalid UTF-8 or are too long. `broken`: why the file couldn't be read to its end.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.lines: list[str] = []
        self.start = self.at = self.base = 0
        self.careful = False
        self.broken: UnreadableError | None = None
        self._stop = 0
        self._credit = CREDIT
        self._blocks = blocks

    def __iter__(self) -> Iterator[str]:
        """Lines from `at` on; stops where there are no more, or none that the record being read may have."""
        while True:
            while (at := self.at) < self._stop:
                self.at = at + 1
                yield self.lines[at]
            if not self._extend():
                return

    @property
    def number(self) -> int:
        """The 1-based number of the record's first line."""
        return self.base + self.start + 1

    @property
    def taken(self) -> str:
        """The record's lines as they stand in the file, without the end of the last one."""
        return "".join(self.lines[self.start : self.at]).removesuffix("\n")

    def overrun(self) -> bool:
        """Whether the record has more lines than it may have."""
        further = self.lines[self.start + 1 : self.at]
        return len(further) > AHEAD_LINES or sum(map(len, further)) > AHEAD_TEXT

    def take_first(self) -> str:
        """Give back all of the record's lines but the first, which is returned."""
        self._credit -= sum(map(len, self.lines[self.start + 1 : self.at]))
        self.at = self._stop = self.start + 1
        return self.lines[self.start]

    def refill(self) -> bool:
        """Read a block more, and forget the lines before the record."""
        if (block := self._next_block()) is None:
            return False
        del self.lines[: self.start]
        self.base += self.start
        self.at -= self.start
        self.start = 0
        text, invalid = _decode(block)
        self.careful = invalid or len(block) > LINE_LIMIT or (self.careful and bool(self.lines))
        self.lines.extend(io.StringIO(text, newline="\n"))
        self._credit += len(text)
        return True

    def _next_block(self) -> bytes | None:
        try:
            return next(self._blocks, None)
        except UnreadableError as error:
            self.broken = error
            return None

    def _extend(self) -> bool:
        """Set how far one may read now; false where that is no farther."""
        within = self.at > self.start
        if within and (self._credit <= 0 or self.at - self.start > AHEAD_LINES or self.overrun()):
            return False
        if self.at == len(self.lines) and not self.refill():
            return False
        ahead = AHEAD_LINES if self._credit > 0 else 0
        self._stop = min(len(self.lines), self.start + 1 + ahead)
        return True


def strict_reader(lines: Iterator[str] | Lines, file: SourceFile) -> Iterator[list[str]]:
    """A reader by RFC 4180 that raises csv.Error where quoting is wrong."""
    csv.field_size_limit(FIELD_LIMIT)
    return csv.reader(lines, delimiter=file.separator, quoting=_quoting(file), strict=True)


def split_line(line: str, file: SourceFile) -> list[str] | None:
    """The fields of one line whatever its quotes, or None where a quote stays open."""
    csv.field_size_limit(FIELD_LIMIT)
    rows = list(csv.reader([line, "\n"], delimiter=file.separator, quoting=_quoting(file)))
    return rows[0] if len(rows) > 1 else None


def _quoting(file: SourceFile) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if file.quoted else csv.QUOTE_NONE


def _decode(block: bytes) -> tuple[str, bool]:
    """Text with line feeds alone as line ends, and whether it holds surrogates that stand for invalid UTF-8."""
    try:
        text, invalid = block.decode(), False
    except UnicodeDecodeError:
        text, invalid = block.decode(errors="surrogateescape"), True
    if "\r" in text:
        end = "\n" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", " ") + end
    return text, invalid
