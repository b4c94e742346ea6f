"""Questions asked of a graph: frames of its mentions in (`graph.GRAPH_MENTION`), frames of answers out, all lazy.

What asks for spans takes the table of mentions (`model.MENTION`).
"""

import difflib
from collections.abc import Callable, Sequence
from typing import Literal

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


def frequent_names(
    mentions: pl.LazyFrame, *, by: Literal["drug", "term"] = "term", limit: int = 0, samples: int = 3
) -> pl.LazyFrame:
    """The drugs, or the terms, that most publications mention, the most frequent first, `limit` of them (0: all).

    Returns `drug` (by drug), or `term, drugs` (by term: whose it is); `mentions`, one for each drug and publication;
    and `titles`: the first ones in the order of the table, spans marked.
    """
    named = mentions.with_row_index("nth")
    if by == "term":
        terms = pl.col("spans").list.eval(pl.element().struct.field("term")).list.unique()
        named = named.with_columns(term=terms).explode("term")
    counts = named.group_by(by).agg(mentions=pl.len()).sort("mentions", by, descending=[True, False])
    top = counts.head(limit) if limit else counts
    drugs = [pl.col("drug").unique().sort().alias("drugs")] if by == "term" else []
    some = named.join(top, on=by, how="semi").group_by(by).agg(*drugs, nth=pl.col("nth").bottom_k(samples))
    titles = (
        named.join(some.select(by, "nth").explode("nth"), on=[by, "nth"], how="semi")
        .pipe(with_marked_titles)
        .sort("nth")
        .group_by(by)
        .agg(titles=pl.col("title").unique(maintain_order=True))
    )
    found = top.join(some.drop("nth"), on=by, how="left", maintain_order="left")
    joined = found.join(titles, on=by, how="left", maintain_order="left")
    return joined.select(by, *(["drugs"] if drugs else []), "mentions", "titles")


def mentions_of_drug(mentions: pl.LazyFrame, drug: str) -> pl.LazyFrame:
    """The publications that mention a drug, in the order of the table: what they are, the terms, and the title marked.

    Returns `source, id, date, journal, found_in, terms, title`. `drug` as shown. The title is marked where the spans
    are its own; a trial's official title (`found_in`) isn't kept in the table.
    """
    terms = pl.col("spans").list.eval(pl.element().struct.field("term")).list.unique().list.sort()
    columns = ["source", "id", "date", "journal", "found_in"]
    found = mentions.filter(pl.col("drug") == drug).with_columns(terms=terms)
    return found.pipe(with_marked_titles).select(*columns, "terms", "title")


def with_marked_titles(mentions: pl.LazyFrame) -> pl.LazyFrame:
    """Put `[[` and `]]` around the spans of each title, where they are the title's own; of overlapping ones, the first.

    Rows stay in their order.
    """
    rows = mentions.with_row_index("row")
    begin, end = pl.col("span").struct.field("start"), pl.col("span").struct.field("end")
    spans = (
        rows.filter(pl.col("found_in") == "title")
        .select("row", "title", span="spans")
        .explode("span")
        .select("row", "title", begin=begin.cast(pl.Int64), end=end.cast(pl.Int64))
        .sort("row", "begin", "end", descending=[False, False, True])
        .with_columns(after=pl.col("end").cum_max().shift(fill_value=0).over("row"))
        .filter(pl.col("begin") >= pl.col("after"))
    )
    title = pl.col("title")
    before = title.str.slice("after", pl.col("begin") - pl.col("after"))
    inside = title.str.slice("begin", pl.col("end") - pl.col("begin"))
    marked = spans.group_by("row", maintain_order=True).agg(
        marked=pl.concat_str(before, pl.lit("[["), inside, pl.lit("]]")).str.join(""),
        rest=title.last().str.slice(pl.col("end").last()),
    )
    joined = rows.join(marked, on="row", how="left", maintain_order="left")
    return joined.with_columns(title=pl.coalesce(pl.col("marked") + pl.col("rest"), "title")).drop(
        "row", "marked", "rest"
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
