"""Read a JSON array of records, or a single one, value by value; what follows a syntax error is one reject."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import orjson

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources import pieces
from drugmentions.sources.json_parted import read_pieces
from drugmentions.sources.json_text import DEPTH, END, Text, TooDeepError, guess_end, value_end
from drugmentions.sources.json_values import SYNTAX_ERROR, TOO_DEEP, JsonRows, RefusedError, parse
from drugmentions.sources.pieces import Pieces
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import read_blocks
from drugmentions.sources.workers import shared_workers

RECORD_LIMIT: Final = 64 << 20
"""Bytes that a record may take."""
LONG_RECORD: Final = f"record longer than {RECORD_LIMIT >> 20} MiB"
ENDS_EARLY: Final = "file ends within a record"
SURPLUS: Final = "text after the end of the JSON value"
_MISSES: Final = 6
_REACH: Final = 256 << 10
"""Bytes in which the end of a record is looked for that is read as those before it."""


class StoppedError(Exception):
    """The file can't be read on from `Text.at`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
    blocks, lines = spool.metered(read_blocks(file)), 0
    parted = file.fingerprint.size >= pieces.LARGE and not spool.limit
    if parted and (workers := shared_workers("drugmentions.sources.json_worker")):
        parts = Pieces(blocks)
        read_pieces(parts, file, rows, spool, workers)
        blocks, lines = parts.rest(), parts.lines
    read_with(Reader(Text(blocks, lines), rows))
    spool.read[file.file] += rows.count


def read_with(reader: "Reader") -> None:
    """Read a text; raises UnreadableError where nothing of it can be read, and there are no rows yet."""
    text, rows, reason = reader.text, reader.rows, ""
    try:
        reader.read()
    except StoppedError as error:
        reason = error.reason
    if text.broken and not text.waiting and not rows.count:
        raise text.broken
    if text.broken and reason in ("", ENDS_EARLY):
        reason = text.broken.reason
    if reason:
        while text.waiting < 4 * RAW_LIMIT and text.more():
            pass
        rows.reject(reason, text.data[text.at :].lstrip(), text.locate())


class Reader:
    """Reads the value that a text consists of: an array of records, or one record.

    `closings`: closing brackets that a guess of a record's end looks at first, and how often those of the last later.
    """

    closings = 64

    def __init__(self, text: Text, rows: Rows) -> None:
        self.text = text
        self.rows = rows
        self._misses = self._pause = 0  # of guesses: how many went wrong in a row, for how many values none is made
        self._fruitless = self._rest = 0  # the same of `_read_alike`

    def read(self) -> None:
        """Read to the end. Raises StoppedError, with the text's place at what can't be read."""
        start = self.text.peek()
        if start == ord("["):
            self.read_array()
        elif start != END:
            self.read_value()
        if self.text.peek() != END:
            raise StoppedError(SURPLUS)

    def read_array(self, read_item: Callable[[], None] | None = None) -> None:
        """Read the values of an array, by `read_item` or as records; a comma may stand behind the last."""
        text, is_record, read_item = self.text, read_item is None, read_item or self.read_value
        text.at += 1
        sign = text.peek()
        while sign != ord("]"):
            if sign == END:
                raise StoppedError(ENDS_EARLY)
            read_item()
            data, end = text.data, text.at
            sign = text.peek()
            if sign == ord(","):
                text.at += 1
                sign = text.peek()
                if is_record and sign == ord("{") and text.data is data:
                    self._read_alike(data[end : text.at])
            elif sign not in (ord("]"), END):
                raise StoppedError(SYNTAX_ERROR)
        text.at += 1

    def _read_alike(self, gap: bytes) -> None:
        """Read objects that the same text parts from the next one, up to one that isn't whole, or may not be read so.

        What is parsed from where a value begins is that value, whatever stands behind it.
        """
        if self._rest:
            self._rest -= 1
            return
        text, keep = self.text, self.rows.keep
        data, at, mark = text.data, text.at, b"}" + gap + b"{"
        line, lines = text.locate(), gap.count(b"\n")
        while end := data.find(mark, at, at + _REACH) + 1:
            raw = data[at:end]
            if len(raw) > DEPTH < raw.count(b"{") + raw.count(b"["):
                break
            try:
                value = orjson.loads(raw)
            except orjson.JSONDecodeError:
                break
            keep(value, raw, line)
            line += lines + raw.count(b"\n")
            at = end + len(gap)
        self._fruitless = 0 if at > text.at else min(self._fruitless + 1, _MISSES)
        self._rest = 2**self._fruitless - 1
        text.at = at

    def read_value(self) -> None:
        """Read one value: keep it, or reject it where its end is known all the same."""
        text, rows = self.text, self.rows
        line = text.locate()
        value, end = self._guess_value()
        end = end or self.find_end()
        raw = text.data[text.at : end]
        if len(raw) > RECORD_LIMIT:
            raise StoppedError(LONG_RECORD)
        try:
            value = parse(raw) if value is None else value
        except RefusedError as error:
            if not error.well_formed:
                raise StoppedError(error.reason) from error
            rows.reject(error.reason, raw, line)
        else:
            rows.keep(value, raw, line)
        text.at = end

    def _guess_value(self) -> tuple[dict[str, Any] | None, int]:
        """The next value and its end if it is an object and easily found; else None and 0."""
        text = self.text
        if text.data[text.at] != ord("{"):
            return None, 0
        if self._pause:
            self._pause -= 1
            return None, 0
        if end := guess_end(text.data, text.at, self.closings):
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

    def find_end(self) -> int:
        """Where the next value ends, reading on as far as it takes."""
        text = self.text
        while True:
            try:
                end = value_end(text.data, text.at)
            except TooDeepError as error:
                raise StoppedError(TOO_DEEP) from error
            except ValueError as error:
                raise StoppedError(SYNTAX_ERROR) from error
            if end:
                self.closings = max(Reader.closings, 4 * text.data.count(b"}", text.at, end))
                return end
            if text.waiting > RECORD_LIMIT:
                raise StoppedError(_why_endless(text, LONG_RECORD))
            if not text.more():
                raise StoppedError(_why_endless(text, ENDS_EARLY))


def _why_endless(text: Text, reason: str) -> str:
    """The reason, if the value that begins here is well formed as far as it goes."""
    try:
        orjson.loads(text.data[text.at :])
    except orjson.JSONDecodeError as error:
        return reason if error.pos >= len(error.doc) else SYNTAX_ERROR
    return reason
