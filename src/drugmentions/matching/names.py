"""The names of drug lists, and what the rules make of them: dropped, changed, or listed in another form as well."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import polars as pl

from drugmentions.matching.normalise import BORDERS, GAP_SIGNS, normal_characters_expr, normal_form_expr
from drugmentions.matching.rules import Rules
from drugmentions.matching.words import (
    ACID,
    ANTI,
    ANTI_ENDINGS,
    CATIONS,
    CLASS_WORDS,
    CODE_DIGITS,
    CODE_LETTERS,
    COUNTERIONS,
    EDGES,
    ENDS,
    LETTERED,
    NO_NAMES,
    NUMBERED,
    SALTS,
    SODIUM,
    SODIUM_SALT,
    SPELLINGS,
    SPELLINGS_AT_ONCE,
    STEM,
    TARGET_ENDINGS,
    TARGET_WORDS,
)
from drugmentions.text import clean_text_expr

SHORT: Final = 3
"""A term of so many letters and digits or fewer is short: it counts only in capitals, or with a digit."""

_DROPPING: Final = ("unusable_names", "stop_names", "stop_synonyms", "class_names")
_NORMAL: Final = pl.col("normal")
_LETTERS: Final = _NORMAL.str.replace_all(" ", "", literal=True)
_PADDED: Final = pl.concat_str(pl.lit(" "), _NORMAL, pl.lit(" "))
_LAST: Final = _NORMAL.str.extract(r"([^ ]*)$")


def read_names(entries: pl.DataFrame, drugs: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Every name of the lists with what became of it, one row per (drug, spelling) and form that a rule added to it.

    entries: one row per entry, cleaned: `key, drug, atccode, synonyms`. drugs: one row per drug: `key, drug`. Returns

    drug, term, is_name: whose name it is, as it is shown, and whether it is the drug's own.
    listed: how often the lists hold it. trimmed: whether `punctuation` changed its spelling.
    normal, gaps: its form: tokens parted by one blank, and the signs of `GAP_SIGNS` between them (List[String]).
    key: the form as text.
    short: whether the form is short, and counts only in capitals.
    added: the rule that added this form to what the list holds; null: the form is the list's own.
    doubt: the rule that drops the name or, where it is off, would: null if none.
    dropped: whether the name is left out.
    """
    names = _listed(entries, drugs).pipe(_trimmed, rules).pipe(_with_forms)
    if rules.salts:
        names = _with_more(names, rules, _without_salts, _acids_and_salts, _of_sodium)
    if rules.spelling:
        names = pl.concat([names, _respelled(names)])
        names = pl.concat([names, *_recoded(names)])
        names = _with_more(names, rules, _with_other_ends, _without_letters)
    names = names.with_columns(key=_NORMAL + pl.lit("|") + pl.col("gaps").list.join("|"))
    own = names.filter(pl.col("added").is_null())
    added = names.filter(pl.col("added").is_not_null()).unique(["drug", "term", "is_name", "key"], keep="first")
    dropping = [rule for rule in _DROPPING if getattr(rules, rule)]
    return (
        pl.concat([own, added.join(own, on=["drug", "key"], how="anti")])
        .lazy()  # what expressions share is computed once
        .with_columns(doubt=_doubt_expr(rules), short=(_LETTERS.str.len_chars() <= SHORT) & rules.short_names)
        .with_columns(dropped=pl.col("doubt").is_in(dropping).fill_null(value=False) | (_NORMAL == ""))
        .sort("drug", "term", "is_name", "key")
        .collect()
    )


def _with_more(
    names: pl.DataFrame, rules: Rules, *makers: Callable[[pl.DataFrame, Rules], pl.DataFrame]
) -> pl.DataFrame:
    """The names, and what each of the makers makes of them; they work side by side."""
    with ThreadPoolExecutor() as pool:
        more: list[pl.DataFrame] = list(pool.map(lambda maker: maker(names, rules), makers))
    return pl.concat([names, *more])


def _listed(entries: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """The names as the lists hold them: `drug, term, is_name, listed`."""
    names = entries.group_by("key").agg(listed=pl.len()).join(drugs.select("key", "drug"), on="key")
    synonyms = (
        entries.select("key", term=pl.col("synonyms").str.split("|"))
        .explode("term")
        .with_columns(term=clean_text_expr(pl.col("term")))
        .drop_nulls("term")
        .join(drugs.select("key", "drug"), on="key")
        .group_by("drug", "term")
        .agg(listed=pl.len())
    )
    return pl.concat(
        [
            names.select("drug", term="drug", is_name=pl.lit(value=True), listed="listed"),
            synonyms.select("drug", "term", is_name=pl.lit(value=False), listed="listed"),
        ]
    )


def _trimmed(names: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Cut punctuation off the ends of synonyms; a drug's own name is what it is known by. Adds `trimmed`."""
    if not rules.punctuation:
        return names.with_columns(trimmed=pl.lit(value=False))
    bare = pl.col("term").str.strip_chars(EDGES)
    trimmed = ~pl.col("is_name") & (bare != pl.col("term")) & (bare != "")
    return (
        names.with_columns(term=pl.when(trimmed).then(bare).otherwise("term"), trimmed=trimmed)
        .group_by("drug", "term", "is_name")
        .agg(pl.col("listed").sum(), pl.col("trimmed").all())
    )


def _with_forms(names: pl.DataFrame) -> pl.DataFrame:
    """Add `normal`, `gaps`, and `added`, null for the forms of the list itself."""
    text = normal_characters_expr(pl.col("term")).str.replace(f"^{BORDERS}", "").str.replace(f"{BORDERS}$", "")
    gap = pl.element()
    signs = [
        pl.when(gap.str.contains(sign, literal=True)).then(pl.lit(sign)).otherwise(pl.lit("")) for sign in GAP_SIGNS
    ]
    return names.with_columns(
        normal=normal_form_expr(pl.col("term")),
        gaps=text.str.extract_all(BORDERS).list.eval(pl.concat_str(signs)),
        added=pl.lit(None, pl.String),
    )


def _without_salts(names: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """`X` for each `X hydrochloride`, unless X is a listed name itself or wouldn't be a drug's name."""
    salts = "|".join(SALTS)
    bare = names.with_columns(normal=_NORMAL.str.extract(rf"^(.*?)(?: (?:{salts}))+$")).drop_nulls("normal")
    kept = _NORMAL.str.count_matches(" ", literal=True)
    ion = rf"^(?:mono|di|tri|tetra)?(?:{'|'.join(CATIONS)})$"
    no_name = rf"(?:{'|'.join(NO_NAMES)})$"
    is_name = ~_LAST.str.contains(ion) & ~_LAST.str.contains(no_name) & ~_NORMAL.is_in(SALTS) & takes_salts_expr(rules)
    return (
        bare.filter(is_name & _doubt_expr(rules).is_null())
        .join(names, on="normal", how="anti")
        .filter(pl.col("gaps").list.slice(kept).list.join("") == "")  # `Sulfate, Atropine` is another matter
        .with_columns(gaps=pl.col("gaps").list.head(kept), added=pl.lit("salts"))
    )


def _acids_and_salts(names: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """`Xate` for each `Xic acid`, and back, unless that is a listed name itself, or mostly a part of others."""
    acid, salt = rf"^({ACID})ic acid$", rf"^({ACID})ate$"
    salts = names.filter(_NORMAL.str.contains(acid)).with_columns(
        normal=_NORMAL.str.replace(acid, "${1}ate"), gaps=pl.col("gaps").list.head(pl.col("gaps").list.len() - 1)
    )
    acids = names.filter(_NORMAL.str.contains(salt)).with_columns(
        normal=_NORMAL.str.replace(salt, "${1}ic acid"), gaps=pl.concat_list("gaps", pl.lit(""))
    )
    return (
        pl.concat([salts, acids])
        .filter(~_LAST.is_in(COUNTERIONS) & _doubt_expr(rules).is_null())
        .join(names, on="normal", how="anti")
        .with_columns(added=pl.lit("salts"))
    )


def _of_sodium(names: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """`sodium X` for each X of one word that may be its salt, unless that is a listed name itself."""
    salts = names.filter(_NORMAL.str.contains(f"^{SODIUM_SALT}$") & _doubt_expr(rules).is_null())
    return (
        pl.concat(salts.with_columns(normal=pl.concat_str(pl.lit(f"{metal} "), _NORMAL)) for metal in SODIUM)
        .join(names, on="normal", how="anti")
        .with_columns(gaps=pl.concat_list(pl.lit(""), "gaps"), added=pl.lit("salts"))
    )


def takes_salts_expr(rules: Rules) -> pl.Expr:
    """Whether a name, by its form in `normal`, may have a salt: not if it is short or a stop name (`blood calcium`)."""
    return (_LETTERS.str.len_chars() > SHORT) & ~_NORMAL.is_in(rules.stop_words)


def _respelled(names: pl.DataFrame) -> pl.DataFrame:
    """The names that hold letters of `SPELLINGS`, with those that stand for them: every combination of few."""
    held = names.filter(_PADDED.str.contains_any([letters for pair in SPELLINGS for letters in pair]))
    pairs_held = pl.sum_horizontal(_PADDED.str.contains_any(list(pair)) for pair in SPELLINGS)
    held = respelled = held.filter(pairs_held <= SPELLINGS_AT_ONCE)
    for one, other in SPELLINGS:
        has_other = _PADDED.str.contains(other, literal=True)  # which may hold `one`
        ways = ((other, one, has_other), (one, other, _PADDED.str.contains(one, literal=True) & ~has_other))
        others = [
            respelled.filter(holds).with_columns(
                normal=_PADDED.str.replace_all(old, new, literal=True).str.strip_chars(" "), added=pl.lit("spelling")
            )
            for old, new, holds in ways
        ]
        respelled = pl.concat([respelled, *others])
    return respelled.slice(held.height)


def _recoded(names: pl.DataFrame) -> list[pl.DataFrame]:
    """Research codes, few letters and many digits, in one token for those in two (`FK-506`, `FK506`), and back."""
    in_two, in_one = (rf"^({CODE_LETTERS}){gap}({CODE_DIGITS})$" for gap in (" ", ""))
    ways: tuple[tuple[str, str, list[str]], ...] = ((in_two, "$1$2", []), (in_one, "$1 $2", [""]))
    return [
        names.filter(_NORMAL.str.contains(old)).with_columns(
            normal=_NORMAL.str.replace(old, new), gaps=pl.lit(gaps, pl.List(pl.String)), added=pl.lit("spelling")
        )
        for old, new, gaps in ways
    ]


def _with_other_ends(names: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Names of one word in `in` for those in `ine`, and back, unless that is a listed name itself."""
    others = [
        names.filter(_NORMAL.str.contains(rf"^{STEM}{ends}$")).with_columns(
            normal=_NORMAL.str.replace(rf"{ends}$", others)
        )
        for ends, others in (ENDS, ENDS[::-1])
    ]
    return (
        pl.concat(others)
        .filter(_doubt_expr(rules).is_null())
        .join(names, on="normal", how="anti")
        .with_columns(added=pl.lit("spelling"))
    )


def _without_letters(names: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Names of antibiotics without the letter that follows them, unless that is a listed name itself."""
    return (
        names.filter(_NORMAL.str.contains(rf"^{LETTERED} [a-z][0-9]?$") & (pl.col("gaps").list.join("") == ""))
        .with_columns(normal=_NORMAL.str.extract("^([^ ]+)"), gaps=pl.lit([], pl.List(pl.String)))
        .filter(_doubt_expr(rules).is_null())
        .join(names, on="normal", how="anti")
        .with_columns(added=pl.lit("spelling"))
    )


# Doubts: names that are no drug's.


def _doubt_expr(rules: Rules) -> pl.Expr:
    """The rule that speaks against a name, by its form in `normal`, or null; of several, one that is on."""
    unusable = (_LETTERS.str.len_chars() < 2) | ~_LETTERS.str.contains(r"\p{L}")
    against = {
        "unusable_names": unusable,
        "stop_names": _NORMAL.is_in(rules.stop_words),
        "stop_synonyms": _NORMAL.is_in(rules.stop_words) & ~pl.col("is_name"),
        "class_names": _is_class_expr(),
    }
    by_weight = sorted(against, key=lambda rule: not getattr(rules, rule))
    return pl.coalesce(pl.when(against[rule]).then(pl.lit(rule)) for rule in by_weight)


def _is_class_expr() -> pl.Expr:
    """Whether a name is that of a target (a receptor, an enzyme) or of a class of drugs, not of a drug."""
    target = rf"(?:^| )(?:{'|'.join(TARGET_WORDS)}|[^ ]*(?:{'|'.join(TARGET_ENDINGS)}))(?: |$)"
    numbered = rf"^(?:{'|'.join(NUMBERED)}) ?[0-9]"
    anti = _LAST.str.starts_with(ANTI) & _LAST.str.contains(rf"(?:{'|'.join(ANTI_ENDINGS)})$")
    return _NORMAL.str.contains(target) | _NORMAL.str.contains(numbered) | _LAST.is_in(CLASS_WORDS) | anti


def count_rules(names: pl.DataFrame) -> dict[str, int]:
    """What each rule of the lists did: names changed, names dropped, forms added; and how many names are short."""
    own = pl.col("added").is_null()
    counts = {"punctuation": own & pl.col("trimmed")}
    counts |= {rule: own & pl.col("dropped") & (pl.col("doubt") == rule) for rule in _DROPPING}
    counts |= {rule: ~pl.col("dropped") & (pl.col("added") == rule) for rule in ("salts", "spelling")}
    counts |= {"short_names": own & pl.col("short") & ~pl.col("dropped")}
    return dict(names.select(holds.sum().alias(rule) for rule, holds in counts.items()).row(0, named=True))
