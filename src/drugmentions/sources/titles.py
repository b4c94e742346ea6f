"""Titles as a filter reads them: a stream of CSV, NDJSON or plain lines -> frames of ids and titles, as they come."""

import csv
import io
import sys
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, Final

import orjson
import polars as pl

from drugmentions.model import Kind
from drugmentions.sources.columns import find_columns, find_keys

TITLES: Final = pl.Schema({"id": pl.String, "title": pl.String})
"""One row per title: its id (the number of its line or record where it has none), and the title as given."""

_ROWS: Final = 20_000
"""Titles handed on at a time."""


def read_titles(stream: BinaryIO) -> Iterator[pl.DataFrame]:
    """Read titles (`TITLES`) from a stream, some thousands at a time.

    A first line that is a JSON object says NDJSON; one that names a title column, CSV (or TSV); anything else, lines.
    Titles without an id get the number of their line (lines, NDJSON) or record (CSV). Bytes that aren't UTF-8 become
    replacement characters; lines of NDJSON that aren't objects are titles without text.
    """
    csv.field_size_limit(sys.maxsize)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    first = text.readline()
    rows = _rows(first, text)
    while batch := list(islice(rows, _ROWS)):
        yield pl.DataFrame(batch, schema=TITLES, orient="row")


def _rows(first: str, rest: io.TextIOWrapper) -> Iterator[tuple[str, str | None]]:
    if first.lstrip().startswith("{"):
        return _json_rows(first, rest)
    for separator in ",\t;":
        header = tuple(next(csv.reader([first], delimiter=separator), []))
        columns = find_columns(header, Kind.PUBLICATIONS)
        if "title" in columns:
            at = {field: header.index(columns[field][0]) for field in ("title", "id") if field in columns}
            return _csv_rows(csv.reader(rest, delimiter=separator), at["title"], at.get("id"))
    return _line_rows(first, rest)


def _csv_rows(rows: Iterator[list[str]], title: int, identity: int | None) -> Iterator[tuple[str, str | None]]:
    for number, row in enumerate(rows, 1):
        name = row[identity] if identity is not None and identity < len(row) else ""
        yield name or str(number), row[title] if title < len(row) else None


def _json_rows(first: str, rest: io.TextIOWrapper) -> Iterator[tuple[str, str | None]]:
    keys = find_keys(tuple(_parsed(first)), Kind.PUBLICATIONS)
    for number, line in enumerate(_chain(first, rest), 1):
        record = _parsed(line)
        found = {field: _first(record, keys[field]) for field in ("id", "title")}
        title = found["title"]
        yield str(number if found["id"] is None else found["id"]), title if isinstance(title, str) else None


def _first(record: dict[str, object], keys: list[str]) -> object:
    """The first of these keys' values that isn't empty."""
    return next((value for value in map(record.get, keys) if value is not None and value != ""), None)


def _parsed(line: str) -> dict[str, object]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}


def _line_rows(first: str, rest: io.TextIOWrapper) -> Iterator[tuple[str, str | None]]:
    for number, line in enumerate(_chain(first, rest), 1):
        yield str(number), line.rstrip("\r\n")


def _chain(first: str, rest: io.TextIOWrapper) -> Iterator[str]:
    if first:
        yield first
    yield from rest
