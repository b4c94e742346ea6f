"""Read what a query gives by Polars' database reader, some rows at a time, over SQLAlchemy (the extra `sql`)."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from drugmentions.config import Source
from drugmentions.errors import MissingExtraError
from drugmentions.model import Compression, Fingerprint, Format, Kind, SourceFile
from drugmentions.sources.columns import find_keys
from drugmentions.sources.scans import ROW, field_columns, scan_reading, shown_expr, text_expr
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import UnreadableError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor

BATCH: Final = 20_000
"""Rows that are fetched at a time."""
_TIMESTAMP: Final = (
    "^([0-9]{4}-[0-9]{2}-[0-9]{2})[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?:Z|[+-][0-9:]{2,6})?$"
)
"""A point in time as databases without a type for it write it."""
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""Schemes of addresses, and what SQLAlchemy is to make of them where no driver is named."""


def plan_queries(sources: Sequence[Source]) -> list[SourceFile]:
    """The configured queries as source files, never the same twice: nobody can tell whether a result has changed."""
    names: Counter[str] = Counter()
    files = []
    for source in sources:
        if source.uri:
            names[source.name] += 1
            number = f" ({names[source.name]})" if names[source.name] > 1 else ""
            files.append(_plan_query(source, f"query of {source.name}{number}"))
    return files


def _plan_query(source: Source, name: str) -> SourceFile:
    now = time.time_ns()
    kind = Kind(source.kind)
    return SourceFile(
        file=name,
        path=source.uri or "",
        kind=kind,
        source=source.name,
        format=Format.QUERY,
        compression=Compression.NONE,
        fingerprint=Fingerprint(0, now, now, 0),
        query=source.query or "",
        columns=find_keys((), kind, tuple(source.columns.items())),
        dates=list(source.dates),
    )


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read all rows of a query; raises UnreadableError where there are none to be had, MissingExtraError likewise.

    An error on the way is one reject.
    """
    count = 0
    try:
        with _connected(file.path) as connection:
            for batch in _batches(connection, file.query):
                spool.make_room()
                _keep(file, batch.with_row_index(ROW, offset=count + 1), fields, spool)
                count += batch.height
    except UnreadableError as error:
        if not count:
            raise
        count += 1
        spool.reject(file.file, count, None, error.reason, None)
    spool.read[file.file] += count


@contextmanager
def _connected(uri: str) -> "Iterator[Connection]":
    try:
        import sqlalchemy  # noqa: PLC0415  # an extra
    except ImportError:
        message = "queries need the extra `sql`"
        raise MissingExtraError(message, "python -m pip install 'drugmentions[sql]'") from None
    scheme, _, rest = uri.partition("://")
    try:
        engine = sqlalchemy.create_engine(f"{_DRIVERS.get(scheme, scheme)}://{rest}", poolclass=sqlalchemy.NullPool)
        _refuse_new_file(engine)
        sqlalchemy.event.listen(engine, "after_cursor_execute", _refuse_no_rows)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.connection.cursor().execute("pragma query_only = on")
            yield connection.execution_options(stream_results=True)
    except ImportError as error:
        raise MissingExtraError(f"no driver for {scheme}: {error}", "install the driver that it names") from None
    except (sqlalchemy.exc.SQLAlchemyError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise UnreadableError(f"the query failed: {reason}") from error


def _refuse_new_file(engine: "Engine") -> None:
    """Raise UnreadableError where SQLite would create a file."""
    name = engine.url.database
    is_path = name and not name.startswith((":memory:", "file:"))
    if engine.dialect.name == "sqlite" and is_path and not Path(str(name)).exists():
        raise UnreadableError(f"the query failed: there is no file {name}")


def _refuse_no_rows(connection: "Connection", cursor: "DBAPICursor", *_: object) -> None:
    """Raise UnreadableError behind a statement that gives no rows, not even none of a query."""
    del connection
    if cursor.description is None:
        raise UnreadableError("the query failed: it gives no rows")


def _batches(connection: "Connection", query: str) -> Iterator[pl.DataFrame]:
    from sqlalchemy import text  # noqa: PLC0415  # an extra

    as_it_stands = text(query.replace(":", r"\:"))  # else `:name` would be a parameter
    yield from pl.read_database(as_it_stands, connection, iter_batches=True, batch_size=BATCH, infer_schema_length=None)


def _keep(file: SourceFile, batch: pl.DataFrame, fields: Sequence[str], spool: Spool) -> None:
    """Raises UnreadableError where the batch lacks the main field, or the type of a field's column isn't text."""
    schema = {name: dtype for name, dtype in batch.schema.items() if name != ROW}
    names = list(schema)
    places = field_columns(names, file, fields)
    if not places[0]:
        raise UnreadableError(f"the query gives no column for {fields[0]} (columns: {', '.join(names)})")
    texts = {name: text_expr(name, dtype) for name, dtype in schema.items()}
    opaque = {name for name, text in texts.items() if text is None}
    if odd := [names[found[0]] for found in places if found and names[found[0]] in opaque]:
        raise UnreadableError(f"column {odd[0]} holds {schema[odd[0]]}, not text")
    for place in places[fields.index("date")] if "date" in fields else ():
        if (date := texts[names[place]]) is not None:
            texts[names[place]] = date.str.replace(_TIMESTAMP, "$1")
    shown = [(name, shown_expr(name) if text is None else text) for name, text in texts.items()]
    reading = scan_reading(file, batch.lazy(), shown, fields, {file.file: batch.height}, opaque)
    spool.rows.extend(reading.records.collect().rows())
    spool.doubtful.extend((*row, None) for row in reading.untitled.collect().rows())
