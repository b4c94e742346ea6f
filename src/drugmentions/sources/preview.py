"""What a file would be read as: what it was taken for, why, and its first record."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from drugmentions.config import Source
from drugmentions.model import Kind, SourceFile
from drugmentions.sources.columns import DRUG_FIELDS, PUBLICATION_FIELDS
from drugmentions.sources.conform import conform
from drugmentions.sources.detect import configured_source, explain
from drugmentions.sources.locate import LocatedFile
from drugmentions.sources.reading import read_slow
from drugmentions.sources.scans import column_key
from drugmentions.text import clean_text_expr

_LEFT_OUT = ("file", "source")


class Preview(msgspec.Struct, frozen=True):
    """A file as `detect` sees it. `why`: by what; `columns`: field -> its column in the file; `first`: as read.

    `note`: why it isn't to be read, and what the configuration says of it that doesn't fit.
    """

    file: str
    kind: str
    source: str
    format: str
    compression: str
    why: str
    note: str
    columns: dict[str, str]
    first: dict[str, Any] | None


def preview(located: LocatedFile, sources: Sequence[Source], scratch: Path) -> Preview:
    """Recognise a file, and read on until it has given a record that isn't blank; what it lacks is left out.

    `first` is None where the file isn't to be read; where the record is rejected, it holds `reject`, the reason, and
    `raw`. `scratch` is a directory that the caller removes.
    """
    file, why, seen = explain(located, sources)
    first = None if file.note or file.kind == Kind.UNKNOWN else _first_record(file, scratch)
    kind, compression = str(file.kind), str(file.compression)
    columns = {field: next((name for name in names if name in seen), "") for field, names in file.columns.items()}
    columns = {field: name for field, name in columns.items() if name}
    note = "; ".join(filter(None, (file.note, *_missing_columns(located, sources, seen))))
    return Preview(file.file, kind, file.source, str(file.format), compression, why, note, columns, first)


def _missing_columns(located: LocatedFile, sources: Sequence[Source], seen: Sequence[str]) -> Iterator[str]:
    """What there is to say of each field none of whose configured columns is there."""
    source = configured_source(located.file, sources, None)
    there = {column_key(name): name for name in seen}
    for field, names in (source.columns if source and seen else {}).items():
        if there.keys().isdisjoint(map(column_key, names)):
            near = get_close_matches(column_key(names[0]), there, 1)
            hint = f", did you mean {there[near[0]]!r}?" if near else ""
            yield f"no configured column {names[0]!r} for the {field}{hint}"


def _first_record(file: SourceFile, scratch: Path) -> dict[str, Any]:
    fields = DRUG_FIELDS if file.kind == Kind.DRUGS else PUBLICATION_FIELDS
    reading = read_slow([file], fields, scratch, limit=1)
    untitled = reading.untitled.filter(~pl.col("blank")).select("record", "raw", reject=pl.lit("no " + fields[0]))
    refused = reading.rejects.select("record", "raw", reject="reason")
    if file.kind == Kind.DRUGS:
        records = reading.records.with_columns(clean_text_expr(pl.col(name)).alias(name) for name in fields)
        records = records.drop_nulls(fields[0])
    else:
        records = conform(reading.records, (file,))
    found = pl.concat([frame.sort("record").head(1) for frame in (records, untitled, refused)], how="diagonal")
    row = found.sort("record", nulls_last=True).head(1).collect().to_dicts()
    return {name: value for name, value in (row[0] if row else {}).items() if value and name not in _LEFT_OUT}
