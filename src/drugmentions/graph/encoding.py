"""Sorted mentions as lines of the graph and rows of the table, encoded by Polars in orjson's compact form."""

from collections.abc import Sequence
from typing import BinaryIO, Final

import orjson
import polars as pl

from drugmentions.graph.form import BUILT_IN_SOURCES
from drugmentions.model import MENTION

PIECE: Final = 50_000
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


def ordered_mentions(mentions: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
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


def as_table(ordered: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Sorted mentions as `MENTION`."""
    codes = drugs.select(pl.col("drug").cast(ordered.schema["drug"]), "atccode")
    coded = ordered.join(codes, on="drug", how="left", maintain_order="left")
    return coded.select(pl.col(name).cast(dtype) for name, dtype in MENTION.items())


def drug_lines(ordered: pl.DataFrame, drugs: pl.DataFrame, sources: Sequence[str]) -> pl.Series:
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


def write_pieces(ordered: pl.DataFrame, drug: pl.DataFrame, sources: Sequence[str], file: BinaryIO) -> None:
    """Write the line of one drug of many mentions, `PIECE` of them at a time."""
    head: str = drug.select(_json_expr("drug", "atccode", "atccodes")).item()
    file.write(f'{head[:-1]},"mentions":{{'.encode())
    for number, name in enumerate(_source_names(ordered, sources)):
        file.write(f"{',' if number else ''}{orjson.dumps(name).decode()}:[".encode())
        for place, piece in enumerate(ordered.filter(pl.col("source") == name).iter_slices(PIECE)):
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
    grouped = rows.select("drug", *by, text=text).group_by("drug", *by, maintain_order=True).agg("text")
    return grouped.with_columns(pl.col("text").list.join(","))  # two thirds of the time of joining group by group


def _json_expr(*names: str) -> pl.Expr:
    return pl.struct(names).struct.json_encode()
