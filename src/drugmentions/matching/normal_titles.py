"""Titles brought to normal form such that every place in it leads back to a place in the title."""

from typing import Final, NamedTuple

import polars as pl

from drugmentions.matching.normalise import MARK, is_ascii_expr, normal_characters_expr

_ORIGINS: Final = pl.Schema({"at": pl.Int64, "reach": pl.Int64})


class NormalTitles(NamedTuple):
    """Titles in normal characters, borders as they are: first those in ASCII, whose letters keep their case.

    The next ones, from `beyond_ascii` on, have one normal character for each of their own; those from `uneven` on
    don't.

    rows: each title's row in the batch.
    texts: its text in normal characters.
    origins: one row per normal character of the uneven ones, and one more behind each of them: where a token that
        begins with it starts in the title (`at`), and where one that ends with it ends (`reach`), in characters.
    """

    rows: pl.Series
    texts: pl.Series
    beyond_ascii: int
    uneven: int
    origins: pl.DataFrame


def normal_titles(titles: pl.Series) -> NormalTitles:
    """Bring titles to normal form; nulls are left out."""
    is_ascii = titles.to_frame("title").select(is_ascii_expr(pl.col("title"))).to_series()
    plain, others = is_ascii.arg_true(), (~is_ascii).arg_true()
    if others.is_empty():
        return NormalTitles(plain, titles.gather(plain), len(plain), len(plain), _ORIGINS.to_frame())
    is_uneven = _are_uneven(titles.gather(others))
    even, uneven = others.filter(~is_uneven), others.filter(is_uneven)
    even_texts = titles.gather(even).to_frame("title").select(normal_characters_expr(pl.col("title"))).to_series()
    uneven_texts, origins = _with_origins(titles.gather(uneven))
    return NormalTitles(
        rows=pl.concat([plain, even, uneven]),
        texts=pl.concat([titles.gather(plain), even_texts, uneven_texts]),
        beyond_ascii=len(plain),
        uneven=len(plain) + len(even),
        origins=origins,
    )


def _are_uneven(titles: pl.Series) -> pl.Series:
    """Whether some character of a title becomes none, or several: Boolean."""
    characters = (
        titles.to_frame("char")
        .with_row_index("nth")
        .with_columns(pl.col("char").str.replace_all(r"[\x00-\x7F]+", "").str.split(""))
        .explode("char")
    )
    normal = normal_characters_expr(pl.col("char"))
    uneven = characters.select(pl.col("char").unique()).filter(normal.str.len_chars() != 1)
    if uneven.is_empty():
        return pl.repeat(value=False, n=len(titles), eager=True)
    rows = characters.join(uneven, on="char", how="semi")["nth"]
    return pl.int_range(len(titles), dtype=pl.UInt32, eager=True).is_in(rows.unique().implode())


def _with_origins(titles: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
    """The normal characters of any titles, by way of the normal form of each distinct character, and their origins."""
    if titles.is_empty():
        return titles, _ORIGINS.to_frame()
    characters = (
        pl.DataFrame({"char": titles + "\n"})
        .with_row_index("nth")
        .with_columns(pl.col("char").str.split(""))
        .with_columns(at=pl.int_ranges(pl.col("char").list.len(), dtype=pl.Int64))
        .explode("char", "at")
        .with_columns(reach=_reach_expr())
    )
    normal = characters.select(pl.col("char").unique()).with_columns(normal=normal_characters_expr(pl.col("char")))
    origins = (
        characters.join(normal, on="char", how="left", maintain_order="left")
        .filter(pl.col("normal") != "")
        .with_columns(pl.col("normal").str.split(""))
        .explode("normal")
    )
    texts = origins.group_by("nth", maintain_order=True).agg(pl.col("normal").str.join("").str.head(-1))
    return texts["normal"].alias(titles.name), origins.select("at", "reach")


def _reach_expr() -> pl.Expr:
    """The end of a span whose last character is this one: the marks that directly follow are taken along."""
    following = pl.when(~pl.col("char").str.contains(MARK)).then("at").backward_fill().shift(-1)
    return following.fill_null(pl.col("at") + 1)
