"""Read Parquet: always by a lazy scan; a file whose data are damaged, slice by slice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from drugmentions.model import Compression, SourceFile
from drugmentions.sources.scans import ROW, field_columns, polars_path, scan_reading, shown_expr, text_expr
from drugmentions.sources.spool import Reading, Spool
from drugmentions.sources.streams import UnreadableError, read_bytes

SLICE: Final = 50_000
"""Rows that are read, or rejected, together where a file is read slice by slice."""
DAMAGED: Final = "damaged Parquet data"

_ERRORS: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def open_fast(file: SourceFile, fields: Sequence[str]) -> Reading | None:
    """The reading of a file; None where its schema can't be read, or the type of a field's column isn't text.

    Where the data are damaged, PolarsError, PanicException or OSError is raised when the scan is collected.
    """
    path = polars_path(file)
    if path is None or file.compression != Compression.NONE:
        return None
    try:
        return _reading(file, _scan(path), fields)
    except (*_ERRORS, UnreadableError):
        return None


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file slice by slice, a damaged one is one reject; raises UnreadableError where nothing can be read."""
    path, is_copy = _plain_file(file, spool)
    try:
        scan = _scan(path)
        height = scan.select(pl.len()).collect().item()
        _reading(file, scan, fields)
    except _ERRORS as error:
        raise UnreadableError(DAMAGED) from error
    for start in range(0, height, SLICE):
        spool.make_room()
        try:
            reading = _reading(file, scan.slice(start, SLICE), fields)
            records, untitled = reading.records.collect(), reading.untitled.collect()
        except _ERRORS:
            reason = f"{DAMAGED}, rows {start + 1} to {min(start + SLICE, height)}"
            spool.reject(file.file, start + 1, None, reason, None)
            spool.read[file.file] += 1
        else:
            spool.rows.extend(records.rows())
            spool.doubtful.extend((*row, None) for row in untitled.rows())
            spool.read[file.file] += records.height
    if is_copy:
        Path(path).unlink()


def _plain_file(file: SourceFile, spool: Spool) -> tuple[str, bool]:
    """A path that Polars can read: the file's own, or a copy's, which is to be removed. Raises UnreadableError."""
    blocks = read_bytes(file)
    path = polars_path(file)
    if path and file.compression == Compression.NONE:
        next(blocks, b"")
        return path, False
    copy = spool.directory / "copy.parquet"
    with copy.open("wb") as stream:
        stream.writelines(blocks)
    return str(copy), True


def _scan(path: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, row_index_name=ROW, row_index_offset=1, glob=False, hive_partitioning=False)


def _reading(file: SourceFile, scan: pl.LazyFrame, fields: Sequence[str]) -> Reading:
    """Raises UnreadableError where the type of a field's column isn't text."""
    schema = {name: dtype for name, dtype in scan.collect_schema().items() if name != ROW}
    names = list(schema)
    texts = [(name, text_expr(name, dtype)) for name, dtype in schema.items()]
    opaque = {name for name, text in texts if text is None}
    firsts = [names[places[0]] for places in field_columns(names, file, fields) if places]
    for name in firsts:
        if name in opaque:
            raise UnreadableError(f"column {name} holds {schema[name]}, not text")
    shown = [(name, shown_expr(name) if text is None else text) for name, text in texts]
    return scan_reading(file, scan, shown, fields, {file.file: scan.select(pl.len()).collect().item()}, opaque)
