"""A graph.json, or an output directory, read back as frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import polars as pl

from drugmentions.errors import OutputError
from drugmentions.graph.form import BETWEEN, HEAD, TAIL
from drugmentions.model import MENTION


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
        if stream.readline() == HEAD:
            lines = stream.read().removesuffix(TAIL).split(BETWEEN)
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
