"""Read JSON whose records are nested: one or more texts of records or of pages of them, each record made flat."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources.json_array import Pages, read_text
from drugmentions.sources.json_values import NOT_OBJECT
from drugmentions.sources.named_rows import NamedRows
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import UnreadableError
from drugmentions.sources.zip_entries import read_texts

Record = Mapping[str, Any]


class Shape(NamedTuple):
    """A format. `columns`: what `flatten` makes of a record; `not_record`: why one without any of them is rejected."""

    columns: tuple[str, ...]
    flatten: Callable[[Record], Sequence[str | None]]
    pages: Pages
    not_record: str


def read_nested(file: SourceFile, fields: Sequence[str], spool: Spool, shape: Shape) -> None:
    """Read a file, or the files in a zip archive; raises UnreadableError where nothing of it can be read."""
    rows = _FlatRows(NamedRows(file, shape.columns, fields, spool), shape)
    try:
        for name, blocks in read_texts(file):
            rows.name = name
            try:
                read_text(spool.metered(blocks), rows, shape.pages)
            except UnreadableError as error:
                if not name:
                    raise
                rows.reject(error.reason, b"", None)
    except UnreadableError as error:
        if not rows.count:
            raise
        rows.reject(error.reason, b"", None)
    spool.read[file.file] += rows.count


class _FlatRows:
    """Records on their way into rows. `name`: of the archive's file that they are from; shown in front of rejects."""

    def __init__(self, rows: NamedRows, shape: Shape) -> None:
        self.name = ""
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
        shown = raw[: 4 * RAW_LIMIT].decode(errors="replace")
        self._rows.reject(reason, f"{self.name}: {shown}" if self.name else shown, line)


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
