"""Merged mentions -> graph.json and mentions.parquet; drugs that are the same in a standing graph are copied.

Python joins and writes whole buckets of drugs.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final, NamedTuple, cast

import polars as pl
from polars.io.plugins import register_io_source

from drugmentions.ahead import in_order
from drugmentions.direct import direct_file
from drugmentions.durable import current_fingerprint
from drugmentions.graph import encoding
from drugmentions.graph.form import BETWEEN, HEAD, TAIL
from drugmentions.model import MENTION, Fingerprint
from drugmentions.sorted_runs import collect_picked, of_drugs, sink_runs

BUCKET: Final = 160_000
"""Mentions that are sorted at a time, if no drug has more: some 200 MB. A drug's mentions are never parted.

Of each run as many are read as its groups hold, so that smaller buckets read more of them twice. Where some are copied,
which takes room for the stretch that they stand in, buckets have half as many.
"""
FEW: Final = 4
"""So many buckets at most are filtered out of mentions that aren't in long runs sorted by drug."""
_ROW_GROUP: Final = 50_000
"""Mentions of the table that are held until they are written."""


class Standing(NamedTuple):
    """A graph that was written before: its files, what they were then, and its drugs as `Graph` has them."""

    graph: Path
    table: Path
    fingerprints: tuple[Fingerprint, Fingerprint]
    drugs: pl.DataFrame

    def stands(self) -> bool:
        """Whether the files are what they were: where not, what was copied from them is worth nothing."""
        return (current_fingerprint(self.graph), current_fingerprint(self.table)) == self.fingerprints


class Graph(NamedTuple):
    """What was written. drugs: their index, with the `bytes` of the lines; sha256: of the JSON."""

    drugs: pl.DataFrame
    sha256: str


class _Bucket(NamedTuple):
    """Neighbouring drugs: those that are encoded anew, with their mentions, and those whose lines are copied.

    Both frames have `place`, the drug's among all; `copied` has what `Standing.drugs` says of it, too.
    """

    anew: pl.DataFrame
    copied: pl.DataFrame
    mentions: pl.LazyFrame


class _Written(NamedTuple):
    """What a bucket gives: rows of the table, and its lines, or what writes them and returns their sizes."""

    table: pl.DataFrame
    lines: pl.Series | Callable[[BinaryIO], pl.Series]


def index_drugs(mentions: pl.LazyFrame, drugs: pl.DataFrame, sources: Sequence[str]) -> pl.DataFrame:
    """One row per drug, by name, with `len`, its mentions, and `one, two`, hashes of all that its line is made of.

    Arguments as for `write_graph`. Hashes are those of this version of Polars; where they are the same, so is the line.
    """
    return _indexed(drugs, _hashed(mentions).collect(engine="streaming"), sources)


def count_drugs(mentions: pl.LazyFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """One row per drug, by name, with `len`, its mentions: of those, no more is read than which drugs they name."""
    counted = mentions.group_by("drug").len().collect(engine="streaming")
    joined = drugs.join(counted, on="drug", how="left", maintain_order="left")
    return joined.select("drug", "atccode", "atccodes", pl.col("len").fill_null(0))


def _hashed(mentions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per drug that is mentioned: `drug, len`, and `one, two`, hashes of its mentions in any order."""
    columns = enumerate(name for name in MENTION if name != "atccode")
    row = pl.sum_horizontal(pl.col(name).hash(place) for place, name in columns)  # half the time of hashing a struct
    return (
        mentions.select("drug", row=row)
        .group_by("drug")
        .agg(pl.len(), one=pl.col("row").hash(1).sum(), two=pl.col("row").hash(2).sum())
    )


def _indexed(drugs: pl.DataFrame, hashed: pl.DataFrame, sources: Sequence[str]) -> pl.DataFrame:
    """What `index_drugs` gives, of drugs and the `_hashed` of their mentions."""
    all_of_it = pl.struct("drug", "atccode", "atccodes", "len", "one", "two", sources=pl.lit(repr(sorted(sources))))
    return (
        drugs.select("drug", "atccode", "atccodes")
        .join(hashed, on="drug", how="left", maintain_order="left")
        .with_columns(pl.col("len", "one", "two").fill_null(0))
        .with_columns(one=all_of_it.hash(1), two=all_of_it.hash(2))
        .select("drug", "atccode", "atccodes", "len", "one", "two")
    )


def write_graph(
    mentions: pl.LazyFrame,
    drugs: pl.DataFrame,
    sources: Sequence[str],
    graph: Path,
    table: Path,
    scratch: Path,
    *,
    standing: Standing | None = None,
    in_runs: bool = False,
    are_left: bool = True,
    compiled: bool = False,
) -> Graph:
    """Write merged mentions to `graph` (JSON) and `table` (Parquet).

    mentions: `MENTION` without `atccode`, and `file, record`, in any order. drugs: `index_drugs` of the same mentions,
    or, where nothing stands, `count_drugs`. sources: those that every drug's object names. scratch: an empty directory.
    standing: another graph; drugs that are the same there are copied. in_runs: whether the mentions come from long
    `sorted_runs`. are_left: whether a join may leave few of those that are read. compiled: whether compiled code
    encodes lines, if it can here. The JSON is the same to the byte, the table in rows and order, whatever order the
    mentions come in, and whatever is copied or compiled.
    """
    placed = _with_buckets(_with_standing(drugs, standing), BUCKET // 2 if standing else BUCKET)
    if not in_runs and placed["bucket"].n_unique() > FEW:
        mentions = _in_runs(mentions, placed, scratch / "runs.parquet")
        are_left = False
    buckets = _by_bucket(mentions, placed)
    lengths = [pl.Series("bytes", dtype=pl.Int64)]
    hashed = [_hashed(mentions.clear()).collect()]
    digest = ""
    encode_anew = partial(
        _encoded_anew,
        sources=sources,
        hashed=hashed,
        are_left=are_left,
        compiled_lines=_compiled_lines() if compiled else None,
    )

    def encode(bucket: _Bucket) -> _Written:
        if standing is None or bucket.copied.is_empty():
            return encode_anew(bucket)
        copied = _copied(bucket.copied, standing)
        return _combined(bucket, encode_anew(bucket), copied) if bucket.anew.height else copied

    def write_lines_and_yield_tables(*_pushed_down: object) -> Iterator[pl.DataFrame]:
        nonlocal digest
        with direct_file(graph, sha256) as direct:
            file = cast("BinaryIO", direct)
            file.write(HEAD)
            between = b""
            for written in in_order(encode, buckets, most=2, weigh=_mentions_of, limit=3 * BUCKET):
                file.write(between)
                lengths.append(_write_lines(written.lines, file))
                between = BETWEEN
                table = written.table
                del written  # or what its lines hold waits here until the table is taken
                yield table
                del table  # or it waits here while the next is made
            file.write(TAIL)
            digest = direct.finish()

    tables = register_io_source(write_lines_and_yield_tables, schema=MENTION)
    tables.sink_parquet(table, compression="lz4", row_group_size=_ROW_GROUP)
    index = drugs if standing else _indexed(drugs, pl.concat(hashed), sources)
    return Graph(index.with_columns(pl.concat(lengths)), digest)


def _compiled_lines() -> ModuleType | None:
    """What encodes lines by compiled code, if that works here."""
    try:
        from drugmentions.graph import compiled_lines  # noqa: PLC0415  # of an extra
    except Exception:  # noqa: BLE001  # whatever it is, Polars encodes the same
        return None
    return compiled_lines if compiled_lines.can_encode() else None


def _mentions_of(bucket: _Bucket) -> int:
    return int(bucket.anew["len"].sum()) + int(bucket.copied["len"].sum())


def _encoded_anew(
    bucket: _Bucket,
    sources: Sequence[str],
    hashed: list[pl.DataFrame],
    compiled_lines: ModuleType | None,
    *,
    are_left: bool,
) -> _Written:
    """The lines and rows of drugs whose mentions are sorted and encoded now, and `_hashed` on the way."""
    drugs = bucket.anew
    mentions = collect_picked(bucket.mentions, are_left=are_left)
    names = pl.concat_str("drug", pl.lit(""))  # copied, or they hold on to all names that were read with them
    hashed.append(_hashed(mentions.lazy()).collect().with_columns(names))
    ordered = encoding.ordered_mentions(mentions, drugs)
    del mentions  # or they wait here until their lines are made
    table, lines = encoding.as_table(ordered, drugs), None
    if compiled_lines and ordered.height:
        lines = compiled_lines.line_writer(ordered, drugs, sources)
    elif bucket.copied.is_empty() and drugs.height == 1 and ordered.height > encoding.PIECE:
        lines = partial(encoding.write_pieces, ordered, drugs, sources)
    if lines and bucket.copied.height:  # which are to stand between these
        text = BytesIO()
        lines(text)
        return _Written(table, _lines_of(text.getvalue()))
    return _Written(table, lines or encoding.drug_lines(ordered, drugs, sources))


def _copied(drugs: pl.DataFrame, standing: Standing) -> _Written:
    """The lines and rows of drugs as they stand, out of the stretch of the files from the first to the last of them."""
    start, end, first, last, line = drugs.select(
        pl.col("offset").min(),
        end=(pl.col("offset") + pl.col("bytes")).max(),
        first=pl.col("row").min(),
        last=(pl.col("row") + pl.col("len")).max(),
        line=pl.col("line").min(),
    ).row(0)
    with standing.graph.open("rb") as file:
        file.seek(start)
        lines = _lines_of(file.read(end - start))
    stretch_rows = pl.scan_parquet(standing.table, glob=False).slice(first, last - first)
    rows = of_drugs(stretch_rows, drugs["drug"], whole_range=False)
    return _Written(collect_picked(rows, are_left=True), lines.gather(drugs["line"] - line))


def _lines_of(text: bytes) -> pl.Series:
    """Lines, of a text in which BETWEEN stands between two."""
    return pl.Series([text], dtype=pl.Binary).cast(pl.String).str.split(BETWEEN.decode()).explode()


def _combined(bucket: _Bucket, anew: _Written, copied: _Written) -> _Written:
    """What is encoded anew and what is copied, in the order of the drugs."""
    drugs = pl.concat([bucket.anew, bucket.copied])
    if callable(anew.lines) or callable(copied.lines):
        raise TypeError("lines that are to be written in another order")
    order = drugs["place"].arg_sort()
    by_name = pl.col("drug").cast(pl.Enum(drugs["drug"].gather(order)))
    table = pl.concat([anew.table, copied.table]).sort(by_name, maintain_order=True)
    return _Written(table, pl.concat([anew.lines, copied.lines]).gather(order))


def _with_standing(drugs: pl.DataFrame, standing: Standing | None) -> pl.DataFrame:
    """Add to the drugs `place`, and where each stands, if unchanged: `line, offset, bytes, row`, else null."""
    placed = drugs.with_row_index("place")
    if standing is None:
        return placed.with_columns(pl.lit(None, pl.Int64).alias(name) for name in ("line", "offset", "bytes", "row"))
    length, count = pl.col("bytes"), pl.col("len").cast(pl.Int64)
    stands = standing.drugs.select(
        "drug",
        "one",
        "two",
        "bytes",
        line=pl.int_range(pl.len()),
        offset=len(HEAD) + (length + len(BETWEEN)).cum_sum() - length - len(BETWEEN),
        row=count.cum_sum() - count,
    )
    return placed.join(stands, on=["drug", "one", "two"], how="left", maintain_order="left")


def _write_lines(lines: pl.Series | Callable[[BinaryIO], pl.Series], file: BinaryIO) -> pl.Series:
    """Write lines as they are, with what goes between two of them; returns the bytes of each."""
    if callable(lines):
        sizes = lines(file)
    else:
        for some, end in ((lines.head(-1), BETWEEN.decode()), (lines.tail(1), "")):
            some.to_frame().write_csv(file, include_header=False, quote_style="never", line_terminator=end)
        sizes = lines.str.len_bytes()
    return sizes.cast(pl.Int64).alias("bytes")


def _with_buckets(drugs: pl.DataFrame, most: int) -> pl.DataFrame:
    """Add to the drugs, by name, `bucket`: neighbours of some `most` mentions together."""
    own = pl.col("len")
    middle = own.cum_sum() - own // 2
    large = pl.when(own >= most).then("drug")  # each has a bucket for itself
    return drugs.with_columns(bucket=pl.struct(middle // most, large).rle_id())


def _in_runs(mentions: pl.LazyFrame, drugs: pl.DataFrame, path: Path) -> pl.LazyFrame:
    """The mentions of drugs that are encoded anew, laid down in sorted runs.

    (Parting them into files of buckets by PartitionBy holds nearly all of them in memory: 2.4 GB of 10 million.)
    """
    anew = drugs.filter(pl.col("line").is_null())["drug"]
    wanted = of_drugs(mentions, anew, whole_range=len(anew) == drugs.height)
    sink_runs(wanted.collect_batches(engine="streaming"), wanted.collect_schema(), path)
    return pl.scan_parquet(path, glob=False)


def _by_bucket(mentions: pl.LazyFrame, drugs: pl.DataFrame) -> Iterator[_Bucket]:
    """Part drugs by bucket, and filter out the mentions of those that are encoded anew."""
    stands = pl.col("line").is_not_null()
    for bucket in drugs.partition_by("bucket", maintain_order=True):
        anew, copied = bucket.filter(~stands), bucket.filter(stands)
        yield _Bucket(anew, copied, of_drugs(mentions, anew["drug"], whole_range=copied.is_empty()))
