"""Mentions -> graph.json and mentions.parquet, a bucket of drugs at a time, and back.

Every object is encoded by Polars, in orjson's compact form; Python joins and writes whole buckets.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import polars as pl

from drugmentions.errors import OutputError
from drugmentions.model import MENTION

SCHEMA: Final = "drugmentions/graph/1"
BUILT_IN_SOURCES: Final = ("clinical_trials", "pubmed")
BUCKET: Final = 250_000
"""Mentions that are sorted and encoded at a time: some 200 MB. A drug's mentions are never parted."""

_ORDER: Final = ("drug", "source", "date", "id", "title", "journal", "journal_kind", "retracted", "found_in", "file", "record")
_HEAD: Final = f'{{"schema":"{SCHEMA}","drugs":[\n'.encode()
_TAIL: Final = b"]}\n"
_BETWEEN: Final = ",\n"


class Graph(NamedTuple):
    """A graph that was read back.

    drugs: one row per drug, by name: `drug`, `atccode`, `atccodes`.
    mentions: one row per (drug, publication): `drug, source, id, title, journal, journal_kind, date, retracted`.
    """

    drugs: pl.DataFrame
    mentions: pl.LazyFrame


GRAPH_MENTION: Final = pl.Schema({
    name: MENTION[name] for name in ("drug", "source", "id", "title", "journal", "journal_kind", "date", "retracted")
})


# Writing.


def write_graph(
    mentions: pl.LazyFrame, drugs: pl.DataFrame, sources: Sequence[str], graph: Path, table: Path, scratch: Path
) -> int:
    """Write merged mentions to `graph` (JSON) and `table` (Parquet); returns how many there are.

    mentions: `MENTION` without `atccode`, and `file, record`, in any order. drugs: one row per drug, by name (`drug`,
    `atccode`, `atccodes`). sources: those that every drug's object names. `scratch`: an empty directory. The JSON is the
    same to the byte, the table in rows and order, whatever order the mentions come in.
    """
    total = mentions.select(pl.len()).collect(engine="streaming").item()
    buckets = _buckets(mentions, drugs, total)
    tables = []
    with graph.open("wb") as file:
        file.write(_HEAD)
        for number, (some, rows) in enumerate(_by_bucket(mentions, buckets, total, scratch)):
            ordered = rows.sort(_ORDER, nulls_last=True)
            lines = _drug_lines(ordered, some, sources)
            file.write((_BETWEEN if number else "").encode())
            file.write(lines.str.join(_BETWEEN).item().encode())
            tables.append(scratch / f"table-{number}.parquet")
            columns = ordered.join(some.select("drug", "atccode"), on="drug", how="left", maintain_order="left")
            columns.select(MENTION.names()).write_parquet(tables[-1], compression="lz4")
        file.write(_TAIL)
    pl.scan_parquet(tables).sink_parquet(table, compression="zstd", compression_level=1)
    return int(total)


def _buckets(mentions: pl.LazyFrame, drugs: pl.DataFrame, total: int) -> pl.DataFrame:
    """Add to the drugs, by name, the `bucket` each belongs to: neighbours with some `BUCKET` mentions together."""
    if total <= BUCKET:
        return drugs.with_columns(bucket=pl.lit(0, pl.UInt32))
    counts = mentions.group_by("drug").len().collect(engine="streaming")
    before = pl.col("len").fill_null(0).cum_sum().shift(1, fill_value=0)
    with_counts = drugs.join(counts, on="drug", how="left", maintain_order="left")
    return with_counts.with_columns(bucket=(before // BUCKET).cast(pl.UInt32)).drop("len")


def _by_bucket(
    mentions: pl.LazyFrame, drugs: pl.DataFrame, total: int, scratch: Path
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Part the mentions by bucket, on disk if there are several: the drugs of each, and their mentions."""
    if total <= BUCKET:
        yield drugs, mentions.collect(engine="streaming")
        return
    bucket_of = drugs.select("drug", "bucket").lazy()
    mentions.join(bucket_of, on="drug").sink_parquet(
        pl.PartitionBy(scratch / "buckets", key="bucket", include_key=False, approximate_bytes_per_file=None),
        compression="lz4",
        mkdir=True,
    )
    for (bucket,), some in drugs.group_by("bucket", maintain_order=True):
        files = scratch / "buckets" / f"bucket={bucket}"
        empty = mentions.clear().collect()
        yield some, pl.concat([empty, pl.read_parquet(files)]) if files.exists() else empty


def _drug_lines(ordered: pl.DataFrame, drugs: pl.DataFrame, sources: Sequence[str]) -> pl.Series:
    """One JSON object per drug, in the drugs' order. `ordered`: their mentions, sorted."""
    fragments = (
        ordered.select("drug", "source", text=_mention_json())
        .group_by("drug", "source", maintain_order=True)
        .agg(pl.col("text").str.join(","))
    )
    columns = [drugs.select("drug", head=_json_expr("drug", "atccode", "atccodes"))]
    names = sorted({*BUILT_IN_SOURCES, *sources, *ordered["source"].unique()})
    columns += [fragments.filter(pl.col("source") == name).select("drug", pl.col("text").alias(name)) for name in names]
    columns.append(_journal_fragments(ordered))
    table = columns[0]
    for fragment in columns[1:]:
        table = table.join(fragment, on="drug", how="left", maintain_order="left")
    mentions = [
        piece for name in names for piece in (pl.lit(f"{orjson.dumps(name).decode()}:["), pl.col(name), pl.lit("],"))
    ]
    mentions[-1] = pl.lit("]")
    line = [
        pl.col("head").str.head(-1), pl.lit(',"mentions":{'), *mentions, pl.lit('},"journals":['), "journals", pl.lit("]}")
    ]
    return table.select(pl.concat_str(line, ignore_nulls=True).alias("line")).to_series()


def _json_expr(*names: str) -> pl.Expr:
    return pl.struct(names).struct.json_encode()


def _mention_json() -> pl.Expr:
    """A mention as a JSON object; what is unusual about it is said only where it is so."""
    sponsor = pl.when(_is_sponsor()).then(pl.lit(',"journal_kind":"sponsor"'))
    retracted = pl.when("retracted").then(pl.lit(',"retracted":true'))
    return _with_extras(_json_expr("id", "title", "journal", "date"), sponsor, retracted)


def _with_extras(encoded: pl.Expr, *extras: pl.Expr) -> pl.Expr:
    """Put JSON members, null where there are none, at the end of an encoded object."""
    longer = pl.concat_str(encoded.str.head(-1), *extras, pl.lit("}"), ignore_nulls=True)
    return pl.when(pl.any_horizontal(extra.is_not_null() for extra in extras)).then(longer).otherwise(encoded)


def _is_sponsor() -> pl.Expr:
    return pl.col("journal_kind").eq_missing("sponsor")


def _journal_fragments(ordered: pl.DataFrame) -> pl.DataFrame:
    """`drug, journals`: a drug's distinct (journal, date, source), sorted and encoded."""
    sponsor = pl.when(_is_sponsor()).then(pl.lit(',"journal_kind":"sponsor"'))
    return (
        ordered.filter(pl.col("journal").is_not_null())
        .select("drug", "journal", "date", "source", "journal_kind")
        .unique()
        .sort("drug", "date", "journal", "source", "journal_kind", nulls_last=True)
        .select("drug", text=_with_extras(_json_expr("journal", "date", "source"), sponsor))
        .group_by("drug", maintain_order=True)
        .agg(journals=pl.col("text").str.join(","))
    )


# Reading.


def load_graph(path: Path) -> Graph:
    """Read a graph from `path`: a graph.json, or an output directory, whose table of mentions is then used.

    Raises OutputError where it can't be read or isn't one.
    """
    table = path / "mentions.parquet"
    from_table = path.is_dir() and table.exists()
    file = path / "graph.json" if path.is_dir() else path
    try:
        lines = _object_lines(file)
        drugs = _decoded(lines, _HEAD_FIELDS, until=b',"mentions":{')
        if from_table:
            return Graph(drugs, pl.scan_parquet(table).select(GRAPH_MENTION.names()))
        return Graph(drugs, _mentions_of(lines).lazy())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
        what = error.strerror if isinstance(error, OSError) else f"not a graph of drugmentions ({error})"
        raise OutputError(f"{file}: {what}", "name a graph.json or an output directory of `drugmentions run`") from error


_HEAD_FIELDS: Final = {"drug": pl.String, "atccode": pl.String, "atccodes": pl.List(pl.String)}
_OBJECT_FIELDS: Final = {
    "id": pl.String, "title": pl.String, "journal": pl.String, "date": pl.String, "journal_kind": pl.String,
    "retracted": pl.Boolean,
}


def _object_lines(file: Path) -> list[bytes]:
    """The drugs' objects as compact JSON, one each: the file's lines if we wrote it, else cut anew from the whole."""
    with file.open("rb") as stream:
        if stream.readline() == _HEAD:
            lines = stream.read().removesuffix(_TAIL).split(_BETWEEN.encode())
            return [line for line in lines if line]
    graph = orjson.loads(file.read_bytes())
    if not str(graph["schema"]).startswith("drugmentions/graph/"):
        raise ValueError(f"schema {graph['schema']}")
    return [orjson.dumps(drug) for drug in graph["drugs"]]


def _decoded(lines: list[bytes], fields: dict[str, pl.DataType | type[pl.DataType]], until: bytes = b"") -> pl.DataFrame:
    """Decode JSON objects, or what of them stands before `until`."""
    texts = [line.partition(until)[0] + b"}" for line in lines] if until else lines
    column = pl.Series("object", texts, dtype=pl.Binary).cast(pl.String)
    return column.str.json_decode(pl.Struct(fields)).struct.unnest()


def _mentions_of(lines: list[bytes]) -> pl.DataFrame:
    """The mentions of drugs' objects: `GRAPH_MENTION`."""
    sources = list(orjson.loads(lines[0])["mentions"]) if lines else []
    by_source = pl.Struct({source: pl.List(pl.Struct(_OBJECT_FIELDS)) for source in sources})
    drugs = _decoded(lines, {"drug": pl.String, "mentions": by_source})
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
