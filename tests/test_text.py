"""Cleaning, case folding and journal keys, against tables and a plain-Python oracle."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.text import clean_text_expr, fold_case_expr, journal_key_expr, once_expr, where_expr

WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
ASSIGNED = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in {"Cn", "Cs"}]
SHORT = partial(clean_text_expr, short=True)
CLEANING = (clean_text_expr, SHORT)
ALL = (*CLEANING, fold_case_expr, journal_key_expr)

ExprFunction = Callable[[pl.Expr], pl.Expr]


def applied(function: ExprFunction, texts: Iterable[str | None]) -> list[str | None]:
    column = pl.LazyFrame({"text": texts}, schema={"text": pl.String})
    return column.select(function(pl.col("text"))).collect(engine="streaming")["text"].to_list()


def decoded_run(run: re.Match[str]) -> str:
    try:
        return bytes.fromhex(run.group().replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return ""


def cleaned(text: str) -> str | None:
    """The oracle of `clean_text_expr`."""
    composed = unicodedata.normalize("NFC", re.sub(r"(?:\\x[0-9A-Fa-f]{2})+", decoded_run, text))
    tidy = re.sub(f"[{WHITE_SPACE}]+", " ", composed).strip(" ")
    return None if tidy in {"", '""'} else tidy


def key(journal: str) -> str:
    """The oracle of `journal_key_expr`."""
    return re.sub(f"[{WHITE_SPACE}]", "", journal.casefold()).rstrip(".")


def escaped(characters: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in characters.encode())


pieces = st.one_of(
    st.sampled_from(
        ["\\", "\\x", "x", '"', "c3", "41", "\\xc3\\x28", "\\xC3\\xb1", "\\xED\\xA0\\x80", "e\u0301", "\u1100\u1161"]
    ),
    st.sampled_from([*WHITE_SPACE, "  ", "\x00", "\x1c", "\x1f", "\u200b", "\ufeff"]),
    st.binary(min_size=1, max_size=4).map(lambda data: "".join(f"\\x{byte:02X}" for byte in data)),
    st.characters(exclude_categories=["Cs", "Cn"]).map(escaped),
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=5),
    st.text(st.characters(max_codepoint=126), max_size=5),
)
texts = st.lists(pieces, max_size=8).map("".join)
words = st.text(st.sampled_from("aZ. ß\u1e9eΣς\u0130ﬁ\u0345\u00a0\u3000\tΐᾼ"), max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A plain title, 5-FU", "A plain title, 5-FU"),
        ("", None),
        (" ", None),
        ("\t", None),
        ('""', None),
        (' "" ', None),
        ('" "', '" "'),
        ('"', '"'),
        ("x", "x"),
        (" both  ends ", "both ends"),
        (" start", "start"),
        ("end ", "end"),
        ("a  b", "a b"),
        ("a\tb", "a b"),
        ("line\r\nbreak", "line break"),
        ("no\u00a0break\u3000\u2003here", "no break here"),
        ("zero\u200bwidth", "zero\u200bwidth"),
        ("file\x1cseparator", "file\x1cseparator"),
        ("e\u0301", "é"),
        ("\u212b", "Å"),
        ("q\u0307\u0323", "q\u0323\u0307"),
        (r"nursing\xc3\x28", "nursing"),
        (r"nursing \xc3\x28 care", "nursing care"),
        (r"El ni\xc3\xb1o", "El niño"),
        (r"El ni\xC3\xB1o", "El niño"),
        (r"e\xcc\x81", "é"),
        (r"a\xff", "a"),
        (r"\xff", None),
        (r"\x20", None),
        (r"\x22\x22", None),
        (r"a\x20\x20b", "a b"),
        (r"a\xc3\xb1\xffb", "ab"),
        (r"a\xc3 \xb1b", "a b"),
        (r"a\x00b", "a\x00b"),
        (r"a\x5cx41", r"a\x41"),
        (r"\x\xff41", r"\x41"),
        (r"\\x41", r"\A"),
        (r"\x4", r"\x4"),
        (r"\X41", r"\X41"),
        (r"\xg0 $\alpha$", r"\xg0 $\alpha$"),
    ],
)
def test_clean_text(text: str, expected: str | None) -> None:
    assert cleaned(text) == expected
    assert [applied(function, [text]) for function in CLEANING] == [[expected]] * len(CLEANING)


@given(st.lists(texts))
def test_cleaning_agrees_with_the_oracle(values: list[str]) -> None:
    expected = [cleaned(value) for value in values]
    assert [applied(function, values) for function in CLEANING] == [expected] * len(CLEANING)


@pytest.mark.parametrize("function", CLEANING)
def test_white_space_is_unicodes(function: ExprFunction) -> None:
    found = applied(function, [f"a{char}b" for char in ASSIGNED])
    assert [char for char, text in zip(ASSIGNED, found, strict=True) if text == "a b"] == sorted(WHITE_SPACE)


@pytest.mark.parametrize("function", CLEANING)
def test_every_character_is_composed(function: ExprFunction) -> None:
    values = [text for char in ASSIGNED for text in (f"x{char}", unicodedata.normalize("NFD", char), f"{char}\u0301")]
    assert applied(function, values) == [cleaned(value) for value in values]


def test_escapes_are_decoded_where_bytes_decode() -> None:
    edges = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    runs = [bytes([first]) for first in range(256)]
    runs += [bytes([first, second]) for first in range(256) for second in range(256)]
    runs += [bytes([first, *rest]) for first in range(0xDF, 0xF1) for rest in pairs(edges)]
    runs += [bytes([first, *rest, last]) for first in range(0xEF, 0xF7) for rest in pairs(edges) for last in edges]
    values = ["<" + "".join(f"\\x{byte:02x}" for byte in run) + ">" for run in runs]
    assert applied(clean_text_expr, values) == [cleaned(value) for value in values]


def pairs(edges: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(second, third) for second in edges for third in edges]


def test_every_character_folds_as_in_python() -> None:
    assert applied(fold_case_expr, ASSIGNED) == [char.casefold() for char in ASSIGNED]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn"])) | words))
def test_folding_agrees_with_python(values: list[str]) -> None:
    assert applied(fold_case_expr, values) == [value.casefold() for value in values]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ΟΔΟΣ", "οδοσ"),
        ("ςΣσ", "σσσ"),
        ("ﬁ", "fi"),
        ("ıI", "ıi"),
        ("", ""),
    ],
)
def test_fold_case(text: str, folded: str) -> None:
    assert applied(fold_case_expr, [text]) == [folded]


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        ("The Journal of pediatrics", "thejournalofpediatrics"),
        ("J. Pediatr.", "j.pediatr"),
        ("J. Pediatr. . ..", "j.pediatr"),
        ("Zeitschrift für\u00a0Straßen.", "zeitschriftfürstrassen"),
        ("a\tb\x1c", "ab\x1c"),
        (".", ""),
    ],
)
def test_journal_key(journal: str, expected: str) -> None:
    assert key(journal) == expected
    assert applied(journal_key_expr, [journal]) == [expected]


@given(st.lists(words))
def test_keys_agree_with_the_oracle(values: list[str]) -> None:
    assert applied(journal_key_expr, values) == [key(value) for value in values]


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_nulls_stay_null_while_streaming(function: ExprFunction, size: int) -> None:
    assert applied(function, [None] * size) == [None] * size
    assert applied(function, ["niño", None, "b c"] * size)[1::3] == [None] * size


@pytest.mark.parametrize("function", ALL)
def test_each_row_depends_on_itself_alone(function: ExprFunction) -> None:
    values = ["Plain", " ß", None, r"\xc3\xb1", '""', "ΣΑΣ. "]
    assert applied(function, values) == [row for value in values for row in applied(function, [value])]


@pytest.mark.parametrize("function", ALL)
def test_plans_stream(function: ExprFunction) -> None:
    assert filled_nodes(function) == 1
    assert filled_nodes(lambda text: function(text).sort()) == 2


def filled_nodes(function: ExprFunction) -> int:
    """Nodes of the plan that hold a frame in memory: the source, and whatever isn't elementwise."""
    plan = pl.LazyFrame({"text": ["a"]}).select(function(pl.col("text")))
    graph = plan.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    return str(graph).count("style=filled")


@pytest.mark.parametrize("function", ALL)
def test_the_column_keeps_its_name(function: ExprFunction) -> None:
    frame = pl.DataFrame({"title": [" A "], "synonyms": [[" A ", "B"]]})
    assert frame.with_columns(function(pl.col("title"))).columns == frame.columns
    in_lists = frame.select(pl.col("synonyms").list.eval(function(pl.element())))
    assert in_lists["synonyms"].to_list() == [applied(function, [" A ", "B"])]


def test_where_changes_what_needs_it() -> None:
    frame = pl.LazyFrame({"text": ["ab", "b", None]})
    marked = where_expr(pl.col("text"), lambda text: text.str.contains("a"), lambda text: pl.format("<{}>", text))
    assert frame.select(marked).collect()["text"].to_list() == ["<ab>", "b", None]


def test_once_binds_its_value() -> None:
    doubled = once_expr(pl.col("text").str.to_uppercase(), lambda text: text + text)
    assert pl.LazyFrame({"text": ["a", None]}).select(doubled).collect()["text"].to_list() == ["AA", None]
