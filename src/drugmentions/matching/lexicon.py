"""The lexicon: drug lists merged into drugs, their terms, and the token sequences that an engine looks for."""

from dataclasses import dataclass
from functools import cached_property

import polars as pl
import xxhash

from drugmentions.matching.names import read_names, takes_salts_expr
from drugmentions.matching.rules import PLAIN, MatchRules, Rules
from drugmentions.text import clean_text_expr, fold_case_expr


@dataclass(frozen=True, eq=False)  # frames don't compare
class Lexicon:
    """A lexicon, ready for matching; frames are small enough to be held in memory.

    Whether a term counts at a place, and how far its span reaches, depends on the term's row in `terms` and `forms`, on
    `rules`, and on the title; only then do candidates meet, where they overlap. So two lexicons of equal rules find the
    same in every title that holds the tokens of none of the rows in which they differ.

    drugs: one row per drug, by name: `key` (case-folded name), `drug` (its smallest spelling), `atccode` (the smallest,
        null if none), `atccodes` (all, sorted).
    terms: one row per (form, drug): `form`, `drug`, `term` (the name if it has this form, else the smallest synonym),
        `is_name`, `takes_salts` (the form's: a span takes along salts that follow).
    forms: one row per distinct form, that is sequence of tokens with the punctuation of its gaps: `form` (UInt32),
        `tokens` (List[String]), `gaps` (List[String], one shorter: the signs of `GAP_SIGNS` in each gap).
    anchors: one row per form: `form`, `token` (its rarest one), `position` (where that stands in it), `count` (of its
        tokens), `short`, `takes_salts`.
    names: every name of the lists, and what the rules made of it (see `names.read_names`), by drug and term.
    rules: what an engine applies to titles beyond what the rows say.
    """

    drugs: pl.DataFrame
    terms: pl.DataFrame
    forms: pl.DataFrame
    anchors: pl.DataFrame
    names: pl.DataFrame
    rules: MatchRules

    @cached_property
    def digest(self) -> str:
        """Tells lexicons apart that find other mentions: it covers terms, forms and rules."""
        return _digest(self.terms, self.forms, self.rules)


def build_lexicon(lists: pl.DataFrame, rules: Rules = PLAIN) -> Lexicon:
    """Merge drug lists, one row per entry: `drug`, `atccode`, `synonyms` (separated by `|`), all String, null if blank.

    Names are cleaned like any text; entries without one are passed over. Drugs are identified by their case-folded
    name, never by code. The order of the rows means nothing.
    """
    entries = (
        lists.lazy()
        .select(clean_text_expr(pl.col(name)).alias(name) for name in ("drug", "atccode", "synonyms"))
        .drop_nulls("drug")
        .with_columns(key=fold_case_expr(pl.col("drug")))
        .collect()
    )
    drugs = (
        entries.group_by("key")
        .agg(pl.col("drug").min(), pl.col("atccode").min(), atccodes=pl.col("atccode").drop_nulls().unique().sort())
        .sort("drug")
    )
    names = read_names(entries, drugs, rules)
    usable = names.filter(~pl.col("dropped"))
    forms = _forms(usable, rules)
    terms = _terms_of_forms(usable, forms)
    return Lexicon(
        drugs=drugs,
        terms=terms,
        forms=forms.select("form", "tokens", "gaps"),
        anchors=_anchors(forms),
        names=names,
        rules=rules.on_titles(),
    )


def _digest(terms: pl.DataFrame, forms: pl.DataFrame, rules: MatchRules) -> str:
    """Digest of what mentions are found by: of each column, none of which has nulls, the texts and their sizes."""
    digest = xxhash.xxh3_64(repr(rules).encode())
    lists = (some for name in ("tokens", "gaps") for some in (forms[name].list.len(), forms[name].explode()))
    for column in (*terms, *lists):
        texts = column.cast(pl.String)
        sizes = texts.str.len_bytes().cast(pl.String)
        digest.update("\n".join([*sizes.str.join(","), *texts.str.join(""), ""]).encode())
    return digest.hexdigest()


def _forms(usable: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Number the distinct (normal form, gaps): `form, tokens, gaps, short, takes_salts, key`, the last one theirs."""
    return (
        usable.select("normal", "gaps", "short", "key")
        .unique("key")
        .sort("key")
        .with_row_index("form")
        .select(
            "form",
            "gaps",
            "short",
            "key",
            tokens=pl.col("normal").str.split(" "),
            takes_salts=takes_salts_expr(rules) & rules.salts,
        )
    )


def _anchors(forms: pl.DataFrame) -> pl.DataFrame:
    """The rarest token of each form: in the lexicon, then the longest, which titles hold least. Steers speed alone."""
    count = pl.col("tokens").list.len()
    return (
        forms.select(
            "form",
            "short",
            "takes_salts",
            pl.col("tokens").alias("token"),
            position=pl.int_ranges(count, dtype=pl.UInt32),
            count=count,
        )
        .explode("token", "position")
        .with_columns(rarity=pl.len().over("token"), length=pl.col("token").str.len_chars())
        .sort("form", "rarity", "length", "position", descending=[False, False, True, False])
        .group_by("form", maintain_order=True)
        .agg(pl.col("token", "position", "count", "short", "takes_salts").first())
    )


def _terms_of_forms(usable: pl.DataFrame, forms: pl.DataFrame) -> pl.DataFrame:
    """One row per (form, drug): the term that a mention names, the drug's own name before the smallest synonym."""
    return (
        usable.select("drug", "term", "is_name", "key")
        .join(forms.select("form", "key", "takes_salts"), on="key")
        .sort("form", "drug", "is_name", "term", descending=[False, False, True, False])
        .group_by("form", "drug", maintain_order=True)
        .agg(pl.col("term", "is_name", "takes_salts").first())
    )
