"""Merge records that are one publication, within a source, never by similarity.

1. By id: the highest revision key (revision, file, record) wins; its nulls are filled from the lower ones, highest
   first; a deletion removes the records below its (release, file).
2. Records without an id and equal in everything else are one.
3. A record without an id joins a publication with one when exactly one has the same normalised title, the same date
   (two missing dates are the same), and a journal that is equal or missing on one side; it fills that one's nulls.
   All are compared with what steps 1 and 2 left, so the order of joining means nothing.

Only records that share an id with another, or have none, are ever held in memory; ids are compared by hash first, in
buckets.
"""

from typing import Final, NamedTuple

import polars as pl

from drugmentions.matching.normalise import normal_form_expr
from drugmentions.model import PUBLICATION, VERSION_UNIT
from drugmentions.text import journal_key_expr

BUCKET: Final = 16_000_000
"""Records whose ids are compared at a time: some 300 MB of hashes. All ids are read as often as there are buckets."""

_KEY: Final = ["file", "record"]
_CONTENT: Final = ["source", "title", "official_title", "journal", "journal_kind", "date", "retracted"]

MERGED: Final = pl.Schema({**PUBLICATION, "official_file": pl.String(), "official_record": pl.UInt32()})
"""`PUBLICATION` rows, merged: `file` and `record` of the one that gives the title, and those of the official title."""

MERGES: Final = pl.Schema(
    {
        "source": pl.String,
        "id": pl.String,
        "title": pl.String,
        "file": pl.String,
        "record": pl.UInt32,
        "outcome": pl.String,
        "into_file": pl.String,
        "into_record": pl.UInt32,
    }
)
"""One row per record that isn't a publication of its own. `outcome`: `overridden` (1), `deleted` (1), `duplicate` (2),
`joined` (3)."""


class Merging(NamedTuple):
    """What merging changes.

    touched: `file, record` of every record that merging removed, replaced or filled.
    merged: the publications that stand in their place (`MERGED`).
    merges: what became of each removed record (`MERGES`), sorted.
    """

    touched: pl.DataFrame
    merged: pl.DataFrame
    merges: pl.DataFrame


def merge(publications: pl.LazyFrame) -> Merging:
    """Find what merging changes among publications (`PUBLICATION`, in any order); what it doesn't name stays as it is.

    Reads the publications' ids, and of records without one or that share one, everything.
    """
    publications = publications.select(PUBLICATION.names())
    sizes = publications.select(pl.len(), without=(pl.col("id").is_null() & ~pl.col("deleted")).sum())
    total, without = sizes.collect(engine="streaming").row(0)
    buckets = total // BUCKET + 1
    by_id = _merge_by_id(publications, buckets)
    return _merge_without_id(publications, by_id, buckets) if without else by_id


def _hashes(frame: pl.LazyFrame, key: pl.Expr, bucket: int, buckets: int) -> pl.Series:
    """Hashes of `key` that fall into a bucket, one per row."""
    hashes = frame.select(hash=key.hash())
    if buckets > 1:
        hashes = hashes.filter(pl.col("hash") % buckets == bucket)
    return hashes.collect(engine="streaming")["hash"]


def _with_repeated(frame: pl.LazyFrame, key: pl.Expr, buckets: int) -> pl.DataFrame:
    """The rows whose `key` has the hash of another row's key."""
    hashes = (_hashes(frame, key, bucket, buckets) for bucket in range(buckets))
    return _with_hashes(frame, key, pl.concat(map(_repeated, hashes)))


def _repeated(hashes: pl.Series) -> pl.Series:
    """Those that occur more than once, once each, found by sorting: a hash table takes twice the time, and memory."""
    ordered = hashes.sort()
    return ordered.filter(ordered == ordered.shift()).unique()


def _with_hashes(frame: pl.LazyFrame, key: pl.Expr, hashes: pl.Series) -> pl.DataFrame:
    if hashes.is_empty():
        return frame.clear().collect()
    return frame.filter(key.hash().is_in(hashes.implode())).collect(engine="streaming")


# Step 1: records of one id.


def _merge_by_id(publications: pl.LazyFrame, buckets: int) -> Merging:
    with_id = publications.filter(pl.col("id").is_not_null()).pipe(_with_provider)
    rows = _with_repeated(with_id, pl.col("id"), buckets)
    rows = rows.filter(pl.len().over("source", "id") > 1)  # two ids may share a hash, two sources an id
    ranked = rows.sort("source", "id", "revision", "file", "record", descending=[False, False, True, True, True])
    standing, deleted = _apply_deletions(ranked)
    merged = _filled(standing, ["source", "id"])
    overridden = standing.join(
        merged.select("source", "id", into_file="file", into_record="record"), on=["source", "id"]
    )
    overridden = overridden.filter(
        (pl.col("file") != pl.col("into_file")) | (pl.col("record") != pl.col("into_record"))
    )
    merges = pl.concat([_outcome(overridden, "overridden"), _outcome(deleted, "deleted")])
    return Merging(rows.select(_KEY), merged, merges.sort(_KEY))


def _outcome(records: pl.DataFrame, outcome: str) -> pl.DataFrame:
    """Bring records, with or without `into_file` and `into_record`, to `MERGES`."""
    absent = [
        pl.lit(None, MERGES[name]).alias(name) for name in ("into_file", "into_record") if name not in records.columns
    ]
    return records.with_columns(absent).with_columns(outcome=pl.lit(outcome)).select(MERGES.names())


def _filled(ranked: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The first record of each group, its nulls filled from the later ones in order. Takes and gives `MERGED`."""
    official, journal = ["official_title", "official_file", "official_record"], ["journal", "journal_kind"]
    own = [name for name in PUBLICATION.names() if name not in {*by, *official, *journal, "date"}]
    filled = ranked.group_by(by, maintain_order=True).agg(
        pl.col(own).first(),
        pl.col("date").drop_nulls().first(),
        pl.col(journal).filter(pl.col("journal").is_not_null()).first(),
        pl.col(official).filter(pl.col("official_title").is_not_null()).first(),
    )
    return filled.select(pl.col(name).cast(dtype) for name, dtype in MERGED.items())


def _with_provider(records: pl.LazyFrame) -> pl.LazyFrame:
    """Add what `MERGED` has more than `PUBLICATION`: a record's official title is its own."""
    has_official = pl.col("official_title").is_not_null()
    return records.with_columns(pl.when(has_official).then(name).alias(f"official_{name}") for name in _KEY)


def _apply_deletions(ranked: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the records into those that stand and those that a deletion removes; tombstones are in neither."""
    release = [(pl.col("revision") % VERSION_UNIT).alias("release"), "file"]
    tombstones = (
        ranked.filter("deleted")
        .select("source", "id", until=pl.struct(release))
        .sort("until")
        .group_by("source", "id")
        .agg(pl.col("until").last())
    )
    records = ranked.filter(~pl.col("deleted")).join(tombstones, on=["source", "id"], how="left", maintain_order="left")
    until = pl.col("until").struct
    at = pl.col("revision") % VERSION_UNIT
    below = (at < until.field("release")) | ((at == until.field("release")) & (pl.col("file") < until.field("file")))
    below = below.fill_null(value=False)
    return records.filter(~below).drop("until"), records.filter(below).drop("until")


# Steps 2 and 3: records without an id.


def _merge_without_id(publications: pl.LazyFrame, by_id: Merging, buckets: int) -> Merging:
    without_id = publications.filter(pl.col("id").is_null() & ~pl.col("deleted"))
    duplicates = _duplicates(without_id, buckets)
    single = without_id.join(duplicates.lazy(), on=_KEY, how="anti")
    as_read = publications.filter(pl.col("id").is_not_null() & ~pl.col("deleted")).pipe(_with_provider)
    with_id = pl.concat([as_read.join(by_id.touched.lazy(), on=_KEY, how="anti"), by_id.merged.lazy()])
    joined = _joined(single.pipe(_with_provider), with_id, buckets)
    filled = _fill_from(joined, with_id)
    merges = pl.concat([by_id.merges, _outcome(duplicates, "duplicate"), _outcome(joined, "joined")])
    touched = [by_id.touched, duplicates.select(_KEY), joined.select(_KEY), filled.select(_KEY)]
    return Merging(
        touched=pl.concat(touched).unique(),
        merged=pl.concat([by_id.merged.join(filled, on=_KEY, how="anti"), filled]),
        merges=merges.sort(_KEY),
    )


def _duplicates(without_id: pl.LazyFrame, buckets: int) -> pl.DataFrame:
    """Records that equal an earlier one in everything but place, with that one as `into_file` and `into_record`."""
    rows = _with_repeated(without_id, pl.struct(_CONTENT), buckets).sort(_KEY)
    first = {f"into_{name}": pl.col(name).first().over(_CONTENT) for name in _KEY}
    return rows.with_columns(**first).filter(
        (pl.col("file") != pl.col("into_file")) | (pl.col("record") != pl.col("into_record"))
    )


def _joined(single: pl.LazyFrame, with_id: pl.LazyFrame, buckets: int) -> pl.DataFrame:
    """Records without an id that fit exactly one publication with one, that one as `into_file` and `into_record`."""
    same_day = ["source", "date"]
    days = single.select(same_day).unique().collect(engine="streaming").lazy()
    fitting = ["source", "date", "normal"]
    with_id = with_id.join(days, on=same_day, how="semi", nulls_equal=True)
    single, with_id = (frame.with_columns(normal=normal_form_expr(pl.col("title"))) for frame in (single, with_id))
    key = pl.struct(fitting)
    shared = pl.concat([_shared_hashes(single, with_id, key, bucket, buckets) for bucket in range(buckets)])
    into = _with_hashes(with_id, key, shared).select(
        *fitting, into_file="file", into_record="record", into_journal=journal_key_expr(pl.col("journal"))
    )
    journal, into_journal = journal_key_expr(pl.col("journal")), pl.col("into_journal")
    fits = (journal == into_journal) | journal.is_null() | into_journal.is_null()
    pairs = _with_hashes(single, key, shared).join(into, on=fitting, nulls_equal=True).filter(fits)
    return pairs.filter(pl.len().over(_KEY) == 1).drop("normal", "into_journal")


def _shared_hashes(one: pl.LazyFrame, other: pl.LazyFrame, key: pl.Expr, bucket: int, buckets: int) -> pl.Series:
    """Hashes of `key` that occur in both frames."""
    ours, theirs = (_hashes(frame, key, bucket, buckets).unique() for frame in (one, other))
    return ours.filter(ours.is_in(theirs.implode()))


def _fill_from(joined: pl.DataFrame, with_id: pl.LazyFrame) -> pl.DataFrame:
    """The publications that records joined, their nulls filled from those in order of file and record: `MERGED`."""
    into = {"into_file": "file", "into_record": "record"}
    keys = joined.select(pl.col(old).alias(new) for old, new in into.items()).unique()
    targets = with_id.join(keys.lazy(), on=_KEY, how="semi").collect(engine="streaming")
    columns = [*MERGED.names(), *into]
    ranked = pl.concat(
        [
            targets.with_columns(pl.col(old).alias(new) for new, old in into.items()).select(columns),
            joined.sort(_KEY).select(columns),
        ]
    )
    return _filled(ranked, list(into))
