"""JSON values as rows of text: parsing, what to refuse, numbers in plain notation, and which keys hold our fields."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources.scans import column_key
from drugmentions.sources.spool import SUSPECT, Rows, is_blank
from drugmentions.sources.streams import INVALID_UTF8

SYNTAX_ERROR: Final = "JSON syntax error"
NOT_OBJECT: Final = "not an object"
BAD_ESCAPE: Final = "invalid Unicode escape"
TOO_DEEP: Final = "nested too deeply"

_EXACT: Final = 2.0**63
"""From here on orjson gives integers as floats."""
_DIGITS: Final = 4_000
"""From here on Python makes no number of them."""
_SHAPES: Final = 1_000


class RefusedError(Exception):
    """A text isn't a JSON value that can be read. `well_formed`: whether its end is known all the same."""

    def __init__(self, reason: str, *, well_formed: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.well_formed = well_formed


def parse(raw: bytes) -> Any:  # noqa: ANN401  # whatever JSON holds
    """The value of a JSON text; numbers that a float can't hold are text, as written. Raises RefusedError."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return parse_exactly(raw)


def parse_exactly(raw: bytes) -> Any:  # noqa: ANN401  # whatever JSON holds
    """`parse` by the standard library: slower, for what orjson refuses or rounds."""
    try:
        value = json.loads(raw.decode(errors="replace"), parse_int=_integer, parse_float=_real, parse_constant=_refuse)
        written = _compact(value)
    except (ValueError, RecursionError) as error:
        reason = TOO_DEEP if isinstance(error, RecursionError) else SYNTAX_ERROR
        raise RefusedError(reason, well_formed=False) from error
    try:
        raw.decode()
        written.encode()
    except UnicodeError as error:
        reason = BAD_ESCAPE if isinstance(error, UnicodeEncodeError) else INVALID_UTF8
        raise RefusedError(reason, well_formed=True) from error
    return value


def _integer(text: str) -> int | str:
    return int(text) if len(text) < _DIGITS else text


def _real(text: str) -> float | str:
    value = float(text)
    return value if abs(value) < _EXACT else text


def _refuse(constant: str) -> None:
    raise ValueError(constant)


class _InexactError(Exception):
    """A number isn't what the file says."""


def _text_of(value: Any, *, exact: bool) -> str | None:  # noqa: ANN401  # whatever JSON holds
    """A value as text: numbers in plain notation, whole ones without a point; nested values as compact JSON.

    Raises _InexactError where a number may have been rounded, unless the value is `exact`.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if abs(value) >= _EXACT and not exact:
            raise _InexactError
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    if isinstance(value, int):
        return str(value)
    text = _compact(value)
    if "e+" in text and not exact:
        raise _InexactError
    return text


def _compact(value: Any) -> str:  # noqa: ANN401  # whatever JSON holds
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def candidate_keys(columns: Sequence[str], keys: Iterable[str]) -> list[str]:
    """The keys that may hold a field, preferred first: `columns`, each with its other spellings among `keys`."""
    spellings: dict[str, list[str]] = {}
    for key in sorted(keys):
        spellings.setdefault(column_key(key), []).append(key)
    return list(dict.fromkeys(key for name in columns for key in (name, *spellings.get(column_key(name), ()))))


class _Shape(NamedTuple):
    """Where records of certain keys hold our fields. `first`: a key per field, None where the record has none.

    `others`: further keys of a field, for when the first holds nothing.
    """

    first: list[str | None]
    others: list[tuple[int, str]]


class JsonRows:
    """The records of one file on their way into a spool. `count`: records met so far."""

    def __init__(self, file: SourceFile, fields: Sequence[str], spool: Rows) -> None:
        self.count = 0
        self.fields = list(fields)
        self._file = file.file
        self._spool = spool
        self._columns = [file.columns.get(field, []) for field in fields]
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def keep(self, record: Any, raw: bytes, line: int) -> None:  # noqa: ANN401  # whatever JSON holds
        """Keep a parsed record: null is a blank one, anything but an object is rejected."""
        self.count += 1
        if type(record) is not dict:
            if record is not None:
                self._reject(NOT_OBJECT, raw, line)
                return
            record = {}
        keys = tuple(record)
        shape = self._shapes.get(keys) or self._new_shape(keys)
        try:
            row = _row(record, shape)
        except _InexactError:
            row = _row(parse_exactly(raw), shape, exact=True)
        except RecursionError:
            self._reject(TOO_DEEP, raw, line)
            return
        main = row[0]
        if not main or main[0] in SUSPECT:
            self._doubt(record, raw, line, main)
        self._spool.rows.append((self._file, self.count, line, *row))

    def reject(self, reason: str, raw: bytes, line: int | None) -> None:
        """Reject a record, or what is left of the file."""
        self.count += 1
        self._reject(reason, raw, line)

    def _reject(self, reason: str, raw: bytes, line: int | None) -> None:
        self._spool.reject(self._file, self.count, line, reason, raw[: 4 * RAW_LIMIT].decode(errors="replace"))

    def _doubt(self, record: dict[str, Any], raw: bytes, line: int, main: str | None) -> None:
        blank = all(value is None or (isinstance(value, str) and is_blank(value)) for value in record.values())
        self._spool.doubtful.append((self._file, self.count, line, raw.decode(errors="replace"), blank, main))

    def _new_shape(self, keys: tuple[str, ...]) -> _Shape:
        if len(self._shapes) == _SHAPES:
            self._shapes.clear()
        found = [[key for key in candidate_keys(columns, keys) if key in keys] for columns in self._columns]
        shape = _Shape(
            [places[0] if places else None for places in found],
            [(field, key) for field, places in enumerate(found) for key in places[1:]],
        )
        self._shapes[keys] = shape
        return shape


def _row(record: dict[str, Any], shape: _Shape, *, exact: bool = False) -> list[str | None]:
    """The fields as text. Raises as `_text_of`."""
    found = [None if key is None else record[key] for key in shape.first]
    values = [value if value is None or value.__class__ is str else _text_of(value, exact=exact) for value in found]
    for place, key in shape.others:
        values[place] = values[place] or _text_of(record[key], exact=exact)
    return values
