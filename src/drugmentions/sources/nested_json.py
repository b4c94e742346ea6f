"""Read JSON whose records are nested: one or more texts of records or of pages of them, each record made flat."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources.json_pages import Pages, read_pages
from drugmentions.sources.json_values import NOT_OBJECT
from drugmentions.sources.named_rows import NamedRows, read_each_text
from drugmentions.sources.spool import Spool

Record = Mapping[str, Any]


class Shape(NamedTuple):
    """A format. `columns`: what `flatten` makes of a record; `not_record`: why one without any of them is rejected."""

    columns: tuple[str, ...]
    flatten: Callable[[Record], Sequence[str | None]]
    pages: Pages
    not_record: str


def read_nested(file: SourceFile, fields: Sequence[str], spool: Spool, shape: Shape) -> None:
    """Read a file, or the files in a zip archive; raises UnreadableError where nothing of it can be read."""
    rows = NamedRows(file, shape.columns, fields, spool)
    flat = _FlatRows(rows, shape)
    read_each_text(file, rows, spool, lambda blocks: read_pages(blocks, flat, shape.pages))


class _FlatRows:
    """Records on their way into rows."""

    def __init__(self, rows: NamedRows, shape: Shape) -> None:
        self._rows = rows
        self._shape = shape

    @property
    def count(self) -> int:
        """Records met so far."""
        return self._rows.count

    def keep(self, record: Any, raw: bytes, line: int) -> None:  # noqa: ANN401  # whatever JSON holds
        """Keep a record: null or an empty object is a blank one."""
        if not isinstance(record, dict | None):
            self.reject(NOT_OBJECT, raw, line)
            return
        values = self._shape.flatten(record or {})
        if record and not any(values):
            self.reject(self._shape.not_record, raw, line)
        else:
            self._rows.keep(values, line)

    def reject(self, reason: str, raw: bytes, line: int | None) -> None:
        """Reject a record, or what is left of a text."""
        self._rows.reject(reason, raw[: 4 * RAW_LIMIT].decode(errors="replace"), line)


def text_at(record: Record, *keys: str) -> str | None:
    """The text, or number as text, that keys lead to in nested objects; None where there is none."""
    value: Any = record
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)
