"""The lexicon: drug lists merged into drugs, their terms, and the token sequences that an engine looks for."""

from hashlib import sha256
from typing import NamedTuple

import polars as pl

from drugmentions.matching.normalise import GAP_SIGNS, normal_characters_expr, normal_form_expr
from drugmentions.text import clean_text_expr, fold_case_expr

SHORT = 3
"""A term of so many letters and digits or fewer is short: it counts only in capitals, or with a digit."""

_GAPS = r"[^\p{L}\p{N}]+"


class Lexicon(NamedTuple):
    """A lexicon, ready for matching; frames are small enough to be held in memory.

    drugs: one row per drug, by name: `key` (case-folded name), `drug` (its smallest spelling), `atccode` (the smallest,
        null if none), `atccodes` (all, sorted).
    terms: one row per (form, drug): `form`, `drug`, `term` (the name if it has this form, else the smallest synonym),
        `is_name`.
    forms: one row per distinct form, that is sequence of tokens with the punctuation of its gaps: `form` (UInt32),
        `tokens` (List[String]), `gaps` (List[String], one shorter: the signs of `GAP_SIGNS` in each gap).
    anchors: one row per form: `form`, `token` (its rarest one), `position` (where that stands in it), `count` (of its
        tokens), `short`.
    unusable: terms without a letter, or of one character: `drug`, `term`, by drug and term. They match nothing.
    digest: tells lexicons apart that find other mentions.
    """

    drugs: pl.DataFrame
    terms: pl.DataFrame
    forms: pl.DataFrame
    anchors: pl.DataFrame
    unusable: pl.DataFrame
    digest: str


def build_lexicon(lists: pl.DataFrame) -> Lexicon:
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
    terms = _terms(entries, drugs)
    usable = terms.filter("usable")
    forms = _forms(usable)
    named = _terms_of_forms(usable, forms)
    return Lexicon(
        drugs=drugs,
        terms=named,
        forms=forms.select("form", "tokens", "gaps"),
        anchors=_anchors(forms),
        unusable=terms.filter(~pl.col("usable")).select("drug", "term").unique().sort("drug", "term"),
        digest=sha256(named.write_ndjson().encode()).hexdigest()[:16],
    )


def _terms(entries: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """One row per (drug, spelling): `drug, term, is_name, normal, signature, usable`."""
    names = drugs.select("drug", term="drug", is_name=pl.lit(value=True))
    synonyms = (
        entries.select("key", term=pl.col("synonyms").str.split("|"))
        .explode("term")
        .with_columns(term=clean_text_expr(pl.col("term")))
        .drop_nulls("term")
        .join(drugs.select("key", "drug"), on="key")
        .select("drug", "term", is_name=pl.lit(value=False))
        .unique()
    )
    normal = normal_form_expr(pl.col("term"))
    letters = normal.str.replace_all(" ", "", literal=True)
    usable = (letters.str.len_chars() >= 2) & letters.str.contains(r"\p{L}")
    return pl.concat([names, synonyms]).with_columns(
        normal=normal, usable=usable, signature=_signature_expr(pl.col("term"))
    )


def _signature_expr(term: pl.Expr) -> pl.Expr:
    """The gaps between a term's tokens as the punctuation signs they hold, in order of `GAP_SIGNS`: List[String]."""
    text = normal_characters_expr(term).str.replace(r"^[^\p{L}\p{N}]+", "").str.replace(r"[^\p{L}\p{N}]+$", "")
    gap = pl.element()
    signs = [
        pl.when(gap.str.contains(sign, literal=True)).then(pl.lit(sign)).otherwise(pl.lit("")) for sign in GAP_SIGNS
    ]
    return text.str.extract_all(_GAPS).list.eval(pl.concat_str(signs))


def _forms(usable: pl.DataFrame) -> pl.DataFrame:
    """Number the distinct (normal form, gaps): `form, tokens, gaps, short, signature`, the last one their key."""
    return (
        usable.select("normal", gaps="signature", signature=_form_key())
        .unique("signature")
        .sort("signature")
        .with_row_index("form")
        .select(
            "form",
            "gaps",
            "signature",
            tokens=pl.col("normal").str.split(" "),
            short=pl.col("normal").str.replace_all(" ", "", literal=True).str.len_chars() <= SHORT,
        )
    )


def _form_key() -> pl.Expr:
    return pl.col("normal") + pl.lit("|") + pl.col("signature").list.join("|")


def _anchors(forms: pl.DataFrame) -> pl.DataFrame:
    """The rarest token of each form: in the lexicon, then the longest, which titles hold least. Steers speed alone."""
    count = pl.col("tokens").list.len()
    return (
        forms.select(
            "form",
            "short",
            pl.col("tokens").alias("token"),
            position=pl.int_ranges(count, dtype=pl.UInt32),
            count=count,
        )
        .explode("token", "position")
        .with_columns(rarity=pl.len().over("token"), length=pl.col("token").str.len_chars())
        .sort("form", "rarity", "length", "position", descending=[False, False, True, False])
        .group_by("form", maintain_order=True)
        .agg(pl.col("token", "position", "count", "short").first())
    )


def _terms_of_forms(usable: pl.DataFrame, forms: pl.DataFrame) -> pl.DataFrame:
    """One row per (form, drug): the term that a mention names, the drug's own name before the smallest synonym."""
    return (
        usable.select("drug", "term", "is_name", signature=_form_key())
        .join(forms.select("form", "signature"), on="signature")
        .sort("form", "drug", "is_name", "term", descending=[False, False, True, False])
        .group_by("form", "drug", maintain_order=True)
        .agg(pl.col("term", "is_name").first())
    )
