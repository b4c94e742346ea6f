"""Step three, assemble: all parts -> mentions, rejects and graph. Merges duplicates, sorts, writes each in one step."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from drugmentions.cache import GRAPH, MENTIONS, REJECTS, Output, describe_output
from drugmentions.durable import fingerprint, replacing, sync
from drugmentions.failpoints import failpoint
from drugmentions.graph.writing import Graph, Standing, count_drugs, index_drugs, write_graph
from drugmentions.matching.lexicon import Lexicon
from drugmentions.merging import Merging, merge
from drugmentions.model import MENTION_PART, PUBLICATION, REJECT, Fingerprint, Parts
from drugmentions.sorted_runs import RUN
from drugmentions.text import journal_key_expr

_KEY: Final = ["file", "record"]
_FROM_PUBLICATION: Final = [name for name in MENTION_PART if name in PUBLICATION and name not in _KEY]


def scan_parts(parts: Sequence[Parts]) -> pl.LazyFrame:
    """All publications of all parts, before merging (`PUBLICATION`)."""
    empty = pl.LazyFrame(schema=PUBLICATION)
    scan = (
        [pl.scan_parquet([part.publications.path for part in parts], glob=False).select(PUBLICATION.names())]
        if parts
        else []
    )
    return pl.concat([empty, *scan])


def scan_mentions(parts: Sequence[Parts]) -> pl.LazyFrame:
    """All mentions of all parts, before merging (`MENTION_PART`)."""
    empty = pl.LazyFrame(schema=MENTION_PART)
    scan = [pl.scan_parquet([part.mentions.path for part in parts if part.mentions], glob=False)] if parts else []
    return pl.concat([empty, *scan])


class Assembled(NamedTuple):
    """What the outputs hold.

    drugs: those of the graph (`Graph.drugs`); None if it stayed. outputs: the files that were written, described, and
    with their fingerprints, before anyone could change them.
    """

    counts: dict[str, int]
    drugs: pl.DataFrame | None
    outputs: dict[str, tuple[Output, Fingerprint]]


def assemble(
    parts: Sequence[Parts],
    lexicon: Lexicon,
    other_rejects: pl.DataFrame,
    sources: Sequence[str],
    out: Path,
    scratch: Path,
    *,
    standing: Standing | None = None,
    before_replacing: Callable[[Path], None] = lambda _table: None,
    compiled: Callable[[int], bool] = lambda _mentions: False,
) -> Assembled:
    """Write the graph, the mentions and the rejects into `out`.

    other_rejects: those that belong to no part (`REJECT`). sources: the names that the graph's drugs list beside the
    built-in ones. scratch: an empty directory. standing: the graph and the mentions in `out`, if they are whole: drugs
    that are the same are copied, and where all are, the files stay. before_replacing is called with the new table of
    mentions while the old one stands. `compiled`: whether compiled code may write so many. Each file is replaced in one
    step, after all are written.
    """
    publications = scan_parts(parts)
    merging = merge(publications)
    failpoint("merged")
    mentions = merged_mentions(scan_mentions(parts), merging).pipe(_with_shown_journals, publications, merging)
    index = index_drugs(mentions, lexicon.drugs, sources) if standing else count_drugs(mentions, lexicon.drugs)
    new: Graph | None = None
    written: dict[str, Path] = {}
    found = int(index["len"].sum())
    with ExitStack() as replaced:
        written[REJECTS] = replaced.enter_context(_replacing(out / REJECTS))
        if standing is None or not index.equals(standing.drugs.drop("bytes")):
            written[MENTIONS] = replaced.enter_context(_replacing(out / MENTIONS))
            written[GRAPH] = replaced.enter_context(_replacing(out / GRAPH))
            write = partial(
                write_graph,
                mentions,
                index,
                sources,
                written[GRAPH],
                written[MENTIONS],
                scratch,
                in_runs=found > len(parts) * RUN // 4,
                are_left=not merging.touched.is_empty(),
                compiled=compiled(found),
            )
            new = _write_beside(standing, write) if standing else write()
            before_replacing(written[MENTIONS])
        refused = _write_rejects(parts, other_rejects, written[REJECTS])
        # hashing lets go of the interpreter; flushing waits for the disk, and leaves the cores to it
        with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(pl.thread_pool_size()) as pool:
            flushed = beside.map(sync, written.values())
            known = {GRAPH: new.sha256} if new else {}
            described = pool.map(lambda name: _described(written[name], known.get(name)), written)
            outputs = dict(zip(written, described, strict=True))
            list(flushed)  # raises what went wrong
        failpoint("outputs-written")
    removed = merging.merges.height
    records = publications.select((~pl.col("deleted")).sum()).collect().item()
    counts = {"publications": records - removed, "merged": removed, "mentions": found, "rejects": refused}
    return Assembled(counts, new.drugs if new else None, outputs)


def _write_beside(standing: Standing, write: Callable[..., Graph]) -> Graph:
    """Write the graph, copying from one that stands; all anew where a run that slipped past the lock replaced that."""
    try:
        graph = write(standing=standing)
    except (OSError, pl.exceptions.PolarsError):
        if standing.stands():
            raise
    else:
        if standing.stands():
            return graph
    return write()


def _described(path: Path, sha256: str | None) -> tuple[Output, Fingerprint]:
    status = path.stat()
    return Output(status.st_size, sha256) if sha256 else describe_output(path), fingerprint(status)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    with replacing(path) as temporary:
        yield temporary
    failpoint(f"{path.stem}-replaced")


def merged_mentions(mentions: pl.LazyFrame, merging: Merging) -> pl.LazyFrame:
    """Mentions of records (`MENTION_PART`) -> of merged publications, one row per (drug, publication).

    A publication's title is searched first; its official title counts where that doesn't mention the drug.
    """
    if merging.touched.height:
        untouched = mentions.join(merging.touched.lazy(), on=_KEY, how="anti")
        mentions = pl.concat([untouched, _mentions_of_merged(mentions, merging.merged).lazy()])
    in_official = pl.col("found_in") == "official_title"
    official = mentions.filter(in_official).collect(engine="streaming")
    if official.is_empty():
        return mentions
    in_title = mentions.filter(~in_official)
    same = ["drug", *_KEY]
    return pl.concat([in_title, official.lazy().join(in_title.select(same), on=same, how="anti")])


def _mentions_of_merged(mentions: pl.LazyFrame, merged: pl.DataFrame) -> pl.DataFrame:
    """The mentions in the titles that merged publications have now, with what else those have."""
    shown = [*_FROM_PUBLICATION, *_KEY]
    giving = {"title": _KEY, "official_title": ["official_file", "official_record"]}
    frames = [
        mentions.filter(pl.col("found_in") == found_in)
        .select("drug", "found_in", "spans", at_file="file", at_record="record")
        .join(
            merged.lazy().select(*shown, at_file=giver[0], at_record=giver[1]),
            on=["at_file", "at_record"],
            nulls_equal=False,
        )
        .select(MENTION_PART.names())
        for found_in, giver in giving.items()
    ]
    return pl.concat(frames).collect(engine="streaming")


def _with_shown_journals(mentions: pl.LazyFrame, publications: pl.LazyFrame, merging: Merging) -> pl.LazyFrame:
    """Write each journal in the spelling most frequent among merged publications (ties: the smallest)."""
    respelled = respelled_journals(publications, merging)
    if respelled.is_empty():
        return mentions
    shown = mentions.join(respelled.lazy(), on="journal", how="left")
    return shown.with_columns(journal=pl.coalesce("shown", "journal")).drop("shown")


def respelled_journals(publications: pl.LazyFrame, merging: Merging) -> pl.DataFrame:
    """Spellings of journals that another spelling stands for: `journal`, `shown`."""
    standing = publications.filter(~pl.col("deleted"))
    counts = [_journal_counts(standing), _journal_counts(merging.merged.lazy())]
    if merging.touched.height:
        replaced = standing.join(merging.touched.lazy(), on=_KEY, how="semi")
        counts.append(_journal_counts(replaced).with_columns(-pl.col("count")))
    return (
        pl.concat(counts)
        .group_by("journal")
        .agg(pl.col("count").sum())
        .with_columns(key=journal_key_expr(pl.col("journal")))
        .sort("count", "journal", descending=[True, False])
        .with_columns(shown=pl.col("journal").first().over("key"))
        .filter(pl.col("shown") != pl.col("journal"))
        .select("journal", "shown")
    )


def _journal_counts(publications: pl.LazyFrame) -> pl.DataFrame:
    journals = publications.select("journal").drop_nulls().group_by("journal")
    return journals.agg(count=pl.len().cast(pl.Int64)).collect(engine="streaming")


def _write_rejects(parts: Sequence[Parts], other: pl.DataFrame, path: Path) -> int:
    """Write all rejects, sorted; returns how many."""
    rejects = pl.concat([other.lazy(), *(pl.scan_parquet(part.rejects.path, glob=False) for part in parts)]).select(
        REJECT.names()
    )
    ordered = rejects.sort("file", "record", "line", "reason", "raw", nulls_last=True)
    ordered.sink_parquet(path, compression="zstd", compression_level=1)
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
