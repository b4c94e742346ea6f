"""The Polars engine agrees with the oracle, on tables, on every character, and on titles that Hypothesis makes up."""

import sys
import unicodedata
from collections.abc import Sequence
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.matching import engine, oracle
from drugmentions.matching.engine import find_mentions
from drugmentions.matching.lexicon import Lexicon, build_lexicon
from drugmentions.matching.normalise import normal_form_expr
from drugmentions.model import SPANS
from tests.matching.engines import by_engine

Entry = tuple[str, str]  # a drug and its synonyms, separated by |


def lexicon_of(entries: Sequence[Entry]) -> Lexicon:
    rows = [{"drug": drug, "atccode": None, "synonyms": synonyms} for drug, synonyms in entries]
    return build_lexicon(pl.DataFrame(rows, schema=dict.fromkeys(("drug", "atccode", "synonyms"), pl.String)))


def terms_of(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    return [(drug, term) for drug, synonyms in entries for term in (drug, *synonyms.split("|")) if term]


def by_oracle(
    titles: Sequence[str | None], entries: Sequence[Entry], overlaps: Literal["longest", "all"] = "longest"
) -> list[list[oracle.Match]]:
    terms = terms_of(entries)
    return [oracle.find_mentions(title, terms, overlaps=overlaps) if title is not None else [] for title in titles]


ENTRIES = [
    ("ETHANOL", ""),
    ("EPINEPHRINE", "adrenaline"),
    ("Calcium carbonate", "CaCO3|chalk, precipitated"),
    ("2,4-Dinitrophenol", "2,4-DNP|DNP"),
    ("5-FU", "fluorouracil|5 fluorouracil"),
    ("NO", "nitric oxide"),
    ("nitric", "oxide|oxide synthase"),
    ("Sirolimus", "rapamycin (Rapamune)"),
    ("Αλφα", "ß-blocker|straße"),
    ("ﬁbrate", "naïve ﬁbrate"),
    ("\N{VULGAR FRACTION ONE HALF}-dose", "C₆₀"),
]
TITLES = [
    "Ethanol-induced injury: methanol, ETHANOL and norepinephrine",
    "Calcium, carbonate; calcium - carbonate; calcium/carbonate, calcium carbonate.",
    "2,4-dinitrophenol, 2 4 dinitrophenol and 2;4-dinitrophenol",
    "5-FU versus 5-fu and 5 FU; 5, FU",
    "NO production, no effect; No. 5 and nitric oxide synthase",
    "NO EFFECT OF NO IN CAPITALS",
    "Rapamycin (Rapamune), rapamycin Rapamune, rapamycin [Rapamune]",
    "ΑΛΦΑ, άλφα, αλφας and STRASSE, Straße; ß blocker",
    "The \N{LATIN SMALL LIGATURE FI}brate, fibrate™, naïve fibrate, naive ﬁbrate",
    "\N{VULGAR FRACTION ONE HALF}-dose, 1/2 dose, 1⁄2-dose; C60, C₆₀",
    "Etha\u00adnol, e\u0301thanol, etha\u200bnol\u0301\u0302 and ethanol\u00a0x",
    "",
    None,
    "   ",
    "...",
    "ethanol",
    "chalk precipitated; Chalk, precipitated",
]


@pytest.mark.parametrize("overlaps", ["longest", "all"])
def test_agrees_with_the_oracle_on_a_table(overlaps: Literal["longest", "all"]) -> None:
    assert by_engine(TITLES, lexicon_of(ENTRIES), overlaps) == by_oracle(TITLES, ENTRIES, overlaps)


def test_titles_do_not_run_into_each_other() -> None:
    lexicon = lexicon_of([("calcium carbonate", "")])
    for mark in ("", "é", "e\u0301"):  # the three ways of cutting titles into tokens
        for end in ("", " ", " - "):
            titles = [f"{mark} calcium{end}", f"carbonate {mark}", f"{mark} calcium carbonate"]
            assert [len(found) for found in by_engine(titles, lexicon)] == [0, 0, 1]


def assigned(step: int = 1) -> list[str]:
    """Characters with a category, but surrogates."""
    return [
        char for char in map(chr, range(0, sys.maxunicode + 1, step)) if unicodedata.category(char) not in {"Cn", "Cs"}
    ]


def disagreements(characters: Sequence[str]) -> list[str]:
    entries = [("abc", ""), ("def", ""), ("abcdef", ""), ("abc def", ""), ("abc1def", "abc, def")]
    titles = [f"Abc{char}def {char}DEF" for char in characters]
    pairs = zip(characters, by_engine(titles, lexicon_of(entries)), by_oracle(titles, entries), strict=True)
    return [f"U+{ord(char):04X}" for char, found, wanted in pairs if found != wanted]


def test_agrees_with_the_oracle_on_a_sample_of_all_characters() -> None:
    low = [char for char in map(chr, range(0x0250)) if unicodedata.category(char) != "Cn"]
    general_punctuation = [char for char in map(chr, range(0x2000, 0x2200)) if unicodedata.category(char) != "Cn"]
    assert disagreements([*low, *general_punctuation, *assigned(step=37)]) == []


@pytest.mark.slow
def test_agrees_with_the_oracle_on_every_character() -> None:
    assert disagreements(assigned()) == []


def test_the_normal_form_is_the_oracles_for_every_character() -> None:
    texts = [f"a{char}B {char}" for char in assigned(step=3)]
    forms = pl.select(normal_form_expr(pl.lit(pl.Series(texts)))).to_series().to_list()
    assert [text for text, form in zip(texts, forms, strict=True) if form != oracle.normal_form(text)] == []


WORDS = ["alpha", "beta", "gamma", "2", "4", "no", "NO", "x", "é", "e\u0301", "ﬁ", "½", "ß", "Σας", "ⅷ", "한", "A", "İ"]
GAPS = [" ", " ", " ", "-", ", ", ",", " (", ") ", ". ", "™", "\u00ad", "\u200b", "\u0301", " – ", "/", "  ", "：", "…"]
pieces = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=7)
texts = pieces.map(lambda parts: "".join(word + gap for word, gap in parts))
terms = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), min_size=1, max_size=3).map(
    lambda parts: "".join(word + gap for word, gap in parts).strip().replace("|", "")
)
entries_lists = st.lists(st.tuples(terms, st.lists(terms, max_size=2).map("|".join)), min_size=1, max_size=5)


def clean_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Entries as cleaning leaves them, a drug's once: what the oracle is to be asked about."""
    lexicon = lexicon_of(entries)
    spellings: dict[str, set[str]] = {drug: set() for drug in lexicon.drugs["drug"]}
    for drug, term in lexicon.terms.select("drug", "term").rows():
        spellings[drug].add(term)
    return [(drug, "|".join(sorted(synonyms - {drug}))) for drug, synonyms in spellings.items()]


@given(st.lists(texts | st.text(max_size=12), max_size=4), entries_lists, st.sampled_from(["longest", "all"]))
def test_agrees_with_the_oracle_on_made_up_titles(
    titles: list[str], entries: list[Entry], overlaps: Literal["longest", "all"]
) -> None:
    titles = [title for title in titles if all(unicodedata.category(char) not in {"Cn", "Cs"} for char in title)]
    assert by_engine(titles, lexicon_of(entries), overlaps) == by_oracle(titles, clean_entries(entries), overlaps)


@given(st.lists(texts, min_size=1, max_size=5), entries_lists)
def test_spans_hold_a_term_in_normal_form(titles: list[str], entries: list[Entry]) -> None:
    for title, found in zip(titles, by_engine(titles, lexicon_of(entries)), strict=True):
        for match in found:
            assert oracle.normal_form(match.term) in oracle.normal_form(title[match.start : match.end])


def test_a_plan_gives_the_rows_of_the_input_in_order() -> None:
    publications = pl.LazyFrame(
        {"id": ["1", "2", "3"], "title": ["Ethanol and epinephrine", "none", "ethanol, ethanol"]}
    )
    found = find_mentions(publications, lexicon_of(ENTRIES))
    assert found.collect_schema() == pl.Schema(
        {"id": pl.String(), "title": pl.String(), "drug": pl.String(), "spans": SPANS}
    )
    assert found.select("id", "drug", pl.col("spans").list.len()).collect().rows() == [
        ("1", "EPINEPHRINE", 1),
        ("1", "ETHANOL", 1),
        ("3", "ETHANOL", 2),
    ]


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = pl.LazyFrame({"title": TITLES * 3})
    whole = find_mentions(titles, lexicon_of(ENTRIES)).collect(engine="streaming")
    monkeypatch.setattr(engine, "_SLICE", 2)
    assert find_mentions(titles, lexicon_of(ENTRIES)).collect(engine="streaming").equals(whole)


def test_an_empty_frame_and_one_of_nulls_have_no_mentions() -> None:
    for titles in ([], [None, None]):
        frame = pl.LazyFrame({"title": titles}, schema={"title": pl.String})
        assert find_mentions(frame, lexicon_of(ENTRIES)).collect().is_empty()
