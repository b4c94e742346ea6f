"""Read source files of any format: by a lazy scan where that is safe, else record by record into a spool."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from drugmentions.model import Format, SourceFile
from drugmentions.sources import (
    ctgov_json,
    ctgov_xml,
    database,
    delimited,
    europepmc,
    json_array,
    medline,
    name_lists,
    ndjson,
    parquet,
    pubmed_xml,
)
from drugmentions.sources.spool import Reading, Spool
from drugmentions.sources.streams import UnreadableError

__all__ = ["Reading", "Spool", "open_fast", "read_slow"]


_SCANS: Final[Mapping[Format, Callable[[SourceFile, Sequence[str]], Reading | None]]] = {
    Format.NDJSON: ndjson.open_fast,
    Format.PARQUET: parquet.open_fast,
}
"""Formats that Polars reads."""
_READERS: Final[Mapping[Format, Callable[[SourceFile, Sequence[str], Spool], None]]] = {
    Format.CSV: delimited.read_into,
    Format.JSON: json_array.read_into,
    Format.NDJSON: ndjson.read_into,
    Format.PARQUET: parquet.read_into,
    Format.PUBMED_XML: pubmed_xml.read_into,
    Format.CTGOV_JSON: ctgov_json.read_into,
    Format.CTGOV_XML: ctgov_xml.read_into,
    Format.MEDLINE: medline.read_into,
    Format.EUROPEPMC: europepmc.read_into,
    Format.RXNORM: name_lists.read_rxnorm,
    Format.NAMES: name_lists.read_names,
    Format.QUERY: database.read_into,
}


def open_fast(
    file: SourceFile, fields: Sequence[str], *, compiled: Callable[[], bool] = lambda: False
) -> Reading | None:
    """The reading of a file by a lazy scan, or None where its format has none, or the file isn't clean.

    The records are counted, and quoting is checked, now; nothing is collected. Collecting may still raise PolarsError,
    PanicException or OSError (a row with too many fields, damaged data, a file that changed): then `read_slow` is to
    read the file. `fields[0]` is the one that a record can't do without. `compiled`: whether compiled code may read
    the file; asked where it can. Then records are counted, and quoting is checked, when they are collected.
    """
    if file.format == Format.CSV:
        return delimited.open_fast(file, fields, compiled=compiled)
    open_scan = _SCANS.get(file.format)
    return open_scan(file, fields) if open_scan else None


def read_slow(files: Iterable[SourceFile], fields: Sequence[str], spool_dir: Path, *, limit: int = 0) -> Reading:
    """The reading of some files, record by record; what can't be read is a reject, and the rest goes on.

    The rows lie in Parquet files in a new directory under `spool_dir`, which has to stay until they were collected.
    A file of which nothing can be read is one reject, its record null. Raises OutputError where `spool_dir` can't be
    written. `limit`: read on for a block at most, behind so many records; 0: to the end.
    """
    spool = Spool(spool_dir, fields, limit=limit)
    for file in files:
        spool.read[file.file] += 0
        read_into = _READERS.get(file.format)
        try:
            if read_into is None:
                raise UnreadableError("unknown format")  # noqa: TRY301  # as any other reason for not reading it
            read_into(file, fields, spool)
        except UnreadableError as error:
            spool.reject(file.file, None, None, error.reason, error.rest.decode(errors="replace") or None)
            spool.read[file.file] += 1
    return spool.reading()
