"""Step two, extract: one batch -> publications, mentions and rejects, as parts. Pure, idempotent, independent."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import polars as pl

from drugmentions.cache import replacing
from drugmentions.errors import AccountingError
from drugmentions.matching.engine import Overlaps, find_mentions
from drugmentions.matching.lexicon import Lexicon, build_lexicon
from drugmentions.matching.rules import PLAIN, Rules
from drugmentions.model import MENTION_PART, PUBLICATION, RAW_LIMIT, REJECT, Batch, FileCounts, Parts, SourceFile
from drugmentions.sources.columns import DRUG_FIELDS, PUBLICATION_FIELDS
from drugmentions.sources.conform import conform
from drugmentions.sources.reading import Reading, open_fast, read_slow
from drugmentions.sources.spool import UNTITLED

FAST_FROM: Final = 1 << 20
"""Bytes from which the fast reader pays: it costs some milliseconds to open, the slow one a microsecond per record."""
COMPRESSION: Final = "lz4"
ROW_GROUP: Final = 50_000
"""Publications that are written, and later searched, at a time: memory goes with it."""

_BLANK: Final = pl.col("blank")


def extract(
    batch: Batch,
    lexicon: Lexicon,
    parts: Path,
    scratch: Path,
    *,
    overlaps: Overlaps = "longest",
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Parts:
    """Read a batch's files, find their mentions, and leave three Parquet files under `parts`.

    `scratch` is an empty directory that the caller removes; `on_rows` is told how many more publications were searched,
    from any thread. Raises AccountingError where records read and records kept
    don't add up, OSError where parts can't be written. Doing it again gives the same rows.
    """
    publications = parts / f"{batch.name}.publications.parquet"
    rejects = parts / f"{batch.name}.rejects.parquet"
    mentions = parts / f"{batch.name}-{lexicon.digest}-{overlaps}.mentions.parquet"
    with (
        replacing(publications, durable=False) as publications_part,
        replacing(rejects, durable=False) as rejects_part,
    ):
        counts = write_publications(batch.files, publications_part, rejects_part, scratch)
    with replacing(mentions, durable=False) as mentions_part:
        write_mentions(publications, lexicon, mentions_part, overlaps=overlaps, on_rows=on_rows)
    return Parts(batch.name, str(publications), str(mentions), str(rejects), tuple(counts))


def write_publications(
    files: tuple[SourceFile, ...], publications: Path, rejects: Path, scratch: Path
) -> list[FileCounts]:
    """Read files of one source: publications (`CONFORMED`) and rejects (`REJECT`) as Parquet; counts by file."""
    readings = list(_read(files, PUBLICATION_FIELDS, scratch))
    try:
        _sink_publications(readings, files, publications)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        # the fast reader refuses what isn't clean, at times only when it gets there
        readings = [read_slow(files, PUBLICATION_FIELDS, _fresh(scratch, "again"))]
        _sink_publications(readings, files, publications)
    read = dict(ChainMap(*(reading.read for reading in readings)))
    kept = _kept_by_file(pl.scan_parquet(publications, glob=False))
    untitled = _untitled(readings if kept["publications"].sum() < sum(read.values()) else [])
    refused = pl.concat([*(reading.rejects for reading in readings), untitled.filter(~_BLANK).pipe(_as_rejects).lazy()])
    refused.sort("file", "record", "line").sink_parquet(rejects, compression=COMPRESSION)
    return _account(files, read, kept, pl.read_parquet(rejects, columns=["file"], glob=False), untitled.filter(_BLANK))


def write_mentions(
    publications: Path, lexicon: Lexicon, mentions: Path, *, overlaps: Overlaps, on_rows: Callable[[int], None]
) -> None:
    """Find the mentions of a part's publications: one row per (drug, publication, title it was found in)."""

    def counted(batch: pl.DataFrame) -> pl.DataFrame:
        on_rows(batch.height)
        return batch

    rows = pl.scan_parquet(publications, glob=False).filter(~pl.col("deleted"))
    kept = [name for name in MENTION_PART if name in PUBLICATION]
    found = [
        rows.filter(pl.col(column).is_not_null())
        .select(*kept, found=column)
        .map_batches(counted, streamable=True)
        .pipe(find_mentions, lexicon, column="found", overlaps=overlaps)
        .select(pl.lit(column).alias("found_in") if name == "found_in" else name for name in MENTION_PART)
        for column in _searched(publications)
    ]
    pl.concat(found).sink_parquet(mentions, compression=COMPRESSION, statistics=False)


def read_drug_lists(
    files: Iterable[SourceFile], scratch: Path, rules: Rules = PLAIN
) -> tuple[Lexicon, pl.DataFrame, list[FileCounts]]:
    """Read drug lists and merge them: lexicon, rejects (`REJECT`), counts by file (entries as `publications`)."""
    lists = tuple(files)
    reading = read_slow(lists, DRUG_FIELDS, scratch)
    untitled = reading.untitled.collect()
    entries = reading.records.collect().join(untitled, on=["file", "record"], how="anti")
    rejects = pl.concat([reading.rejects.collect(), untitled.filter(~_BLANK).pipe(_as_rejects, "no drug name")])
    kept = entries.group_by("file").agg(publications=pl.len(), deletions=pl.lit(0), unread_dates=pl.lit(0))
    counts = _account(lists, reading.read, kept, rejects, untitled.filter(_BLANK))
    return build_lexicon(entries.select(DRUG_FIELDS), rules), rejects, counts


def _searched(publications: Path) -> list[str]:
    """The columns that hold titles."""
    official = (
        pl.scan_parquet(publications, glob=False).select(pl.col("official_title").is_not_null().any()).collect().item()
    )
    return ["title", "official_title"] if official else ["title"]


def _read(files: tuple[SourceFile, ...], fields: tuple[str, ...], scratch: Path) -> Iterator[Reading]:
    """Read large files by the fast reader where it has a way, all the others together by the slow one."""
    slow = []
    for file in files:
        reading = open_fast(file, fields) if file.fingerprint.size >= FAST_FROM else None
        if reading is None:
            slow.append(file)
        else:
            yield reading
    if slow:
        yield read_slow(slow, fields, _fresh(scratch, "spool"))


def _fresh(scratch: Path, name: str) -> Path:
    path = scratch / name
    path.mkdir()
    return path


def _sink_publications(readings: list[Reading], files: tuple[SourceFile, ...], path: Path) -> None:
    frames = [conform(reading.records, files) for reading in readings]
    pl.concat(frames).sink_parquet(path, compression=COMPRESSION, statistics=False, row_group_size=ROW_GROUP)


def _untitled(readings: list[Reading]) -> pl.DataFrame:
    """Records that have no title: `file, record, line, raw, blank`."""
    return pl.concat([pl.LazyFrame(schema=UNTITLED), *(reading.untitled for reading in readings)]).collect()


def _as_rejects(untitled: pl.DataFrame, reason: str = "no title") -> pl.DataFrame:
    return untitled.with_columns(reason=pl.lit(reason), raw=pl.col("raw").str.head(RAW_LIMIT)).select(REJECT.names())


# Accounting.


def _account(
    files: Iterable[SourceFile], read: dict[str, int], kept: pl.DataFrame, rejects: pl.DataFrame, blanks: pl.DataFrame
) -> list[FileCounts]:
    """Count by file, and see that nothing was lost. `kept`: `file, publications, deletions, unread_dates`."""
    order = pl.DataFrame({"file": [file.file for file in files]}, schema={"file": pl.String})
    counts = (
        order.with_columns(read=pl.col("file").replace_strict(read, default=0, return_dtype=pl.Int64))
        .join(kept, on="file", how="left", maintain_order="left")
        .join(rejects.group_by("file").agg(rejects=pl.len()), on="file", how="left", maintain_order="left")
        .join(blanks.group_by("file").agg(blanks=pl.len()), on="file", how="left", maintain_order="left")
        .fill_null(0)
    )
    accounted = pl.sum_horizontal("publications", "deletions", "rejects", "blanks")
    lost = counts.filter(pl.col("read") != accounted)
    if lost.height:
        raise AccountingError(f"records read and kept differ: {lost.row(0, named=True)}")
    return [FileCounts(**row) for row in counts.to_dicts()]


def _kept_by_file(publications: pl.LazyFrame) -> pl.DataFrame:
    deleted = pl.col("deleted")
    return (
        publications.group_by("file")
        .agg(publications=(~deleted).sum(), deletions=deleted.sum(), unread_dates=pl.col("unread_date").count())
        .collect(engine="streaming")
    )
