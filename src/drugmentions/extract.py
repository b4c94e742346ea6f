"""Step two, extract: one batch -> publications, mentions and rejects, as parts. Pure, idempotent, independent."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec
import polars as pl

from drugmentions.ahead import in_order
from drugmentions.cache import seal
from drugmentions.direct import direct_file
from drugmentions.durable import new_file, replacing
from drugmentions.errors import AccountingError
from drugmentions.failpoints import failpoint
from drugmentions.matching.engine import Matcher
from drugmentions.matching.lexicon import Lexicon, build_lexicon
from drugmentions.matching.rules import PLAIN, Rules
from drugmentions.model import (
    MENTION_PART,
    PUBLICATION,
    RAW_LIMIT,
    REJECT,
    Batch,
    FileCounts,
    Part,
    Parts,
    SourceFile,
)
from drugmentions.sorted_runs import COMPRESSION, sink_beside, sink_runs
from drugmentions.sources.columns import DRUG_FIELDS, PUBLICATION_FIELDS
from drugmentions.sources.conform import CONFORMED, conform
from drugmentions.sources.endless import has_endless_lines
from drugmentions.sources.reading import Reading, open_fast, read_slow
from drugmentions.sources.spool import UNTITLED
from drugmentions.sources.streams import CANNOT_BE_READ

FAST_FROM: Final = 1 << 20
"""Bytes from which the fast reader pays: it costs some milliseconds to open, the slow one a microsecond per record."""
_SEARCHES: Final = 4
"""Batches of publications that are searched at a time, at most: each takes some 40 MB."""
TITLE_BYTES: Final = 250
"""What a publication takes in a file, roughly: it steers when the matching engine starts, nothing else."""
ROW_GROUP: Final = 50_000
"""Publications that are written, and later searched, at a time: memory goes with it."""

_BLANK: Final = pl.col("blank")
SEARCHED: Final = ("title", "official_title")
"""The columns of publications that are searched, if they are there."""
_OF_MENTIONS: Final = [name for name in MENTION_PART if name in PUBLICATION]
"""The columns of publications that mentions have, too."""
_Tap = Callable[[pl.DataFrame], None]
"""What takes publications (`CONFORMED`) as they pass."""
_Searching = Callable[[], AbstractContextManager[_Tap]]


def extract(
    batch: Batch,
    matcher: Matcher,
    parts: Path,
    scratch: Path,
    *,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Parts:
    """Read a batch's files, find their mentions, and leave three Parquet files under `parts`.

    `scratch` is an empty directory that the caller removes; `on_rows` is told how many more publications were searched,
    from any thread. Raises AccountingError where records read and records kept don't add up, OSError where parts can't
    be written. Doing it again gives the same rows.
    """
    publications, rejects = part_path(parts, batch.name, "publications"), part_path(parts, batch.name, "rejects")

    @contextmanager
    def searching() -> Iterator[_Tap]:
        mentions = part_path(parts, batch.name, "mentions", matcher.digest)  # while the engine starts
        matcher.wait()  # no thread of Polars' is to wait for what others of them make
        with replacing(mentions, durable=False) as mentions_part, sink_beside(MENTION_PART, mentions_part) as put:
            yield lambda rows: put(_found_in(rows, matcher, on_rows))

    matcher.expect(sum(file.fingerprint.size for file in batch.files) // TITLE_BYTES)
    with (
        replacing(publications, durable=False) as publications_part,
        replacing(rejects, durable=False) as rejects_part,
    ):
        counts, checksum = write_publications(
            batch.files, publications_part, rejects_part, scratch, compiled=matcher.can_compile, searching=searching
        )
    failpoint("part-written")
    marked = _with_unread_marked(batch, rejects)
    with ThreadPoolExecutor() as beside:  # flushing and hashing leave the cores to the search
        sealed = [beside.submit(seal, publications, checksum), beside.submit(seal, rejects)]
        if checksum:
            mentions = seal(part_path(parts, batch.name, "mentions", matcher.digest))
        else:
            mentions = _matched_part(publications, batch.name, counts, matcher, parts, on_rows)
    return Parts(marked, tuple(counts), sealed[0].result(), sealed[1].result(), mentions, matcher.digest)


def _with_unread_marked(batch: Batch, rejects: Path) -> Batch:
    """The batch, of which queries, and files that the system couldn't read through, are read again another time."""
    failed = pl.col("reason").str.starts_with(CANNOT_BE_READ)
    unread = set(pl.scan_parquet(rejects, glob=False).filter(failed).collect()["file"])
    files = tuple(file.unstable() if file.query or file.file in unread else file for file in batch.files)
    return msgspec.structs.replace(batch, files=files)


def match(
    parts: Parts,
    matcher: Matcher,
    directory: Path,
    *,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Parts:
    """Find the mentions of a batch's publications, and leave them as a Parquet file under `directory`."""
    publications = Path(parts.publications.path)
    mentions = _matched_part(publications, parts.batch.name, parts.counts, matcher, directory, on_rows)
    return msgspec.structs.replace(parts, mentions=mentions, matched=matcher.digest)


def _matched_part(
    publications: Path,
    batch: str,
    counts: Iterable[FileCounts],
    matcher: Matcher,
    directory: Path,
    on_rows: Callable[[int], None],
) -> Part:
    mentions = part_path(directory, batch, "mentions", matcher.digest)
    matcher.expect(sum(count.publications for count in counts))
    with replacing(mentions, durable=False) as mentions_part:
        write_mentions(publications, matcher, mentions_part, on_rows=on_rows)
    return seal(mentions)


def part_path(directory: Path, batch: str, kind: str, matched: str = "") -> Path:
    """Where a part lies, by what made it."""
    return directory / (f"{batch}-{matched}.{kind}.parquet" if matched else f"{batch}.{kind}.parquet")


def write_publications(
    files: tuple[SourceFile, ...],
    publications: Path,
    rejects: Path,
    scratch: Path,
    *,
    compiled: Callable[[], bool] = lambda: False,
    searching: _Searching | None = None,
) -> tuple[list[FileCounts], str]:
    """Read files of one source: publications (`CONFORMED`) and rejects (`REJECT`) as Parquet; counts by file.

    `compiled`: whether numba may help to read; it is asked where there is a file for which that pays. `searching`: is
    entered where publications can be searched as they are written, and left when all were, or the files are to be read
    in another way; it takes them some at a time, from any thread. Returns also the checksum of the publications if they
    were searched, else "".
    """
    readings = list(_read(files, PUBLICATION_FIELDS, scratch, compiled))
    try:
        checksum = _sink_publications(readings, files, publications, searching)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        # the fast reader refuses what isn't clean, at times only when it gets there
        readings = [read_slow(files, PUBLICATION_FIELDS, _fresh(scratch, "again"))]
        checksum = _sink_publications(readings, files, publications)
    read = dict(ChainMap(*(reading.read for reading in readings)))
    kept = _kept_by_file(pl.scan_parquet(publications, glob=False), files)
    untitled = _untitled(readings if kept["publications"].sum() < sum(read.values()) else [], scratch)
    refused = pl.concat([*(reading.rejects for reading in readings), untitled.filter(~_BLANK).pipe(_as_rejects)])
    sink_part(refused.sort("file", "record", "line"), rejects)
    refused_by_file, blanks_by_file = _by_file(pl.scan_parquet(rejects, glob=False)), _by_file(untitled.filter(_BLANK))
    return _account(files, read, kept, refused_by_file, blanks_by_file), checksum


def write_mentions(publications: Path, matcher: Matcher, mentions: Path, *, on_rows: Callable[[int], None]) -> None:
    """Find the mentions of a part's publications: one row per (drug, publication, title it was found in)."""
    sink_runs(search(scan_titles(publications), matcher, on_rows=on_rows), MENTION_PART, mentions)


def scan_titles(publications: Path) -> pl.LazyFrame:
    """What there is to search in a part; no official titles where none has one."""
    rows = pl.scan_parquet(publications, glob=False)
    official = rows.select(pl.col("official_title").is_not_null().any()).collect().item()
    return rows if official else rows.drop("official_title")


def search(publications: pl.LazyFrame, matcher: Matcher, *, on_rows: Callable[[int], None]) -> Iterator[pl.DataFrame]:
    """The mentions in `title` and, where there is such a column, `official_title` of publications: `MENTION_PART`.

    Batches are pulled as they are needed, and deletions left out then: were matching a step of a plan over a part, or
    the filter one of its scan, some hundred megabytes of rows would wait before it.
    """
    columns = [name for name in SEARCHED if name in publications.collect_schema()]
    wanted = dict.fromkeys([*_OF_MENTIONS, *columns, "deleted"])
    batches = publications.select(*wanted).collect_batches(engine="streaming")
    found = partial(_found_in, matcher=matcher, on_rows=on_rows)
    return in_order(found, batches, most=min(pl.thread_pool_size() + 1, _SEARCHES))


def _found_in(publications: pl.DataFrame, matcher: Matcher, on_rows: Callable[[int], None]) -> pl.DataFrame:
    """What is found in some publications that are no deletions: `MENTION_PART`."""
    if publications["deleted"].any():
        publications = publications.filter(~pl.col("deleted"))
    on_rows(publications.height)
    found = [MENTION_PART.to_frame()]
    for column in SEARCHED:
        if column in publications.columns and publications[column].null_count() < publications.height:
            mentions = matcher.match(publications.select(*dict.fromkeys([*_OF_MENTIONS, column])), column)
            found.append(
                mentions.select(
                    pl.lit(column).alias("found_in") if name == "found_in" else name for name in MENTION_PART
                )
            )
    return pl.concat(found)


def read_drug_lists(
    files: Iterable[SourceFile], scratch: Path, rules: Rules = PLAIN
) -> tuple[Lexicon, pl.DataFrame, list[FileCounts]]:
    """Read drug lists and merge them: lexicon, rejects (`REJECT`), counts by file (entries as `publications`)."""
    lists = tuple(files)
    try:
        read, records, untitled, refused = _collected(list(_read(lists, DRUG_FIELDS, scratch)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        read, records, untitled, refused = _collected([read_slow(lists, DRUG_FIELDS, _fresh(scratch, "again"))])
    entries = records.join(untitled, on=["file", "record"], how="anti")
    nameless = untitled.lazy().filter(~_BLANK).pipe(_as_rejects, "no drug name")
    rejects = pl.concat([refused, nameless.collect()])
    kept = entries.group_by("file").agg(publications=pl.len(), deletions=pl.lit(0), unread_dates=pl.lit(0))
    blanks = untitled.lazy().filter(_BLANK)
    counts = _account(lists, read, kept, _by_file(rejects.lazy()), _by_file(blanks))
    return build_lexicon(entries.select(DRUG_FIELDS), rules), rejects, counts


def _collected(readings: Sequence[Reading]) -> tuple[dict[str, int], pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """How many records were read by file; the records, those without a title, and the rejects."""
    records, untitled, rejects = (
        pl.concat(getattr(reading, name) for reading in readings).collect()
        for name in ("records", "untitled", "rejects")
    )
    return dict(ChainMap(*(reading.read for reading in readings))), records, untitled, rejects


def _read(
    files: tuple[SourceFile, ...],
    fields: tuple[str, ...],
    scratch: Path,
    compiled: Callable[[], bool] = lambda: False,
) -> Iterator[Reading]:
    """Read large files by the fast reader where it has a way, all the others together by the slow one."""
    slow = []
    for file in files:
        fast = file.fingerprint.size >= FAST_FROM and not has_endless_lines(file)
        reading = open_fast(file, fields, compiled=compiled) if fast else None
        if reading is None:
            slow.append(file)
        else:
            yield reading
    if slow or not files:
        yield read_slow(slow, fields, _fresh(scratch, "spool"))


def _fresh(scratch: Path, name: str) -> Path:
    path = scratch / name
    path.mkdir()
    return path


def _sink_publications(
    readings: list[Reading], files: tuple[SourceFile, ...], path: Path, searching: _Searching | None = None
) -> str:
    """Write publications; returns their checksum, or "", as others have to read them all again to search them."""
    rows = pl.concat(conform(reading.records, files, reading.clean) for reading in readings)
    if searching is None or not all(reading.is_paced for reading in readings):
        sink_part(rows, path)
        return ""
    with searching() as tap, direct_file(path) as file:

        def searched(batch: pl.DataFrame) -> pl.DataFrame:
            tap(batch)
            return batch

        sink_part_into(rows.map_batches(searched, schema=CONFORMED, streamable=True), cast("BinaryIO", file))
        return file.finish()


def sink_part(rows: pl.LazyFrame, path: Path) -> None:
    """Write rows such that they can be read again some at a time."""
    with new_file(path) as file:
        sink_part_into(rows, file)


def sink_part_into(rows: pl.LazyFrame, file: BinaryIO) -> None:
    """The same, to a file that is open."""
    rows.sink_parquet(
        file,
        compression=COMPRESSION,
        statistics=False,
        row_group_size=ROW_GROUP,
        arrow_schema=rows.collect_schema(),  # without it texts are copied once more
    )


def _untitled(readings: list[Reading], scratch: Path) -> pl.LazyFrame:
    """Records that have no title: `file, record, line, raw, blank`; found in one pass, and laid down in `scratch`."""
    if not readings:
        return pl.LazyFrame(schema=UNTITLED)
    path = scratch / "untitled.parquet"
    sink_part(pl.concat([reading.untitled for reading in readings]), path)
    return pl.scan_parquet(path, glob=False)


def _as_rejects(untitled: pl.LazyFrame, reason: str = "no title") -> pl.LazyFrame:
    return untitled.with_columns(reason=pl.lit(reason), raw=pl.col("raw").str.head(RAW_LIMIT)).select(REJECT.names())


# Accounting.


def _account(
    files: Iterable[SourceFile], read: dict[str, int], kept: pl.DataFrame, rejects: pl.DataFrame, blanks: pl.DataFrame
) -> list[FileCounts]:
    """Count by file, and see that nothing was lost.

    kept: `file, publications, deletions, unread_dates`. rejects and blanks: `file, len`.
    """
    order = pl.DataFrame({"file": [file.file for file in files]}, schema={"file": pl.String})
    counts = (
        order.with_columns(read=pl.col("file").replace_strict(read, default=0, return_dtype=pl.Int64))
        .join(kept, on="file", how="left", maintain_order="left")
        .join(rejects.rename({"len": "rejects"}), on="file", how="left", maintain_order="left")
        .join(blanks.rename({"len": "blanks"}), on="file", how="left", maintain_order="left")
        .fill_null(0)
    )
    accounted = pl.sum_horizontal("publications", "deletions", "rejects", "blanks")
    lost = counts.filter(pl.col("read") != accounted)
    if lost.height:
        raise AccountingError(f"records read and kept differ: {lost.row(0, named=True)}")
    return [FileCounts(**row) for row in counts.to_dicts()]


def _by_file(rows: pl.LazyFrame) -> pl.DataFrame:
    return rows.group_by("file").len().collect(engine="streaming")


def _kept_by_file(publications: pl.LazyFrame, files: Sequence[SourceFile]) -> pl.DataFrame:
    deleted = pl.col("deleted")
    counts = {
        "publications": (~deleted).sum(),
        "deletions": deleted.sum(),
        "unread_dates": pl.col("unread_date").count(),
    }
    if len(files) == 1:  # whose name needn't be read with each row
        return publications.select(file=pl.lit(files[0].file), **counts).collect(engine="streaming")
    return publications.group_by("file").agg(**counts).collect(engine="streaming")
