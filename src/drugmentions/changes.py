"""What a run changes: source files new, changed, gone and known, and mentions added and removed, by drug."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import polars as pl

from drugmentions.model import Kind
from drugmentions.plan import Plan
from drugmentions.report import Changes, DrugChange, FileChanges, RunReport

BUCKET: Final = 300_000
"""Mentions, old and new ones together, that are compared at a time."""

# Two mentions of a drug are one if they are of one publication; one without an id is told by all that a reader sees.
_WITHOUT_ID: Final = [pl.when(pl.col("id").is_null()).then(name).alias(name) for name in ("title", "journal", "date")]
_PUBLICATION: Final = ["source", "id", "title", "journal", "date"]


def changes_since(
    previous: RunReport | None, planned: Plan, drugs: tuple[DrugChange, ...] | None, *, nothing_new: bool
) -> Changes:
    """What a run changed: files as planned, and mentions of these drugs; None: nobody knows."""
    return Changes(
        since=previous.started if previous else None,
        nothing_new=nothing_new,
        files=count_states(state for _, state in file_states(planned, previous)),
        added=None if drugs is None else sum(drug.added for drug in drugs),
        removed=None if drugs is None else sum(drug.removed for drug in drugs),
        drugs=drugs or (),
    )


def count_states(states: Iterable[str]) -> FileChanges:
    """How many files are in each state."""
    counts = Counter(states)
    return FileChanges(**{name: counts[name] for name in FileChanges.__struct_fields__})


def file_states(planned: Plan, previous: RunReport | None) -> Iterator[tuple[str, str]]:
    """Each file of publications, those that are gone too, and its state, a field of `FileChanges`."""
    before = {file.file for file in previous.files if file.kind == Kind.PUBLICATIONS} if previous else set()
    now = set()
    for batch in planned.batches:
        for file in batch.files:
            now.add(file.file)
            yield file.file, "changed" if file.file in before else "new"
    for file in planned.unreadable:
        if file.kind == Kind.PUBLICATIONS:
            now.add(file.file)
            yield file.file, "unreadable"
    for carried in planned.carried:
        for file in carried.batch.files:
            now.add(file.file)
            yield file.file, "kept" if file.file in planned.missing else "known"
    for name in sorted(before - now):
        yield name, "gone"


def all_added(drugs: pl.DataFrame) -> tuple[DrugChange, ...]:
    """What a first run changes: all mentions of its drugs (`drug, len`) are new."""
    mentioned = drugs.filter(pl.col("len") > 0).sort("drug")
    return tuple(DrugChange(**row) for row in mentioned.select("drug", added="len", removed=0).to_dicts())


def mention_changes(old: Path, new: Path) -> tuple[DrugChange, ...]:
    """Compare two tables of mentions (`MENTION`, sorted by drug): the drugs whose publications differ, by name."""
    tables = [pl.scan_parquet(table, glob=False) for table in (old, new)]
    before, after = (table.select("drug", "source", "id", *_WITHOUT_ID) for table in tables)
    publication = pl.struct(_PUBLICATION).hash()
    sums = [
        table.group_by("drug").agg(count=pl.len(), sum=publication.sum()).collect(engine="streaming")
        for table in (before, after)
    ]
    drugs = sums[0].join(sums[1], on="drug", how="full", coalesce=True, suffix="_after").fill_null(0)
    changed = drugs.filter((pl.col("count") != pl.col("count_after")) | (pl.col("sum") != pl.col("sum_after")))
    one_sided = (pl.col("count") == 0) | (pl.col("count_after") == 0)
    rows = [changed.filter(one_sided).select("drug", added="count_after", removed="count")]
    rows += [_compared(bucket, before, after) for bucket in _buckets(changed.filter(~one_sided))]
    found = pl.concat(rows).filter((pl.col("added") > 0) | (pl.col("removed") > 0)).sort("drug")
    return tuple(DrugChange(**row) for row in found.to_dicts())


def _buckets(changed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Neighbouring drugs, some `BUCKET` mentions together."""
    size = pl.col("count") + pl.col("count_after")
    yield from changed.sort("drug").with_columns(bucket=size.cum_sum() // BUCKET).partition_by("bucket")


def _compared(drugs: pl.DataFrame, before: pl.LazyFrame, after: pl.LazyFrame) -> pl.DataFrame:
    """`drug, added, removed` of neighbouring drugs."""
    inside = pl.col("drug").is_between(pl.lit(drugs["drug"].min()), pl.lit(drugs["drug"].max()))
    old, new = (table.filter(inside).collect(engine="streaming") for table in (before, after))
    key = ["drug", *_PUBLICATION]
    added = new.join(old, on=key, how="anti", nulls_equal=True).group_by("drug").agg(added=pl.len())
    removed = old.join(new, on=key, how="anti", nulls_equal=True).group_by("drug").agg(removed=pl.len())
    counted = drugs.select("drug").join(added, on="drug", how="left").join(removed, on="drug", how="left")
    return counted.with_columns(pl.col("added", "removed").fill_null(0))
