"""Questions asked of a graph: frames of its mentions in (`graph.GRAPH_MENTION`), frames of answers out, all lazy."""

import difflib
from collections.abc import Callable, Sequence

import polars as pl

from drugmentions.errors import UnknownDrugError
from drugmentions.text import clean_text_expr, fold_case_expr, journal_key_expr

_IN_JOURNALS = pl.col("journal").is_not_null() & pl.col("journal_kind").ne_missing("sponsor")


def top_journals(mentions: pl.LazyFrame, *, sources: Sequence[str] = (), sponsors: bool = False) -> pl.LazyFrame:
    """The journals that mention the most distinct drugs, every one of those that tie: `journal, drugs`, by journal.

    sources: count mentions of these alone (all, if none is named). sponsors: let sponsors of trials count as journals.
    """
    counted = mentions.filter(pl.col("journal").is_not_null() if sponsors else _IN_JOURNALS)
    if sources:
        counted = counted.filter(pl.col("source").is_in(list(sources)))
    by_journal = counted.group_by("journal").agg(pl.col("drug").unique().sort().alias("drugs"))
    drug_count = pl.col("drugs").list.len()
    return by_journal.filter(drug_count == drug_count.max()).sort("journal")


def related_drugs(mentions: pl.LazyFrame, drug: str) -> pl.LazyFrame:
    """The other drugs that PubMed publications of the drug's journals mention: `drug, journals`, by drug.

    A drug's journals are those of PubMed publications that mention it; trials count for nothing. `drug` as shown.
    """
    in_pubmed = mentions.filter(_IN_JOURNALS & (pl.col("source") == "pubmed")).select("journal", "drug").unique()
    journals = in_pubmed.filter(pl.col("drug") == drug).select("journal")
    others = in_pubmed.filter(pl.col("drug") != drug).join(journals, on="journal", how="semi")
    return others.group_by("drug").agg(pl.col("journal").sort().alias("journals")).sort("drug")


def journals_of_drug(mentions: pl.LazyFrame, drug: str) -> pl.LazyFrame:
    """The journals that mention a drug: `journal, mentions, first, last, sources`, by journal. `drug` as shown."""
    return mentions.filter(pl.col("drug") == drug, _IN_JOURNALS).pipe(_counted, "journal")


def drugs_of_journal(mentions: pl.LazyFrame, journal: str) -> pl.LazyFrame:
    """The drugs that a journal mentions: `drug, mentions, first, last, sources`, by drug. `journal` as shown."""
    return mentions.filter(pl.col("journal") == journal).pipe(_counted, "drug")


def _counted(mentions: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """Mentions by `by`: how many, the first and last of their dates (as text), and their sources."""
    dates = pl.col("date")
    return (
        mentions.group_by(by)
        .agg(mentions=pl.len(), first=dates.min(), last=dates.max(), sources=pl.col("source").unique().sort())
        .sort(by)
    )


def resolve_drug(drugs: pl.Series, name: str) -> str:
    """The shown name of a drug that is asked for in any case. Raises UnknownDrugError with the nearest known ones."""
    return _resolve(drugs, name, "drug", fold_case_expr)


def resolve_journal(mentions: pl.LazyFrame, name: str) -> str:
    """The shown name of a journal, asked for in any case, white space or final dots aside. Raises UnknownDrugError."""
    journals = mentions.select(pl.col("journal").drop_nulls().unique()).collect(engine="streaming").to_series()
    return _resolve(journals, name, "journal", journal_key_expr)


def _resolve(known: pl.Series, name: str, what: str, key: Callable[[pl.Expr], pl.Expr]) -> str:
    asked = pl.select(key(clean_text_expr(pl.lit(name)))).item()
    names = known.sort().alias("name").to_frame()
    found = names.filter(key(pl.col("name")) == asked)
    if found.is_empty():
        near = difflib.get_close_matches(name.upper(), [known.upper() for known in names["name"]], n=3)
        hint = f"nearest known: {', '.join(near)}" if near else f"the graph knows {names.height} {what}s"
        raise UnknownDrugError(f"unknown {what}: {name}", hint)
    return str(found.item(0, 0))
