"""Both engines agree with the oracle, on tables, on every character, and on titles that Hypothesis makes up."""

import os
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from threading import Event
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.errors import MissingExtraError, NoDrugsError
from drugmentions.matching import compiled_engine, engine, oracle, polars_engine
from drugmentions.matching.compiled_engine import Finder
from drugmentions.matching.engine import find_mentions
from drugmentions.matching.kernel import LONGEST_TITLE
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


def test_tokens_of_any_size_are_found_beside_every_sign() -> None:
    entries = [(name, "") for name in ("a", "9", "a 9", "zz", "a0", "xyz", "zabaz", "Z9 a", "é")]
    words = ("", "a", "9", "ZZ", "A0", "xyz", "zabaz", "z9", "a")
    signs = [chr(code) for code in range(1, 128)]
    titles = [f"{sign.join(words)}{sign}{end}" for sign in signs for end in ("", "é")] + signs
    assert by_engine(titles, lexicon_of(entries)) == by_oracle(titles, entries)


def test_places_are_told_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = by_engine(TITLES, lexicon_of(ENTRIES))
    for piece in (1, 2, 7, 64):
        monkeypatch.setattr(polars_engine, "_PIECE", piece)
        assert by_engine(TITLES, lexicon_of(ENTRIES)) == wanted


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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere addresses aren't limited")
def test_a_long_title_full_of_names_takes_no_memory_for_each_of_them() -> None:
    script = """
import resource
import polars as pl
from drugmentions.matching.engine import Matcher
from drugmentions.matching.lexicon import build_lexicon
from drugmentions.matching.rules import PLAIN
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
lists = pl.DataFrame({"drug": ["beta-alanine"], "atccode": None, "synonyms": None}).cast(pl.String)
matcher = Matcher(build_lexicon(lists, PLAIN._replace(locants=True)), engine="polars")
print(matcher.find_spans(pl.Series(["beta-alanine-2-ate beta-alanine-2-at " * 20_000])).height)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("20000\n", 0), done.stderr


# The compiled engine, and which one is taken.


def test_the_compiled_engine_searches_titles_of_every_kind_itself() -> None:
    found, left = Finder(lexicon_of(ENTRIES), longest=True).find(pl.Series([*TITLES, None]))
    assert left.is_empty()
    assert found.height > len(TITLES) / 2


@pytest.mark.parametrize(
    "title",
    [
        "ethanol " * 9_000,  # places take 16 bits
        "ethanol " * 2_000,  # more candidates than there is room for
        "\N{SOFT HYPHEN}" * 70_000 + "ethanol",  # in normal form it is short
        f"{'ä' * 40_000} ethanol 5-FU",
    ],
    ids=["long", "many", "ignorable", "two bytes"],
)
def test_what_has_no_room_in_the_compiled_engine_is_found_by_the_other(title: str) -> None:
    titles = ["Oral 5-FU", title, "epinephrine"]
    first, found, last = by_engine(titles, lexicon_of(ENTRIES))
    assert (first[0].drug, found[0].drug, last[0].drug) == ("5-FU", "ETHANOL", "EPINEPHRINE")
    assert found[0].start == title.index("ethanol")
    assert len(found) == title.count("ethanol") + title.count("5-FU")


@pytest.mark.parametrize("size", range(LONGEST_TITLE - 2, LONGEST_TITLE + 2))
@pytest.mark.parametrize("filler", ["x", ".", "é", "\N{SUPERSCRIPT TWO}"])
def test_a_name_is_found_at_the_end_of_the_longest_title(filler: str, size: int) -> None:
    room = size - len(" ethanol")
    letters = filler * (room // len(filler.encode()))
    title = letters + "x" * (room - len(letters.encode())) + " ethanol"
    assert len(title.encode()) == size
    (found,) = by_engine([title], lexicon_of(ENTRIES))
    assert [(match.start, match.end) for match in found] == [(len(title) - 7, len(title))]


@pytest.mark.parametrize("filler", ["x", " ", "é", "日"])
@pytest.mark.parametrize("name", ["5-FU", "ethanol", "nitric oxide", "acide éthacrynique"])
def test_a_name_is_found_wherever_it_stands_in_words_of_eight_bytes(name: str, filler: str) -> None:
    ends = ["", " a", f". {filler * 70}"]
    titles = [f"a {filler * length} {name}{end}" for length in range(140) for end in ends]
    found = by_engine(titles, lexicon_of([(name, ""), ("other", "")]))
    places = [[(match.start, match.end) for match in matches] for matches in found]
    assert places == [[(length + 3, length + 3 + len(name))] for length in range(140) for _ in ends]


@pytest.mark.parametrize("shift", range(12))
def test_words_that_differ_in_one_letter_are_told_apart(shift: int) -> None:
    word = "abcdefghijklmnopqrstu"
    others = [word[:place] + "z" + word[place + 1 :] for place in range(len(word))]
    titles = ["x" * shift + " " + some for some in [word, *others, word[:-1], word + "v"]]
    found = by_engine(titles, lexicon_of([(word, "")]))
    assert [len(matches) for matches in found] == [1] + [0] * (len(titles) - 1)


def test_titles_in_chunks_slices_and_among_nulls_are_found_where_they_are() -> None:
    whole = pl.Series(["Ethanol", None, "x", "a longer title that names ethanol", "é ethanol"] * 7)
    chunks = pl.concat([whole, whole.slice(3, 20), whole.filter(whole != "x")], rechunk=False)
    titles = chunks.slice(2)
    by = {name: engine.Matcher(lexicon_of(ENTRIES), engine=name).find_spans(titles) for name in ("polars", "compiled")}
    assert by["compiled"].rows() == by["polars"].rows()
    assert titles.n_chunks() > 1
    rows = by["compiled"]["row"].to_list()
    assert rows == [row for row, title in enumerate(titles) if title and "ethanol" in title.lower()]


def test_characters_are_learnt_in_any_number_and_kept() -> None:
    finder = compiled_engine.Finder(lexicon_of(ENTRIES), longest=True)
    letters = [chr(code) for code in range(0x4E00, 0x5E00)]
    titles = pl.Series(["".join(letters[at : at + 16]) + " ethanol" for at in range(0, len(letters), 16)] * 2)
    for _ in range(2):
        found, left = finder.find(titles)
        assert left.is_empty()
        assert found["row"].to_list() == list(range(len(titles)))
        assert found["start"].unique().to_list() == [17]


def test_many_mentions_fill_the_room_again_and_again() -> None:
    titles = ["ethanol, epinephrine, nitric oxide, DNP, adrenaline", "nothing"] * 3_000
    found = by_engine(titles, lexicon_of(ENTRIES))
    assert [len(matches) for matches in found] == [5, 0] * 3_000


def test_a_drug_of_many_terms_is_too_much_for_the_compiled_engine_alone() -> None:
    entries = [(f"drug {number}", "ethanol") for number in range(1_100)]
    (found,) = by_engine(["Ethanol"], lexicon_of(entries))
    assert len(found) == 1_100


def test_the_compiled_engine_is_taken_for_many_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(engine, "WORTH_COMPILING", 3)
    monkeypatch.setattr(engine.Matcher, "_begin", lambda _self: started.append(True))
    matcher = engine.Matcher(lexicon_of(ENTRIES))
    matcher.find_spans(pl.Series(["ethanol"] * 2))
    assert not started
    matcher.find_spans(pl.Series(["ethanol"]))
    assert started
    begun = Event()
    monkeypatch.setattr(engine.Matcher, "_begin", lambda _self: begun.set())
    engine.Matcher(lexicon_of(ENTRIES)).expect(3)
    assert begun.wait(10)
    begun.clear()
    never = engine.Matcher(lexicon_of(ENTRIES), engine="polars")
    never.expect(3)
    assert never.find_spans(pl.Series(["ethanol"] * 3)).height == 3
    assert not begun.is_set()


def test_a_lexicon_is_made_while_many_titles_are_expected_and_what_fails_is_raised_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "WORTH_COMPILING", 3)
    asked = Event()
    lexicon = lexicon_of(ENTRIES)

    def make() -> Lexicon:
        asked.set()
        return lexicon

    for name in ("polars", "compiled", "auto"):
        asked.clear()
        matcher = engine.Matcher(make, engine=name)
        matcher.expect(2)
        assert not asked.is_set()
        matcher.expect(3)
        assert asked.wait(10)
        assert matcher.find_spans(pl.Series(["ethanol"])).height == 1

    def fail() -> Lexicon:
        asked.set()
        raise NoDrugsError("none", "name some")

    asked.clear()
    matcher = engine.Matcher(fail)
    matcher.expect(3)
    assert asked.wait(10)
    assert matcher.trouble is None
    with pytest.raises(NoDrugsError):
        matcher.find_spans(pl.Series(["ethanol"]))


def test_auto_goes_on_where_the_compiled_engine_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no LLVM here")

    monkeypatch.setattr(engine, "WORTH_COMPILING", 1)
    monkeypatch.setattr(compiled_engine, "Finder", broken)
    told: list[str] = []
    matcher = engine.Matcher(lexicon_of(ENTRIES), on_trouble=told.append)
    for _ in range(2):
        assert matcher.find_spans(pl.Series(["ethanol"])).height == 1
    assert str(matcher.trouble) == "no LLVM here"
    assert told == ["the compiled engine doesn't start, so Polars matches alone: no LLVM here"]
    with pytest.raises(RuntimeError, match="no LLVM here"):
        engine.Matcher(lexicon_of(ENTRIES), engine="compiled").find_spans(pl.Series(["ethanol"]))


@pytest.mark.parametrize("installed", ["", "0.7.0", "0.7.99", "nightly", "0.60.1"])
def test_without_numba_and_nanoarrow_auto_takes_polars_and_compiled_names_the_extra(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = "numba" if installed == "0.60.1" else "nanoarrow"

    def version(package: str) -> str:
        if package == lacking and not installed:
            raise PackageNotFoundError(package)
        return installed if package == lacking else "1.0.0"

    monkeypatch.setattr(engine, "version", version)
    monkeypatch.setattr(engine, "_version", engine._version.__wrapped__)
    monkeypatch.setattr(engine, "WORTH_COMPILING", 1)
    matcher = engine.Matcher(lexicon_of(ENTRIES))
    matcher.expect(1)
    assert not matcher.can_compile()
    assert matcher.find_spans(pl.Series(["ethanol"])).height == 1
    assert matcher.trouble is None
    with pytest.raises(MissingExtraError, match=r"nanoarrow 0\.8 or later") as raised:
        engine.Matcher(lexicon_of(ENTRIES), engine="compiled")
    assert "drugmentions[fast]" in raised.value.hint


@pytest.mark.parametrize("installed", ["0.8.0", "0.61", "0.10.0", "1.0.0rc1", "2"])
def test_later_versions_will_do(installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "version", lambda package: "0.61.0" if package == "numba" else installed)
    monkeypatch.setattr(engine, "_version", engine._version.__wrapped__)
    engine.check_engine("compiled")
    monkeypatch.setattr(engine, "WORTH_COMPILING", 1)
    matcher = engine.Matcher(lexicon_of(ENTRIES))
    assert [matcher.can_compile(rows) for rows in (0, 1)] == [False, True]
    matcher.expect(1)
    assert matcher.can_compile()


@pytest.mark.slow
def test_compiled_code_needs_no_place_to_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    script = """
import polars as pl
from drugmentions.matching.engine import Matcher
from drugmentions.matching.lexicon import build_lexicon
lists = pl.DataFrame({"drug": ["ethanol"], "atccode": None, "synonyms": None}).cast(pl.String)
print(Matcher(build_lexicon(lists), engine="compiled").find_spans(pl.Series(["Ethanol"])).rows())
"""
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file"), "HOME": str(tmp_path / "file")}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[(0, 'ethanol', 0, 7, 'ethanol')]\n", 0), done.stderr
