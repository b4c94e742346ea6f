"""JSON values as rows of text: parsing, what to refuse, numbers in plain notation, and which keys hold our fields."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources.scans import column_key
from drugmentions.sources.spool import SUSPECT, Spool, is_blank
from drugmentions.sources.streams import INVALID_UTF8

SYNTAX_ERROR: Final = "JSON syntax error"
NOT_OBJECT: Final = "not an object"
BAD_ESCAPE: Final = "invalid Unicode escape"
TOO_DEEP: Final = "nested too deeply"

_EXACT: Final = 2.0**63
"""From here on orjson gives integers as floats."""
_SHAPES: Final = 1_000


class Refused(Exception):
    """A text isn't a JSON value that can be read. `well_formed`: whether its end is known all the same."""

    def __init__(self, reason: str, *, well_formed: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.well_formed = well_formed


def parse(raw: bytes) -> Any:  # noqa: ANN401  # whatever JSON holds
    """The value of a JSON text; numbers that a float can't hold are text, as written. Raises Refused."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return parse_exactly(raw)


def parse_exactly(raw: bytes) -> Any:  # noqa: ANN401  # whatever JSON holds
    """`parse` by the standard library: slower, for what orjson refuses or rounds."""
    try:
        value = json.loads(raw.decode(errors="replace"), parse_int=_integer, parse_float=_real, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Refused(TOO_DEEP if isinstance(error, RecursionError) else SYNTAX_ERROR, well_formed=False) from error
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise Refused(INVALID_UTF8, well_formed=True) from error
    if _LONE_SURROGATE.search(_PAIR.sub(b"", raw)):
        raise Refused(BAD_ESCAPE, well_formed=True)
    return value


_PAIR: Final = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\[^u]", re.DOTALL)
_LONE_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def _integer(text: str) -> int | str:
    return int(text) if len(text) < len(str(2**63)) else text


def _real(text: str) -> float | str:
    value = float(text)
    return value if abs(value) < _EXACT else text


def _refuse(constant: str) -> None:
    raise ValueError(constant)


class _Inexact(Exception):
    """A number isn't what the file says."""


def text_of(value: Any) -> str | None:  # noqa: ANN401  # whatever JSON holds
    """A value as text: numbers in plain notation, whole ones without a point; nested values as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if abs(value) >= _EXACT:
            raise _Inexact
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class JsonRows:
    """The records of one file on their way into a spool. `count`: records met so far, its user counts them."""

    def __init__(self, file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
        self.count = 0
        self._file = file.file
        self._spool = spool
        self._columns = [list(dict.fromkeys(map(column_key, file.columns.get(field, ())))) for field in fields]
        self._nothing = (None,) * len(fields)
        self._shapes: dict[tuple[str, ...], list[str] | list[tuple[str, ...]]] = {}

    def keep(self, record: Any, raw: bytes, line: int) -> None:  # noqa: ANN401  # whatever JSON holds
        """Keep a parsed record; a null is a blank one, anything but an object is rejected."""
        if type(record) is not dict:
            if record is None:
                self.keep_nothing(line, "null")
            else:
                self.reject(NOT_OBJECT, raw, line)
            return
        shape = tuple(record)
        keys = self._shapes.get(shape) or self._keys_of(shape)
        try:
            row = self._row(record, keys)
        except _Inexact:
            record = parse_exactly(raw)
            row = self._row(record, keys)
        except RecursionError:
            self.reject(TOO_DEEP, raw, line)
            return
        main = row[0]
        if not main or main[0] in SUSPECT:
            blank = all(value is None or (isinstance(value, str) and is_blank(value)) for value in record.values())
            self._doubt(raw, blank=blank, line=line, main=main)
        self._spool.rows.append((self._file, self.count, line, *row))

    def keep_nothing(self, line: int, raw: str) -> None:
        """Keep a record that has no fields at all."""
        self._doubt(raw.encode(), blank=True, line=line, main=None)
        self._spool.rows.append((self._file, self.count, line, *self._nothing))

    def reject(self, reason: str, raw: bytes, line: int | None) -> None:
        """Reject a record, or what is left of the file."""
        text = raw[: 4 * RAW_LIMIT].decode(errors="replace")
        self._spool.reject(self._file, self.count, line, reason, text)

    def _doubt(self, raw: bytes, *, blank: bool, line: int, main: str | None) -> None:
        text = raw[: 4 * RAW_LIMIT].decode(errors="replace")[:RAW_LIMIT]
        self._spool.doubtful.append((self._file, self.count, line, text, blank, main))

    def _row(self, record: dict[str, Any], keys: Sequence[Any]) -> list[str | None]:
        ...
