"""Mentions -> graph.json and mentions.parquet, a bucket of drugs at a time, and back.

Every object is encoded by Polars, in orjson's compact form; Python joins and writes whole buckets.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

import orjson
import polars as pl
from polars.io.plugins import register_io_source

from drugmentions.durable import current_fingerprint
from drugmentions.errors import OutputError
from drugmentions.model import MENTION, Fingerprint

SCHEMA: Final = "drugmentions/graph/1"
BUILT_IN_SOURCES: Final = ("clinical_trials", "pubmed")
BUCKET: Final = 150_000
"""Mentions that are sorted at a time, if no drug has more: some 200 MB. A drug's mentions are never parted."""
_GROUP: Final = 8
"""Buckets that are filtered out of one file."""
_PIECE: Final = 50_000
"""Mentions of one drug that are encoded at a time, where it has a bucket for itself."""

_ORDER: Final = (
    "drug",
    "source",
    "date",
    "id",
    "title",
    "journal",
    "journal_kind",
    "retracted",
    "found_in",
    "_spans",
)
"""What equal mentions have in common: rows that tie are the same, wherever their records stand."""
_SHOWN: Final = ("id", "title", "journal", "date")
_MOSTLY_UNIQUE: Final = _ORDER[:4]
_T = TypeVar("_T")
_HEAD: Final = f'{{"schema":"{SCHEMA}","drugs":[\n'.encode()
_TAIL: Final = b"]}\n"
_BETWEEN: Final = b",\n"


class Graph(NamedTuple):
    """A graph that was read back.

    drugs: one row per drug, by name: `drug`, `atccode`, `atccodes`.
    mentions: one row per (drug, publication): `drug, source, id, title, journal, journal_kind, date, retracted`.
    """

    drugs: pl.DataFrame
    mentions: pl.LazyFrame


GRAPH_MENTION: Final = pl.Schema(
    {name: MENTION[name] for name in ("drug", "source", "id", "title", "journal", "journal_kind", "date", "retracted")}
)


# Writing.


class Standing(NamedTuple):
    """A graph that was written before: its files, what they were then, and its drugs as `write_graph` returned them."""

    graph: Path
    table: Path
    fingerprints: tuple[Fingerprint, Fingerprint]
    drugs: pl.DataFrame

    def stands(self) -> bool:
        """Whether the files are what they were: where not, what was copied from them is worth nothing."""
        return (current_fingerprint(self.graph), current_fingerprint(self.table)) == self.fingerprints


class _Bucket(NamedTuple):
    """Neighbouring drugs: those that are encoded anew, with their mentions, and those whose lines are copied.

    Both frames have `place`, the drug's among all; `copied` has what `Standing.drugs` says of it, too.
    """

    anew: pl.DataFrame
    copied: pl.DataFrame
    mentions: pl.LazyFrame


class _Written(NamedTuple):
    """What a bucket gives: rows of the table, and its lines, or what writes the only one, where that is long."""

    table: pl.DataFrame
    lines: pl.Series | Callable[[BinaryIO], None]


def index_drugs(mentions: pl.LazyFrame, drugs: pl.DataFrame, sources: Sequence[str]) -> pl.DataFrame:
    """One row per drug, by name, with `len`, its mentions, and `one, two`, hashes of all that its line is made of.

    Arguments as for `write_graph`. Hashes are those of this version of Polars; where they are the same, so is the line.
    """
    row = pl.struct(name for name in MENTION if name != "atccode")
    of_mentions = mentions.group_by("drug").agg(pl.len(), one=row.hash(1).sum(), two=row.hash(2).sum())
    counted = of_mentions.collect(engine="streaming")
    all_of_it = pl.struct("drug", "atccode", "atccodes", "len", "one", "two", sources=pl.lit(repr(sorted(sources))))
    return (
        drugs.join(counted, on="drug", how="left", maintain_order="left")
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
) -> pl.DataFrame:
    """Write merged mentions to `graph` (JSON) and `table` (Parquet); returns `drugs` with the `bytes` of their lines.

    mentions: `MENTION` without `atccode`, and `file, record`, in any order. drugs: `index_drugs` of the same mentions.
    sources: those that every drug's object names. scratch: an empty directory. standing: another graph; drugs that are
    the same there are copied. The JSON is the same to the byte, the table in rows and order, whatever order the
    mentions come in, and whatever is copied.
    """
    buckets = _by_bucket(mentions, _with_buckets(_with_standing(drugs, standing)), scratch)
    lengths = [pl.Series("bytes", dtype=pl.Int64)]

    def encode(bucket: _Bucket) -> _Written:
        if standing is None or bucket.copied.is_empty():
            return _encoded_anew(bucket, sources)
        copied = _copied(bucket.copied, standing)
        return _combined(bucket, _encoded_anew(bucket, sources), copied) if bucket.anew.height else copied

    def write_lines_and_yield_tables(*_pushed_down: object) -> Iterator[pl.DataFrame]:
        with graph.open("wb") as file:
            file.write(_HEAD)
            between = b""
            for written in _few_at_a_time(encode, buckets):
                file.write(between)
                lengths.append(_write_lines(written.lines, file))
                between = _BETWEEN
                yield written.table
                del written  # or what it holds waits here while the next is made
            file.write(_TAIL)

    tables = register_io_source(write_lines_and_yield_tables, schema=MENTION)
    tables.sink_parquet(table, compression="lz4")
    return drugs.with_columns(pl.concat(lengths))


def _encoded_anew(bucket: _Bucket, sources: Sequence[str]) -> _Written:
    """The lines and rows of drugs whose mentions are sorted and encoded now."""
    drugs = bucket.anew
    ordered = bucket.mentions.collect(engine="streaming").pipe(_ordered, drugs)
    if drugs.height == 1 and bucket.copied.is_empty() and ordered.height > _PIECE:
        return _Written(_as_table(ordered, drugs), partial(_write_pieces, ordered, drugs, sources))
    return _Written(_as_table(ordered, drugs), _drug_lines(ordered, drugs, sources))


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
        stretch = pl.Series([file.read(end - start)], dtype=pl.Binary).cast(pl.String)
    lines = stretch.str.split(_BETWEEN.decode()).explode()
    rows = pl.scan_parquet(standing.table, glob=False).slice(first, last - first).pipe(_of_drugs, drugs)
    return _Written(rows.collect(engine="streaming"), lines.gather(drugs["line"] - line))


def _combined(bucket: _Bucket, anew: _Written, copied: _Written) -> _Written:
    """What is encoded anew and what is copied, in the order of the drugs."""
    drugs = pl.concat([bucket.anew, bucket.copied])
    if callable(anew.lines) or callable(copied.lines):
        raise TypeError("a drug of many mentions has a bucket for itself")
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
        offset=len(_HEAD) + (length + len(_BETWEEN)).cum_sum() - length - len(_BETWEEN),
        row=count.cum_sum() - count,
    )
    return placed.join(stands, on=["drug", "one", "two"], how="left", maintain_order="left")


def _few_at_a_time(work: Callable[[_Bucket], _T], buckets: Iterable[_Bucket]) -> Iterator[_T]:
    """Results of `work` in the order of the buckets; two are made at a time, but of large buckets one."""
    with ThreadPoolExecutor(2) as pool:
        pending: deque[tuple[Future[_T], int]] = deque()
        for bucket in buckets:
            size = int(bucket.anew["len"].sum()) + int(bucket.copied["len"].sum())
            while pending and (len(pending) == 2 or size + sum(held for _, held in pending) > 3 * BUCKET):
                yield pending.popleft()[0].result()
            pending.append((pool.submit(work, bucket), size))
        while pending:
            yield pending.popleft()[0].result()


def _as_table(ordered: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Sorted mentions as `MENTION`."""
    codes = drugs.select(pl.col("drug").cast(ordered.schema["drug"]), "atccode")
    coded = ordered.join(codes, on="drug", how="left", maintain_order="left")
    return coded.select(pl.col(name).cast(dtype) for name, dtype in MENTION.items())


def _write_lines(lines: pl.Series | Callable[[BinaryIO], None], file: BinaryIO) -> pl.Series:
    """Write lines as they are, with what goes between two of them; returns the bytes of each."""
    if callable(lines):
        at = file.tell()
        lines(file)
        return pl.Series("bytes", [file.tell() - at], dtype=pl.Int64)
    for some, end in ((lines.head(-1), _BETWEEN.decode()), (lines.tail(1), "")):
        some.to_frame().write_csv(file, include_header=False, quote_style="never", line_terminator=end)
    return lines.str.len_bytes().cast(pl.Int64).alias("bytes")


def _ordered(mentions: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Sort mentions by `_ORDER`, nulls last. `drug`, `source`, `date` and `journal` become Enums: small to sort by."""
    few = {name: pl.Enum(mentions[name].drop_nulls().unique().sort()) for name in ("source", "date", "journal")}
    few["drug"] = pl.Enum(drugs["drug"])
    small = mentions.with_columns(pl.col(name).cast(dtype) for name, dtype in few.items())
    ordered = small.sort(_MOSTLY_UNIQUE, nulls_last=True)
    tied = pl.struct(_MOSTLY_UNIQUE)
    if ordered.select((tied == tied.shift()).any()).item():
        spans = pl.col("spans").list.eval(pl.element().struct.json_encode()).list.join(",")
        return small.with_columns(_spans=spans).sort(_ORDER, nulls_last=True).drop("_spans")
    return ordered


def _with_buckets(drugs: pl.DataFrame) -> pl.DataFrame:
    """Add to the drugs, by name, `bucket`: neighbours of some `BUCKET` mentions together."""
    own = pl.col("len")
    middle = own.cum_sum() - own // 2
    large = pl.when(own >= BUCKET).then("drug")  # each has a bucket for itself
    return drugs.with_columns(bucket=pl.struct(middle // BUCKET, large).rle_id())


def _by_bucket(mentions: pl.LazyFrame, drugs: pl.DataFrame, scratch: Path) -> Iterator[_Bucket]:
    """Part drugs, and the mentions of those that are encoded anew, by bucket.

    Each bucket is filtered out of the mentions; where there are many, out of a file for its group of buckets. (Parting
    all at once by PartitionBy is as fast, and holds nearly all of them in memory: 2.4 GB of 10 million.)
    """
    stands = pl.col("line").is_not_null()
    buckets = [
        (some.filter(~stands), some.filter(stands)) for some in drugs.partition_by("bucket", maintain_order=True)
    ]
    groups = [buckets[first : first + _GROUP] for first in range(0, len(buckets), _GROUP)]
    for number, group in enumerate(groups):
        held = mentions
        anew = pl.concat(some for some, _ in group)
        if len(groups) > 1 and anew.height:
            path = scratch / f"group-{number}.parquet"
            mentions.pipe(_of_drugs, anew).sink_parquet(path, compression="lz4")
            held = pl.scan_parquet(path, glob=False)
        for some, copied in group:
            yield _Bucket(some, copied, held.pipe(_of_drugs, some))


def _of_drugs(mentions: pl.LazyFrame, drugs: pl.DataFrame) -> pl.LazyFrame:
    return mentions.filter(pl.col("drug").is_in(drugs["drug"].implode()))


def _drug_lines(ordered: pl.DataFrame, drugs: pl.DataFrame, sources: Sequence[str]) -> pl.Series:
    """One JSON object per drug, in the drugs' order. `ordered`: their mentions, sorted."""
    names = _source_names(ordered, sources)
    mentions = _encoded(ordered, _SHOWN, ["source"])
    table = drugs.select(pl.col("drug").cast(ordered.schema["drug"]), head=_json_expr("drug", "atccode", "atccodes"))
    fragments = [mentions.filter(pl.col("source") == name).select("drug", pl.col("text").alias(name)) for name in names]
    fragments.append(_journal_fragments(ordered).rename({"text": "journals"}))
    for fragment in fragments:
        table = table.join(fragment, on="drug", how="left", maintain_order="left")
    keys = [pl.lit(f"{',' if number else ''}{orjson.dumps(name).decode()}:[") for number, name in enumerate(names)]
    lists = [piece for key, name in zip(keys, names, strict=True) for piece in (key, pl.col(name), pl.lit("]"))]
    head = [pl.col("head").str.head(-1), pl.lit(',"mentions":{')]
    tail = [pl.lit('},"journals":['), pl.col("journals"), pl.lit("]}")]
    return table.select(pl.concat_str(*head, *lists, *tail, ignore_nulls=True).alias("line")).to_series()


def _write_pieces(ordered: pl.DataFrame, drug: pl.DataFrame, sources: Sequence[str], file: BinaryIO) -> None:
    """Write the line of one drug of many mentions, `_PIECE` of them at a time."""
    head: str = drug.select(_json_expr("drug", "atccode", "atccodes")).item()
    file.write(f'{head[:-1]},"mentions":{{'.encode())
    for number, name in enumerate(_source_names(ordered, sources)):
        file.write(f"{',' if number else ''}{orjson.dumps(name).decode()}:[".encode())
        for place, piece in enumerate(ordered.filter(pl.col("source") == name).iter_slices(_PIECE)):
            text = _encoded(piece, _SHOWN, [])["text"].item()
            file.write(f"{',' if place else ''}{text}".encode())
        file.write(b"]")
    journals = _journal_fragments(ordered)["text"]
    file.write(f'}},"journals":[{"".join(journals)}]}}'.encode())


def _source_names(ordered: pl.DataFrame, sources: Sequence[str]) -> list[str]:
    return sorted({*BUILT_IN_SOURCES, *sources, *ordered["source"].unique()})


def _journal_fragments(ordered: pl.DataFrame) -> pl.DataFrame:
    """`drug, text`: a drug's distinct (journal, date, source), sorted and encoded."""
    distinct = ["drug", "date", "journal", "source", "journal_kind"]
    journals = ordered.filter(pl.col("journal").is_not_null()).select(*distinct, retracted=False)
    journals = journals.sort(distinct, nulls_last=True)
    first = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in distinct)
    return _encoded(journals.filter(first), ("journal", "date", "source"), [])


def _encoded(rows: pl.DataFrame, columns: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
    """Encode rows as JSON objects of `columns`, joined by commas in their order: `drug, *by, text`.

    What is unusual about a row, a sponsor or a retraction, is said only where it is so.
    """
    text = _json_expr(*columns)
    sponsor = pl.col("journal_kind").eq_missing("sponsor")
    unusual = sponsor | pl.col("retracted")
    if rows.select(unusual.any()).item():
        extras = [
            pl.when(sponsor).then(pl.lit(',"journal_kind":"sponsor"')),
            pl.when("retracted").then(pl.lit(',"retracted":true')),
        ]
        longer = pl.concat_str(text.str.head(-1), *extras, pl.lit("}"), ignore_nulls=True)
        text = pl.when(unusual).then(longer).otherwise(text)
    grouped = rows.select("drug", *by, text=text).group_by("drug", *by, maintain_order=True)
    return grouped.agg(pl.col("text").str.join(","))


def _json_expr(*names: str) -> pl.Expr:
    return pl.struct(names).struct.json_encode()


# Reading.


def load_graph(path: Path | str) -> Graph:
    """Read a graph from `path`: a graph.json, or an output directory, whose table of mentions is then used.

    Raises OutputError where it can't be read or isn't one.
    """
    path = Path(path)
    table = path / "mentions.parquet"
    from_table = path.is_dir() and table.exists()
    file = path / "graph.json" if path.is_dir() else path
    try:
        lines = _object_lines(file)
        drugs = _decoded(lines, _HEAD_FIELDS, until=b',"mentions":{')
        if from_table:
            return Graph(drugs, pl.scan_parquet(table, glob=False).select(GRAPH_MENTION.names()))
        return Graph(drugs, _mentions_of(lines).lazy())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
        what = error.strerror if isinstance(error, OSError) else f"not a graph of drugmentions ({error})"
        raise OutputError(
            f"{file}: {what}", "name a graph.json or an output directory of `drugmentions run`"
        ) from error


_HEAD_FIELDS: Final = {"drug": pl.String(), "atccode": pl.String(), "atccodes": pl.List(pl.String)}
_OBJECT_FIELDS: Final = {
    "id": pl.String,
    "title": pl.String,
    "journal": pl.String,
    "date": pl.String,
    "journal_kind": pl.String,
    "retracted": pl.Boolean,
}


def _object_lines(file: Path) -> list[bytes]:
    """The drugs' objects as compact JSON, one each: the file's lines if we wrote it, else cut anew from the whole."""
    with file.open("rb") as stream:
        if stream.readline() == _HEAD:
            lines = stream.read().removesuffix(_TAIL).split(_BETWEEN)
            return [line for line in lines if line]
    graph = orjson.loads(file.read_bytes())
    if not str(graph["schema"]).startswith("drugmentions/graph/"):
        raise ValueError(f"schema {graph['schema']}")
    return [orjson.dumps(drug) for drug in graph["drugs"]]


def _decoded(lines: list[bytes], fields: Mapping[str, pl.DataType], until: bytes = b"") -> pl.DataFrame:
    """Decode JSON objects, or what of them stands before `until`."""
    texts = [line.partition(until)[0] + b"}" for line in lines] if until else lines
    column = pl.Series("object", texts, dtype=pl.Binary).cast(pl.String)
    return column.str.json_decode(pl.Struct(fields)).struct.unnest()


def _mentions_of(lines: list[bytes]) -> pl.DataFrame:
    """The mentions of drugs' objects: `GRAPH_MENTION`."""
    sources = list(orjson.loads(lines[0])["mentions"]) if lines else []
    by_source = pl.Struct({source: pl.List(pl.Struct(_OBJECT_FIELDS)) for source in sources})
    drugs = _decoded(lines, {"drug": pl.String(), "mentions": by_source})
    frames = [
        drugs.select("drug", pl.lit(source).alias("source"), mention=pl.col("mentions").struct.field(source))
        .explode("mention")
        .drop_nulls("mention")
        .unnest("mention")
        for source in sources
    ]
    journal = pl.when(pl.col("journal").is_not_null()).then(pl.lit("journal"))
    return (
        pl.concat([pl.DataFrame(schema={"drug": pl.String, "source": pl.String, **_OBJECT_FIELDS}), *frames])
        .with_columns(pl.col("retracted").fill_null(value=False), journal_kind=pl.coalesce("journal_kind", journal))
        .select(GRAPH_MENTION.names())
    )
