"""Read a JSON array of records, or a single one, value by value; what follows a syntax error is one reject."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

import orjson

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources.json_text import END, Text, TooDeepError, guess_end, value_end
from drugmentions.sources.json_values import SYNTAX_ERROR, TOO_DEEP, JsonRows, RefusedError, parse
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import read_blocks

RECORD_LIMIT: Final = 64 << 20
"""Bytes that a record may take."""
LONG_RECORD: Final = f"record longer than {RECORD_LIMIT >> 20} MiB"
ENDS_EARLY: Final = "file ends within a record"
SURPLUS: Final = "text after the end of the JSON value"
_MISSES: Final = 6
_CLOSINGS_OF_NESTED: Final = 4_096
_CLOSINGS: Final = 64  # closing brackets that a guess looks at first, and how often those of the last record later


class _StoppedError(Exception):
    """The file can't be read on from `Text.at`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Pages(NamedTuple):
    """What pages of records look like: values may follow one another, each an array of records, or an object.

    `path`: the keys that lead from a page to its array; `record_keys`: an object that starts with one of these is a
    record itself; `missing`: the reason to reject a page without an array.
    """

    path: tuple[str, ...]
    record_keys: frozenset[str]
    missing: str


class Rows(Protocol):
    """Where records go."""

    @property
    def count(self) -> int:
        """Records met so far."""

    def keep(self, record: Any, raw: bytes, line: int) -> None:  # noqa: ANN401  # whatever JSON holds
        """Take a parsed value."""

    def reject(self, reason: str, raw: bytes, line: int | None) -> None:
        """Reject a record, or what is left of the text."""


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file record by record; raises UnreadableError where nothing of it can be read."""
    rows = JsonRows(file, fields, spool)
    read_text(spool.metered(read_blocks(file)), rows)
    spool.read[file.file] += rows.count


def read_text(blocks: Iterator[bytes], rows: Rows, pages: Pages | None = None) -> None:
    """Read a text value by value; raises UnreadableError where nothing of it can be read, and there are no rows yet.

    Without `pages` it is an array of records, or one record; with them, see there.
    """
    text = Text(blocks)
    reason = ""
    try:
        _Reader(text, rows, pages).read()
    except _StoppedError as error:
        reason = error.reason
    if text.broken and not text.waiting and not rows.count:
        raise text.broken
    if text.broken and reason in ("", ENDS_EARLY):
        reason = text.broken.reason
    if reason:
        while text.waiting < 4 * RAW_LIMIT and text.more():
            pass
        rows.reject(reason, text.data[text.at :].lstrip(), text.locate())


class _Reader:
    """Reads the value that a text consists of."""

    def __init__(self, text: Text, rows: Rows, pages: Pages | None) -> None:
        self._text = text
        self._rows = rows
        self._pages = pages
        self._closings = _CLOSINGS_OF_NESTED if pages else _CLOSINGS
        self._misses = self._pause = 0  # of guesses: how many went wrong in a row, for how many values none is made

    def read(self) -> None:
        """Read to the end. Raises _StoppedError, with the text's place at what can't be read."""
        while (start := self._text.peek()) != END:
            if start == ord("["):
                self._read_array()
            elif self._pages and start == ord("{"):
                self._read_page(self._pages)
            else:
                self._read_value()
            if not self._pages:
                break
        if self._text.peek() != END:
            raise _StoppedError(SURPLUS)

    def _read_array(self) -> None:
        """Read the values of an array; a comma may stand behind the last."""
        text = self._text
        text.at += 1
        sign = text.peek()
        while sign != ord("]"):
            if sign == END:
                raise _StoppedError(ENDS_EARLY)
            self._read_value()
            sign = text.peek()
            if sign == ord(","):
                text.at += 1
                sign = text.peek()
            elif sign not in (ord("]"), END):
                raise _StoppedError(SYNTAX_ERROR)
        text.at += 1

    def _read_page(self, pages: Pages) -> None:
        """Read an object: a record itself, or a page, of which no more is held than one of its values."""
        text = self._text
        while text.waiting < RAW_LIMIT and text.more():
            pass
        first_key = text.data[text.at + 1 : text.at + RAW_LIMIT].lstrip().split(b'"', 2)[1:2]
        if not first_key or first_key[0].decode(errors="replace") in pages.record_keys:
            self._read_value()
            return
        raw, line = text.data[text.at : text.at + 4 * RAW_LIMIT], text.locate()
        if not self._descend(pages.path):
            self._rows.reject(pages.missing, raw, line)

    def _descend(self, path: tuple[str, ...]) -> bool:
        """Read the array that `path` leads to, if it is there, and pass over all else in an object."""
        text, found = self._text, False
        text.at += 1
        sign = text.peek()
        while sign != ord("}"):
            key = self._take_key()
            sign = text.peek()
            if key == path[0] and sign == ord("[") and len(path) == 1:
                self._read_array()
                found = True
            elif key == path[0] and sign == ord("{") and len(path) > 1:
                found = self._descend(path[1:]) or found
            elif sign != END:
                text.at = self._find_end()
            sign = text.peek()
            if sign == ord(","):
                text.at += 1
                sign = text.peek()
            elif sign != ord("}"):
                raise _StoppedError(ENDS_EARLY if sign == END else SYNTAX_ERROR)
        text.at += 1
        return found

    def _take_key(self) -> str:
        """The key of a member, behind whose colon the text then is."""
        text = self._text
        if text.peek() != ord('"'):
            raise _StoppedError(ENDS_EARLY if text.peek() == END else SYNTAX_ERROR)
        end = self._find_end()
        key = text.data[text.at + 1 : end - 1].decode(errors="replace")
        text.at = end
        if text.peek() != ord(":"):
            raise _StoppedError(ENDS_EARLY if text.peek() == END else SYNTAX_ERROR)
        text.at += 1
        return key

    def _read_value(self) -> None:
        """Read one value: keep it, or reject it where its end is known all the same."""
        text, rows = self._text, self._rows
        line = text.locate()
        value, end = self._guess_value()
        end = end or self._find_end()
        raw = text.data[text.at : end]
        if len(raw) > RECORD_LIMIT:
            raise _StoppedError(LONG_RECORD)
        try:
            value = parse(raw) if value is None else value
        except RefusedError as error:
            if not error.well_formed:
                raise _StoppedError(error.reason) from error
            rows.reject(error.reason, raw, line)
        else:
            rows.keep(value, raw, line)
        text.at = end

    def _guess_value(self) -> tuple[dict[str, Any] | None, int]:
        """The next value and its end if it is an object and easily found; else None and 0."""
        text = self._text
        if text.data[text.at] != ord("{"):
            return None, 0
        if self._pause:
            self._pause -= 1
            return None, 0
        if end := guess_end(text.data, text.at, self._closings):
            try:
                value = orjson.loads(text.data[text.at : end])
            except orjson.JSONDecodeError:
                pass
            else:
                self._misses = 0
                return value, end
        self._misses = min(self._misses + 1, _MISSES)
        self._pause = 2**self._misses - 2
        return None, 0

    def _find_end(self) -> int:
        """Where the next value ends, reading on as far as it takes."""
        text = self._text
        while True:
            try:
                end = value_end(text.data, text.at)
            except TooDeepError as error:
                raise _StoppedError(TOO_DEEP) from error
            except ValueError as error:
                raise _StoppedError(SYNTAX_ERROR) from error
            if end:
                self._closings = max(_CLOSINGS, 4 * text.data.count(b"}", text.at, end))
                return end
            if text.waiting > RECORD_LIMIT:
                raise _StoppedError(_why_endless(text, LONG_RECORD))
            if not text.more():
                raise _StoppedError(_why_endless(text, ENDS_EARLY))


def _why_endless(text: Text, reason: str) -> str:
    """The reason, if the value that begins here is well formed as far as it goes."""
    try:
        orjson.loads(text.data[text.at :])
    except orjson.JSONDecodeError as error:
        return reason if error.pos >= len(error.doc) else SYNTAX_ERROR
    return reason
