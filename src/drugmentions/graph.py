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

from drugmentions.errors import OutputError
from drugmentions.model import MENTION

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
    "file",
    "record",
)
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


def write_graph(
    mentions: pl.LazyFrame, drugs: pl.DataFrame, sources: Sequence[str], graph: Path, table: Path, scratch: Path
) -> int:
    """Write merged mentions to `graph` (JSON) and `table` (Parquet); returns how many there are.

    mentions: `MENTION` without `atccode`, and `file, record`, in any order. drugs: one row per drug, by name (`drug`,
    `atccode`, `atccodes`). sources: those that every drug's object names. `scratch`: an empty directory. The JSON is
    the same to the byte, the table in rows and order, whatever order the mentions come in.
    """
    total = mentions.select(pl.len()).collect(engine="streaming").item()
    buckets = _by_bucket(mentions, _with_buckets(mentions, drugs), scratch)

    def encode(drugs_of: pl.DataFrame, rows: pl.LazyFrame) -> tuple[pl.DataFrame, Callable[[BinaryIO], None]]:
        ordered = rows.collect(engine="streaming").pipe(_ordered, drugs_of)
        if drugs_of.height == 1 and ordered.height > _PIECE:
            return _as_table(ordered, drugs_of), partial(_write_pieces, ordered, drugs_of, sources)
        return _as_table(ordered, drugs_of), partial(_write_lines, _drug_lines(ordered, drugs_of, sources))

    def write_lines_and_yield_tables(*_pushed_down: object) -> Iterator[pl.DataFrame]:
        with graph.open("wb") as file:
            file.write(_HEAD)
            between = b""
            for table_of, write in _few_at_a_time(encode, buckets):
                file.write(between)
                write(file)
                between = _BETWEEN
                yield table_of
                del table_of, write  # or what they hold waits here while the next is made
            file.write(_TAIL)

    tables = register_io_source(write_lines_and_yield_tables, schema=MENTION)
    tables.sink_parquet(table, compression="lz4")
    return int(total)


def _few_at_a_time(
    work: Callable[[pl.DataFrame, pl.LazyFrame], _T], buckets: Iterable[tuple[pl.DataFrame, pl.LazyFrame]]
) -> Iterator[_T]:
    """Results of `work` in the order of the buckets; two are made at a time, but of large buckets one."""
    with ThreadPoolExecutor(2) as pool:
        pending: deque[tuple[Future[_T], int]] = deque()
        for some, rows in buckets:
            size = int(some["len"].sum())
            while pending and (len(pending) == 2 or size + sum(held for _, held in pending) > 3 * BUCKET):
                yield pending.popleft()[0].result()
            pending.append((pool.submit(work, some, rows), size))
        while pending:
            yield pending.popleft()[0].result()


def _as_table(ordered: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Sorted mentions as `MENTION`."""
    codes = drugs.select(pl.col("drug").cast(ordered.schema["drug"]), "atccode")
    coded = ordered.join(codes, on="drug", how="left", maintain_order="left")
    return coded.select(pl.col(name).cast(dtype) for name, dtype in MENTION.items())


def _write_lines(lines: pl.Series, file: BinaryIO) -> None:
    """Write lines as they are, with what goes between two of them."""
    for some, end in ((lines.head(-1), _BETWEEN.decode()), (lines.tail(1), "")):
        some.to_frame().write_csv(file, include_header=False, quote_style="never", line_terminator=end)


def _ordered(mentions: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Sort mentions by `_ORDER`, nulls last. `drug`, `source`, `date` and `journal` become Enums: small to sort by."""
    few = {name: pl.Enum(mentions[name].drop_nulls().unique().sort()) for name in ("source", "date", "journal")}
    few["drug"] = pl.Enum(drugs["drug"])
    small = mentions.with_columns(pl.col(name).cast(dtype) for name, dtype in few.items())
    ordered = small.sort(_MOSTLY_UNIQUE, nulls_last=True)
    tied = pl.struct(_MOSTLY_UNIQUE)
    if ordered.select((tied == tied.shift()).any()).item():
        return small.sort(_ORDER, nulls_last=True)
    return ordered


def _with_buckets(mentions: pl.LazyFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Add to the drugs, by name, `len`, their mentions, and `bucket`: neighbours of some `BUCKET` mentions together."""
    counts = mentions.group_by("drug").len().collect(engine="streaming")
    own = pl.col("len")
    middle = own.cum_sum() - own // 2
    large = pl.when(own >= BUCKET).then("drug")  # each has a bucket for itself
    with_counts = drugs.join(counts, on="drug", how="left", maintain_order="left").with_columns(own.fill_null(0))
    return with_counts.with_columns(bucket=pl.struct(middle // BUCKET, large).rle_id())


def _by_bucket(
    mentions: pl.LazyFrame, drugs: pl.DataFrame, scratch: Path
) -> Iterator[tuple[pl.DataFrame, pl.LazyFrame]]:
    """Part the mentions by bucket: the drugs of each, and their mentions.

    Each bucket is filtered out of the mentions; where there are many, out of a file for its group of buckets. (Parting
    all at once by PartitionBy is as fast, and holds nearly all of them in memory: 2.4 GB of 10 million.)
    """
    buckets = drugs.partition_by("bucket", maintain_order=True)
    groups = [buckets[first : first + _GROUP] for first in range(0, len(buckets), _GROUP)]
    for number, group in enumerate(groups):
        held = mentions
        if len(groups) > 1:
            path = scratch / f"group-{number}.parquet"
            mentions.pipe(_of_drugs, pl.concat(group)).sink_parquet(path, compression="lz4")
            held = pl.scan_parquet(path, glob=False)
        for some in group:
            yield some, held.pipe(_of_drugs, some)


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
