"""Mentions in runs sorted by drug: a range of drugs is then read without most of the rest, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import polars as pl
from polars.io.plugins import register_io_source

from drugmentions.durable import new_file

RUN: Final = 150_000
"""Mentions that are sorted at a time: some 50 MB."""
GROUP: Final = 5_000
"""Mentions whose first and last drug the file knows: what is read at least."""
COMPRESSION: Final = "uncompressed"
"""Of parts: lz4 takes a tenth of a run, to save a third of their size."""
_SMALL: Final = {"drug", "atccode", "source", "journal_kind", "date", "found_in", "file"}
"""Columns of texts that are short, or the same in many rows, but for files of one record each: names of files alone."""


def sink_runs(batches: Iterable[pl.DataFrame], schema: pl.Schema, path: Path) -> None:
    """Write mentions, of any schema with `drug`, as Parquet, in runs sorted by it, each in the order they come in."""
    _sink(map(_with_own_texts, batches), schema, path)


def _sink(batches: Iterable[pl.DataFrame], schema: pl.Schema, path: Path) -> None:
    def runs(*_pushed_down: object) -> Iterator[pl.DataFrame]:
        held = [schema.to_frame()]
        for batch in batches:
            held.append(batch)
            if sum(some.height for some in held) >= RUN:
                yield _by_drug(held)
                held = []
        if held:
            yield _by_drug(held)

    ranges = {"min": True, "max": True, "distinct_count": False, "null_count": False}
    with new_file(path) as file:
        register_io_source(runs, schema=schema).sink_parquet(
            file, compression=COMPRESSION, statistics=ranges, row_group_size=GROUP, arrow_schema=schema
        )


@contextmanager
def sink_beside(schema: pl.Schema, path: Path) -> Iterator[Callable[[pl.DataFrame], None]]:
    """`sink_runs` of the mentions that are handed over, from any thread, by a thread of its own.

    Who hands them over never waits: Polars sinks them by the threads that may be the ones to wait.
    """
    waiting: SimpleQueue[pl.DataFrame | None] = SimpleQueue()

    def handed_over() -> Iterator[pl.DataFrame]:
        while (batch := waiting.get()) is not None:
            yield batch

    def hand_over(batch: pl.DataFrame) -> None:
        if not sunk.done():
            waiting.put(_with_own_texts(batch))

    with ThreadPoolExecutor(1) as beside:
        try:
            sunk = beside.submit(_sink, handed_over(), schema, path)
            yield hand_over
        finally:
            waiting.put(None)
        sunk.result()  # raises what went wrong


def of_drugs(mentions: pl.LazyFrame, drugs: pl.Series, *, whole_range: bool) -> pl.LazyFrame:
    """The mentions of some drugs, by name. `whole_range`: these are all that there are from the first to the last."""
    first, last = pl.lit(drugs.min(), pl.String), pl.lit(drugs.max(), pl.String)
    within = mentions.filter(pl.col("drug").is_between(first, last))
    return within if whole_range else within.filter(pl.col("drug").is_in(drugs.implode()))


def collect_picked(mentions: pl.LazyFrame, *, are_left: bool) -> pl.DataFrame:
    """Mentions picked out of others, in memory, without those.

    `are_left`: whether a join, or a filter behind a slice, may have left few of those that were read; what filters of a
    scan leave out isn't held.
    """
    batches: Iterable[pl.DataFrame] = mentions.collect_batches(engine="streaming")
    if are_left:
        batches = map(_with_own_texts, batches)
    return pl.concat([mentions.collect_schema().to_frame(), *batches])


def _with_own_texts(picked: pl.DataFrame) -> pl.DataFrame:
    """The same rows with copies of their texts: rows that were picked out of others hold on to the texts of all.

    Texts that many rows share, and those that never reach 13 bytes, which Polars keeps in the row, hold on to little.
    """
    texts = [name for name, dtype in picked.schema.items() if dtype == pl.String and name not in _SMALL]
    return picked.with_columns(pl.concat_str(name, pl.lit("")) for name in texts)


def _by_drug(batches: list[pl.DataFrame]) -> pl.DataFrame:
    mentions = pl.concat(batches)
    names = pl.Enum(mentions["drug"].unique().sort())
    return mentions.sort(pl.col("drug").cast(names), maintain_order=True)
