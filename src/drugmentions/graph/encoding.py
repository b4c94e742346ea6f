"""Sorted mentions as lines of the graph and rows of the table, encoded by Polars in orjson's compact form."""

from collections.abc import Sequence
from typing import BinaryIO, Final

import orjson
import polars as pl

from drugmentions.graph.form import BUILT_IN_SOURCES
from drugmentions.model import MENTION

PIECE: Final = 50_000
"""Mentions of one drug that are encoded at a time, where it has a bucket for itself."""

END: Final = "]}"
"""How a line ends, behind its journals."""
SPONSOR: Final = ',"journal_kind":"sponsor"'
RETRACTED: Final = ',"retracted":true'
"""What rows end with where it is so."""
IS_SPONSOR: Final = pl.col("journal_kind").eq_missing("sponsor")
"""Whether a row's journal is a sponsor."""

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
    names = source_names(ordered, sources)
    mentions = _encoded(ordered, _SHOWN, ["source"])
    table = drugs.select(pl.col("drug").cast(ordered.schema["drug"]), head=heads(drugs, names))
    lists = [mentions.filter(pl.col("source") == name).select("drug", pl.col("text").alias(name)) for name in names]
    for some in [*lists, _journals(ordered).rename({"text": "journals"})]:
        table = table.join(some, on="drug", how="left", maintain_order="left")
    pairs = zip(names, between(names), strict=True)
    listed = [piece for name, behind in pairs for piece in (pl.col(name), pl.lit(behind))]
    line = pl.concat_str("head", *listed, "journals", pl.lit(END), ignore_nulls=True)
    return table.select(line=line).to_series()


def write_pieces(ordered: pl.DataFrame, drug: pl.DataFrame, sources: Sequence[str], file: BinaryIO) -> pl.Series:
    """Write the line of one drug of many mentions, `PIECE` of them at a time; returns its bytes."""
    names = source_names(ordered, sources)
    size = 0

    def write(text: str) -> None:
        nonlocal size
        size += file.write(text.encode())

    write(heads(drug, names).item())
    for name, behind in zip(names, between(names), strict=True):
        for place, piece in enumerate(ordered.filter(pl.col("source") == name).iter_slices(PIECE)):
            write(f"{',' if place else ''}{_encoded(piece, _SHOWN, [])['text'].item()}")
        write(behind)
    write(f"{''.join(_journals(ordered)['text'])}{END}")
    return pl.Series([size], dtype=pl.Int64)


# What lines are made of.


def source_names(ordered: pl.DataFrame, sources: Sequence[str]) -> list[str]:
    """The sources that every line names, sorted."""
    return sorted({*BUILT_IN_SOURCES, *sources, *ordered["source"].unique()})


def heads(drugs: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Of each drug's line all up to the mentions of the first source."""
    mentions = pl.lit(f',"mentions":{{{_key(names[0])}')
    return drugs.select(
        head=pl.concat_str(_json_expr("drug", "atccode", "atccodes").str.head(-1), mentions)
    ).to_series()


def between(names: Sequence[str]) -> list[str]:
    """What ends the mentions of each source, and begins those of the next one, or the journals."""
    return [*(f"],{_key(name)}" for name in names[1:]), ']},"journals":[']


def _key(name: str) -> str:
    return f"{orjson.dumps(name).decode()}:["


def distinct_journals(ordered: pl.DataFrame) -> pl.DataFrame:
    """A drug's distinct (journal, date, source), sorted, `retracted` false: `drug, date, journal, source, ...`."""
    distinct = ["drug", "date", "journal", "source", "journal_kind"]
    journals = ordered.filter(pl.col("journal").is_not_null()).select(*distinct, retracted=False)
    journals = journals.sort(distinct, nulls_last=True)
    first = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in distinct)
    return journals.filter(first)


def _journals(ordered: pl.DataFrame) -> pl.DataFrame:
    """`drug, text`: a drug's journals, encoded."""
    return _encoded(distinct_journals(ordered), ("journal", "date", "source"), [])


def _encoded(rows: pl.DataFrame, columns: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
    """Encode rows as JSON objects of `columns`, joined by commas in their order: `drug, *by, text`.

    What is unusual about a row, a sponsor or a retraction, is said only where it is so.
    """
    text = _json_expr(*columns)
    unusual = IS_SPONSOR | pl.col("retracted")
    if rows.select(unusual.any()).item():
        extras = [pl.when(IS_SPONSOR).then(pl.lit(SPONSOR)), pl.when("retracted").then(pl.lit(RETRACTED))]
        longer = pl.concat_str(text.str.head(-1), *extras, pl.lit("}"), ignore_nulls=True)
        text = pl.when(unusual).then(longer).otherwise(text)
    grouped = rows.select("drug", *by, text=text).group_by("drug", *by, maintain_order=True).agg("text")
    return grouped.with_columns(pl.col("text").list.join(","))  # two thirds of the time of joining group by group


def _json_expr(*names: str) -> pl.Expr:
    return pl.struct(names).struct.json_encode()
