"""Bring records as a reader found them to the publication schema: clean text, dates of their own precision, kinds."""

from collections.abc import Container
from typing import Final

import polars as pl

from drugmentions.model import PUBLICATION, VERSION_UNIT, SourceFile
from drugmentions.sources.columns import DELETED, ORIGIN_MARK, RETRACTED, STATUS
from drugmentions.sources.dates import parse_date_expr
from drugmentions.sources.spool import PARSED_DATE
from drugmentions.text import clean_text_expr, where_expr

CONFORMED: Final = pl.Schema({**PUBLICATION, "unread_date": pl.String()})
"""`PUBLICATION`, and the text of a date that couldn't be read."""


def conform(records: pl.LazyFrame, files: tuple[SourceFile, ...], clean: Container[str] = ()) -> pl.LazyFrame:
    """Raw records of files of one source -> publications (`CONFORMED`), a row per record with a title and per deletion.

    It builds a plan of elementwise expressions and one filter, reads nothing, and keeps the order of the rows.
    `clean`: as `Reading` has it.
    """
    first = files[0]
    held = {name for file in files for name in file.columns}
    deleted, retracted = (
        pl.col(STATUS).eq_missing(pl.lit(status)) if STATUS in held else pl.lit(value=False)
        for status in (DELETED, RETRACTED)
    )
    origin = pl.lit(first.source)
    if "sponsor" in held:
        records = records.with_columns(_lead_sponsor_expr())
    cleaned = records.with_columns(
        clean_text_expr(pl.col(name), short=name in {"id", "date"})
        for name in ("id", "title", "official_title", "journal", "sponsor", "date")
        if name in held and name not in clean
    ).filter(pl.col("title").is_not_null() | deleted)
    sponsored = pl.col("journal").is_null() & pl.col("sponsor").is_not_null()
    date = pl.col(PARSED_DATE) if PARSED_DATE in clean else parse_date_expr(pl.col("date"), first.dates)
    return (
        cleaned.with_columns(
            date.alias(PARSED_DATE),
            source=pl.coalesce(ORIGIN_MARK, origin) if ORIGIN_MARK in held else origin,
            journal=pl.coalesce("journal", "sponsor"),
            journal_kind=pl.when(sponsored)
            .then(pl.lit("sponsor"))
            .when(pl.col("journal").is_not_null())
            .then(pl.lit("journal")),
            revision=_revision_expr(files),
            deleted=deleted,
            retracted=retracted,
        )
        .with_columns(unread_date=pl.when(pl.col(PARSED_DATE).is_null()).then("date"), date=PARSED_DATE)
        .select(pl.col(name).cast(dtype) for name, dtype in CONFORMED.items())
    )


def _lead_sponsor_expr() -> pl.Expr:
    """The first of the sponsors that classic downloads join by bars."""
    joined = pl.col("sponsor")
    return where_expr(
        joined, lambda text: text.str.contains("|", literal=True), lambda text: text.str.extract("^([^|]*)")
    )


def _revision_expr(files: tuple[SourceFile, ...]) -> pl.Expr:
    """Version x 10^9 + year x 10^4 + number of the PubMed file: later revisions are greater."""
    version = pl.col("version").cast(pl.Int64, strict=False).fill_null(0).clip(0, VERSION_UNIT) * VERSION_UNIT
    releases = {file.file: release_number(file.file) for file in files}
    if len(set(releases.values())) == 1:
        return version + pl.lit(releases[files[0].file], dtype=pl.Int64)
    return version + pl.col("file").replace_strict(releases, return_dtype=pl.Int64)


def release_number(file: str) -> int:
    """Year x 10^4 + number of a file of PubMed's baseline or updates (`pubmed24n1219.xml.gz`: 241219), else 0."""
    year, letter, number = file.rpartition("/")[2].rpartition("pubmed")[2][:7].partition("n")
    whole = letter and len(year) == 2 and len(number) == 4 and (year + number).isdecimal()
    return int(year) * 10_000 + int(number) if whole else 0
