"""The oracle against tables of small cases that a reader can check by eye, and against the rules it is to follow."""

import unicodedata
from collections.abc import Sequence
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.matching.oracle import Match, Token, find_mentions, is_usable, normal_form, tokenize

SHY = "\N{SOFT HYPHEN}"
ZWSP = "\N{ZERO WIDTH SPACE}"
ZWNJ = "\N{ZERO WIDTH NON-JOINER}"
ZWJ = "\N{ZERO WIDTH JOINER}"
WJ = "\N{WORD JOINER}"
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
RLM = "\N{RIGHT-TO-LEFT MARK}"
CGJ = "\N{COMBINING GRAPHEME JOINER}"  # ignorable and a mark (Mn)
VS16 = "\N{VARIATION SELECTOR-16}"  # ignorable and a mark (Mn)
VS17 = "\N{VARIATION SELECTOR-17}"  # the same beyond U+FFFF
NBSP = "\N{NO-BREAK SPACE}"
ACUTE = "\N{COMBINING ACUTE ACCENT}"  # Mn
CIRCLE = "\N{COMBINING ENCLOSING CIRCLE}"  # Me
AA_SIGN = "\N{DEVANAGARI VOWEL SIGN AA}"  # Mc
KA = "\N{DEVANAGARI LETTER KA}"
FINAL_SIGMA = "\N{GREEK SMALL LETTER FINAL SIGMA}"
SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
CAPITAL_SIGMA = "\N{GREEK CAPITAL LETTER SIGMA}"
ALPHA = "\N{GREEK SMALL LETTER ALPHA}"
CAPITAL_ALPHA = "\N{GREEK CAPITAL LETTER ALPHA}"
HALF = "\N{VULGAR FRACTION ONE HALF}"  # 1, border, 2
FI = "\N{LATIN SMALL LIGATURE FI}"  # fi
ROMAN_8 = "\N{ROMAN NUMERAL EIGHT}"  # viii, category Nl
ROMAN_2 = "\N{ROMAN NUMERAL TWO}"  # ii, category Nl
PRAYER = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"  # four words from one character
PRAYER_WORDS = unicodedata.normalize("NFKD", PRAYER).split(" ")


def names(*terms: str) -> list[tuple[str, str]]:
    """Every term a drug of its own, under its own name."""
    return [(term, term) for term in terms]


def found(
    title: str, terms: Sequence[tuple[str, str]], overlaps: Literal["longest", "all"] = "longest"
) -> list[tuple[str, str]]:
    """What stands in the title at each mention, with the drug."""
    return [(title[match.start : match.end], match.drug) for match in find_mentions(title, terms, overlaps=overlaps)]


def mentioned(title: str, *terms: str) -> list[str]:
    """Those of the terms, each its own drug, that the title mentions, in its order."""
    return [match.drug for match in find_mentions(title, names(*terms))]


# Step 1: the normal form.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # nothing, and nothing but borders
        ("", ""),
        (" ", ""),
        ("-", ""),
        ("...", ""),
        (ZWSP, ""),
        (ACUTE, ""),
        # lower case, and every border is one blank
        ("Aspirin", "aspirin"),
        ("ASPIRIN", "aspirin"),
        ("aspirin  tablets", "aspirin tablets"),
        (" aspirin ", "aspirin"),
        ("ethanol-induced", "ethanol induced"),
        ("2,4-Dinitrophenol", "2 4 dinitrophenol"),
        ("a_b", "a b"),
        ("a'b", "a b"),
        ("a\u2019b", "a b"),  # right single quotation mark
        ("a\tb\nc", "a b c"),
        (f"a{NBSP}b", "a b"),
        ("a/b+c=d", "a b c d"),
        ("a\U0001f48ab", "a b"),  # pill, So
        ("a\u2028b", "a b"),  # line separator
        ("a\x00b", "a b"),  # control character
        ("a\ue000b", "a b"),  # private use
        ("a\ud800b", "a b"),  # lone surrogate
        # letters and digits stay together
        ("vitamin B12", "vitamin b12"),
        ("5-FU", "5 fu"),
        ("H2O", "h2o"),
        # trademark signs are borders, not letters
        ("QUZYTTIR\u2122", "quzyttir"),
        ("QUZYTTIR\u2122hydrate", "quzyttir hydrate"),
        ("a\u2120b", "a b"),
        ("a\u00aeb", "a b"),
        ("a\u00a9b", "a b"),
        # ... but what looks like them is taken apart as any other
        ("\N{CIRCLED LATIN CAPITAL LETTER R}", "r"),
        ("\N{CIRCLED LATIN CAPITAL LETTER C}", "c"),
        ("\N{MODIFIER LETTER CAPITAL T}\N{MODIFIER LETTER CAPITAL M}", "tm"),
        # NFKD
        ("caf\u00e9ine", "cafeine"),
        (f"cafe{ACUTE}ine", "cafeine"),
        ("\u00c5ngstr\u00f6m", "angstrom"),
        ("\N{ANGSTROM SIGN}", "a"),
        ("\N{OHM SIGN}", "\N{GREEK SMALL LETTER OMEGA}"),
        ("\N{KELVIN SIGN}", "k"),
        ("\N{MICRO SIGN}g", "\N{GREEK SMALL LETTER MU}g"),
        (FI + "lgrastim", "filgrastim"),
        (ROMAN_8, "viii"),
        ("factor \N{ROMAN NUMERAL FOUR}", "factor iv"),
        ("\uff21\uff22\uff23\uff11", "abc1"),  # full-width ABC1
        ("\N{MATHEMATICAL BOLD CAPITAL A}", "a"),
        ("H\u2082O", "h2o"),  # subscript 2
        ("Ca\u00b2\u207a", "ca2"),  # superscript 2, superscript plus
        ("\N{SQUARE KG}", "kg"),
        ("\N{NUMERO SIGN}", "no"),
        ("\N{FEMININE ORDINAL INDICATOR}", "a"),
        (HALF, "1 2"),
        (f"1{HALF}", "11 2"),
        ("\N{PARENTHESIZED DIGIT ONE}", "1"),
        ("\N{DIGIT ONE FULL STOP}2", "1 2"),
        ("\N{HORIZONTAL ELLIPSIS}", ""),
        ("a\u00b4b", "a b"),  # acute accent: a blank and a mark
        ("a\u00a8b", "a b"),  # diaeresis: the same
        ("\u0149a", "\u02bcna"),  # n preceded by apostrophe: a modifier letter (Lm) and n
        (PRAYER, " ".join(PRAYER_WORDS)),
        # lower case of what NFKD gives
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
        ("\N{LATIN SMALL LETTER DOTLESS I}", "\N{LATIN SMALL LETTER DOTLESS I}"),
        ("\N{LATIN CAPITAL LETTER D WITH SMALL LETTER Z WITH CARON}", "dz"),
        ("\N{LATIN CAPITAL LETTER AE}", "\N{LATIN SMALL LETTER AE}"),
        ("\N{LATIN CAPITAL LETTER O WITH STROKE}", "\N{LATIN SMALL LETTER O WITH STROKE}"),
        ("\N{CYRILLIC CAPITAL LETTER SHORT I}", "\N{CYRILLIC SMALL LETTER I}"),
        ("\N{CHEROKEE LETTER A}", "\N{CHEROKEE SMALL LETTER A}"),
        # sharp s, sigma
        ("Stra\u00dfe", "strasse"),
        ("STRA\N{LATIN CAPITAL LETTER SHARP S}E", "strasse"),
        (FINAL_SIGMA, SIGMA),
        (f"{ALPHA}{FINAL_SIGMA}", f"{ALPHA}{SIGMA}"),
        (f"{CAPITAL_ALPHA}{CAPITAL_SIGMA}", f"{ALPHA}{SIGMA}"),  # a capital sigma at a word's end isn't final
        ("\N{GREEK LUNATE SIGMA SYMBOL}", SIGMA),
        # not case folding: U+017F decomposes, U+1E9A too; U+A64A and U+1C88 stay apart
        ("\N{LATIN SMALL LETTER LONG S}", "s"),
        ("\N{LATIN SMALL LETTER A WITH RIGHT HALF RING}", "a\u02be"),
        ("\N{CYRILLIC SMALL LETTER UNBLENDED UK}", "\N{CYRILLIC SMALL LETTER UNBLENDED UK}"),
        # marks of all three kinds are removed and break nothing
        (f"a{ACUTE}b", "ab"),
        (f"a{CIRCLE}b", "ab"),
        (f"{KA}{AA_SIGN}{KA}", KA + KA),
        (f"{ACUTE}ab", "ab"),
        (f"a {ACUTE}b", "a b"),
        (f"a{ACUTE}{ACUTE}{ACUTE}", "a"),
        ("\N{COMBINING GREEK YPOGEGRAMMENI}", ""),
        ("\N{HALFWIDTH KATAKANA LETTER KA}\N{HALFWIDTH KATAKANA VOICED SOUND MARK}", "\N{KATAKANA LETTER KA}"),
        ("\N{KATAKANA LETTER GA}", "\N{KATAKANA LETTER KA}"),
        ("\N{HANGUL SYLLABLE HAN}", "\u1112\u1161\u11ab"),
        # digits are of any script; other numbers too
        ("\N{ARABIC-INDIC DIGIT FIVE}a", "\N{ARABIC-INDIC DIGIT FIVE}a"),
        ("\N{CIRCLED DIGIT FIVE}a", "5a"),
        ("\N{AEGEAN NUMBER ONE}a", "\N{AEGEAN NUMBER ONE}a"),
        # symbols that look like letters are none
        ("a\N{DEGREE SIGN}b", "a b"),
        ("\N{ESTIMATED SYMBOL}", ""),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normal_form(text) == expected


@pytest.mark.parametrize(
    "char",
    [
        *("\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u17b5"),
        *("\u180b", "\u180d", "\u180e", "\u180f", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f"),
        *("\u202a", "\u202e", "\u2060", "\u2064", "\u2065", "\u2066", "\u206f", "\u3164"),
        *("\ufe00", "\ufe0f", "\ufeff", "\uffa0", "\ufff0", "\ufff8"),
        *("\U0001bca0", "\U0001bca3", "\U0001d173", "\U0001d17a"),
        *("\U000e0000", "\U000e0001", "\U000e007f", "\U000e0100", "\U000e01ef", "\U000e0fff"),
    ],
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_ignorable_characters_are_removed_and_break_nothing(char: str) -> None:
    assert normal_form(f"cetu{char}ximab") == "cetuximab"
    assert normal_form(f"{char}cetuximab{char}") == "cetuximab"
    assert normal_form(f"a {char} b") == "a b"
    assert normal_form(char) == ""


@pytest.mark.parametrize(
    "char",
    [
        *("\u00ac", "\u061b", "\u2000", "\u200a", "\u2010", "\u2027", "\u2028", "\u2029", "\u202f", "\u205f"),
        *("\ufe10", "\ufff9", "\ufffb", "\ufffd", "\U0001bc9f", "\U0001d16c"),
        *("\u061d", "\u180a", "\ufdff", "\ufefe", "\uff00", "\uffef", "\U0001bca4", "\U000dffff", "\U000e1000"),
        "\u0600",  # a format character that shows
    ],
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_neighbours_of_the_ignorable_ranges_are_borders(char: str) -> None:
    assert normal_form(f"a{char}b") == "a b"


@pytest.mark.parametrize("char", ["\u115e", "\u1161", "\u17b3", "\u1810"], ids=lambda char: f"U+{ord(char):04X}")
def test_letters_and_digits_next_to_the_ignorable_ranges_stay(char: str) -> None:
    assert normal_form(f"a{char}b") == f"a{char}b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("?!", []),
        ("aspirin", [("aspirin", 0, 7)]),
        ("  aspirin.", [("aspirin", 2, 9)]),
        ("5-FU", [("5", 0, 1), ("fu", 2, 4)]),
        ("QUZYTTIR\u2122", [("quzyttir", 0, 8)]),
        ("a\u00aeb", [("a", 0, 1), ("b", 2, 3)]),
        ("\U0001d400\U0001d401 c", [("ab", 0, 2), ("c", 3, 4)]),  # characters, not UTF-16 units or bytes
        # one character that gives several
        (FI + "x", [("fix", 0, 2)]),
        ("Stra\u00dfe", [("strasse", 0, 6)]),
        (ROMAN_8, [("viii", 0, 1)]),
        (HALF, [("1", 0, 1), ("2", 0, 1)]),
        (f"a{HALF}b", [("a1", 0, 2), ("2b", 1, 3)]),
        (HALF + HALF, [("1", 0, 1), ("21", 0, 2), ("2", 1, 2)]),
        (PRAYER, [(word, 0, 1) for word in PRAYER_WORDS]),
        ("\N{PARENTHESIZED DIGIT ONE}", [("1", 0, 1)]),
        # removed characters: inside, in front, behind
        (f"a{ACUTE}b", [("ab", 0, 3)]),
        (f"a{SHY}b", [("ab", 0, 3)]),
        (f"a{SHY}{ACUTE}{ZWSP}b", [("ab", 0, 5)]),
        (f"{ACUTE}ab", [("ab", 1, 3)]),
        (f"{SHY}ab", [("ab", 1, 3)]),
        (f"ab {ACUTE}cd", [("ab", 0, 2), ("cd", 4, 6)]),
        # trailing marks belong to the span, trailing ignorables don't
        (f"cafe{ACUTE} x", [("cafe", 0, 5), ("x", 6, 7)]),
        (f"cafe{ACUTE}{CIRCLE}", [("cafe", 0, 6)]),
        (KA + AA_SIGN, [(KA, 0, 2)]),
        (f"ab{SHY}", [("ab", 0, 2)]),
        (f"ab{ZWSP}{ACUTE}", [("ab", 0, 2)]),
        (f"ab{ACUTE}{ZWSP}{ACUTE}", [("ab", 0, 3)]),
        (f"ab{VS16}", [("ab", 0, 3)]),  # a mark as well
        (f"ab{CGJ}{VS17}", [("ab", 0, 4)]),
        (f"ab {ACUTE}", [("ab", 0, 2)]),
        (f"{HALF}{ACUTE}b", [("1", 0, 2), ("2b", 0, 3)]),
        (f"\N{DIGIT ONE FULL STOP}{ACUTE}b", [("1", 0, 2), ("b", 2, 3)]),
    ],
)
def test_tokens_and_their_spans(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(token.text, token.start, token.end) for token in tokenize(text)] == expected


@pytest.mark.parametrize(
    ("text", "gaps"),
    [
        ("a", [""]),
        ("(a)", [""]),  # nothing before the first token, nothing behind the last
        ("a b", ["", ""]),
        ("a-b/c_d", ["", "", "", ""]),
        ("a. b, c; d: e! f? g", ["", ".", ",", ";", ":", "!", "?"]),
        ("a (b) c [d] e", ["", "(", ")", "[", "]"]),
        ("a) (b", ["", "()"]),
        ("a...b", ["", "."]),
        ("a{b}c<d>e", ["", "", "", "", ""]),
        ('a "b" c', ["", "", ""]),
        ("a\u2013b\u2014c\u00b7d", ["", "", "", ""]),  # dashes, middle dot
        ("a\u2122, b", ["", ","]),
        (f"a{ZWSP},{SHY}b", ["", ","]),
        (f"a,{ACUTE}b", ["", ","]),
        ("a\uff0cb", ["", ","]),  # full-width comma
        ("a\uff08b\uff09c", ["", "(", ")"]),  # full-width brackets
        ("a\u2026b", ["", "."]),  # ellipsis
        ("a\u037eb", ["", ";"]),  # Greek question mark
        ("a\u203db", ["", ""]),  # interrobang: doesn't decompose
        ("a\u2047b", ["", "?"]),  # double question mark
        ("a\u3001b", ["", ""]),  # ideographic comma: doesn't decompose
        (f"a {HALF}", ["", "", ""]),  # fraction slash
        ("a\N{PARENTHESIZED DIGIT ONE}b", ["", "(", ")"]),
        ("\N{PARENTHESIZED DIGIT ONE}b", ["", ")"]),
        ("\N{DIGIT ONE FULL STOP}2", ["", "."]),
    ],
)
def test_gaps_hold_the_signs_between_two_tokens(text: str, gaps: list[str]) -> None:
    assert [token.gap for token in tokenize(text)] == [frozenset(gap) for gap in gaps]


def test_a_token_is_plain_data() -> None:
    assert tokenize("x, Y2") == [Token("x", 0, 1, frozenset()), Token("y2", 3, 5, frozenset({","}))]


@pytest.mark.parametrize(
    ("term", "usable"),
    [
        ("aspirin", True),
        ("no", True),
        ("5-FU", True),
        ("A1", True),
        ("a-b", True),  # two letters in two tokens
        ("1 a", True),
        ("\u00df", True),  # ss
        (FI, True),  # fi
        (ROMAN_2, True),  # ii: letters in the normal form
        ("\N{HANGUL SYLLABLE HAN}", True),  # three letters in the normal form
        ("", False),
        (" ", False),
        ("---", False),
        ("\u2122", False),
        (ZWSP, False),
        (ACUTE, False),
        ("a", False),
        ("A.", False),
        ("\u00e9", False),
        (f"e{ACUTE}", False),
        (f"a{ZWJ}", False),
        ("\N{ROMAN NUMERAL ONE}", False),  # i
        ("\N{ANGSTROM SIGN}", False),
        ("5", False),
        ("10", False),
        ("2,4", False),
        ("123456", False),
        (HALF, False),  # 1, 2
        ("\N{CIRCLED NUMBER TWENTY}", False),
        ("\N{CJK UNIFIED IDEOGRAPH-4E00}", False),
    ],
)
def test_a_usable_term_has_two_letters_and_digits_and_a_letter(term: str, usable: bool) -> None:
    assert is_usable(term) is usable


@pytest.mark.parametrize("term", ["", "-", "a", "10", "2,4", "\u2122"])
def test_unusable_terms_are_never_mentioned(term: str) -> None:
    title = "a A 10 2,4 \u2122 - Aspirin 5"
    assert find_mentions(title, [("drug", term), (term, term)]) == []
    assert mentioned(title, term, "aspirin") == ["aspirin"]


# Step 2: candidates.


@pytest.mark.parametrize(
    ("title", "term", "expected"),
    [
        # whole words
        ("ethanol-induced gastritis", "ethanol", True),
        ("Toxicity of methanol", "ethanol", False),
        ("Norepinephrine infusion", "epinephrine", False),
        ("Nor-epinephrine infusion", "epinephrine", True),
        ("ethanols", "ethanol", False),
        ("ethanol2", "ethanol", False),
        ("2ethanol", "ethanol", False),
        ("ethanol_2", "ethanol", True),
        ("(ethanol)", "ethanol", True),
        ("ethanol's", "ethanol", True),
        ("", "ethanol", False),
        ("...", "ethanol", False),
        # any case, marks, ligatures, signs, on either side
        ("ETHANOL", "ethanol", True),
        ("ethanol", "ETHANOL", True),
        ("\u00e9thanol", "ethanol", True),
        ("ethanol", "\u00e9thanol", True),
        (f"e{ACUTE}thanol", "\u00e9thanol", True),
        (f"etha{SHY}nol", "ethanol", True),
        ("ethanol", f"etha{ZWNJ}nol", True),
        (f"{BOM}ethanol{RLM}", "ethanol", True),
        (f"etha{WJ}nol", "ethanol", True),
        (f"{FI}lgrastim", "filgrastim", True),
        ("Ethanol\u2122", "ethanol", True),
        ("ethanol", "Ethanol\u00ae", True),
        ("Ethanol\u2122ic", "ethanol", True),
        ("EthanolTM", "ethanol", False),
        ("\uff25\uff34\uff28\uff21\uff2e\uff2f\uff2c", "ethanol", True),  # full-width
        ("\u03b1-tocopherol", "alpha tocopherol", False),  # Greek isn't spelled out
        ("\u0391-Tocopherol", "\u03b1 tocopherol", True),
        # tokens in a row
        ("calcium carbonate", "calcium carbonate", True),
        ("Calcium-Carbonate", "calcium carbonate", True),
        ("calcium carbonate", "calcium-carbonate", True),
        ("calcium   /  carbonate", "calcium carbonate", True),
        (f"calcium{NBSP}carbonate", "calcium carbonate", True),
        ("calcium\u2122 carbonate", "calcium carbonate", True),
        ("calciumcarbonate", "calcium carbonate", False),
        ("calcium carbonate", "calciumcarbonate", False),
        (f"calcium{ZWSP}carbonate", "calcium carbonate", False),  # removed, so one token
        ("calcium and carbonate", "calcium carbonate", False),
        ("carbonate calcium", "calcium carbonate", False),
        ("calcium", "calcium carbonate", False),
        ("carbonate", "calcium carbonate", False),
        ("calcium carbonates", "calcium carbonate", False),
        ("calcium calcium carbonate", "calcium carbonate", True),
        ("the calcium carbonate", "the calcium carbonate tablet", False),
        # each sign in a gap parts words
        ("calcium. Carbonate", "calcium carbonate", False),
        ("calcium, carbonate", "calcium carbonate", False),
        ("calcium; carbonate", "calcium carbonate", False),
        ("calcium: carbonate", "calcium carbonate", False),
        ("calcium! carbonate", "calcium carbonate", False),
        ("calcium? carbonate", "calcium carbonate", False),
        ("calcium (carbonate", "calcium carbonate", False),
        ("calcium) carbonate", "calcium carbonate", False),
        ("calcium [carbonate", "calcium carbonate", False),
        ("calcium] carbonate", "calcium carbonate", False),
        ("calcium\uff0ccarbonate", "calcium carbonate", False),  # full-width comma
        ("calcium\u2026carbonate", "calcium carbonate", False),  # ellipsis
        # other signs don't
        ("calcium {carbonate}", "calcium carbonate", True),
        ('calcium "carbonate"', "calcium carbonate", True),
        ("calcium \u2013 carbonate", "calcium carbonate", True),
        ("calcium & carbonate", "calcium carbonate", True),
        # signs outside the term don't matter
        ("(calcium carbonate), tablets", "calcium carbonate", True),
        ("salts: calcium carbonate.", "calcium carbonate", True),
        # the term's own signs are allowed, at their place only, and needn't be there
        ("2,4-dinitrophenol", "2,4-dinitrophenol", True),
        ("2, 4 dinitrophenol", "2,4-dinitrophenol", True),
        ("2-4-dinitrophenol", "2,4-dinitrophenol", True),
        ("2.4-dinitrophenol", "2,4-dinitrophenol", False),
        ("2.,4-dinitrophenol", "2,4-dinitrophenol", False),
        ("2,4,dinitrophenol", "2,4-dinitrophenol", False),
        ("2-4,dinitrophenol", "2,4-dinitrophenol", False),
        ("2,4-dinitrophenol", "2-4-dinitrophenol", False),
        ("sulfate (iron)", "sulfate (iron)", True),
        ("sulfate, iron", "sulfate (iron)", False),
        ("sulfate) (iron", "sulfate (iron)", False),
        ("iron(ii)sulfate", "iron(II) sulfate", True),
        ("iron ii sulfate", "iron(II) sulfate", True),
        ("iron (ii) (sulfate)", "iron(II) sulfate", False),
        # signs before a term's first token or behind its last allow nothing
        ("calcium, carbonate", ",calcium carbonate", False),
        ("calcium, carbonate", "calcium carbonate,", False),
        # ... and forbid nothing
        ("take calcium carbonate now", "(calcium carbonate)", True),
    ],
)
def test_a_term_stands_as_whole_words(title: str, term: str, expected: bool) -> None:
    assert mentioned(title, term) == ([term] if expected else [])


@pytest.mark.parametrize(
    ("title", "term", "expected"),
    [
        ("Ethanol.", "ethanol", ["Ethanol"]),
        ("ethanol, ETHANOL", "ethanol", ["ethanol", "ETHANOL"]),
        ("Calcium \u2013 Carbonate (oral)", "calcium carbonate", ["Calcium \u2013 Carbonate"]),
        ("5-fluoro-uracil\u2122", "5-fluoro uracil", ["5-fluoro-uracil"]),
        (f"{FI}lgrastim now", "filgrastim", [f"{FI}lgrastim"]),
        (f"etha{SHY}nol{SHY}!", "ethanol", [f"etha{SHY}nol"]),
        (f"Use cafe{ACUTE}!", "caf\u00e9", [f"cafe{ACUTE}"]),
        (f"Use cafe{ACUTE}{ACUTE}{ZWSP}{ACUTE}!", "caf\u00e9", [f"cafe{ACUTE}{ACUTE}"]),
        (f"Use {ACUTE}cafe!", "caf\u00e9", ["cafe"]),
        (f"ab{HALF} mol", "ab1", [f"ab{HALF}"]),  # the whole character
        (f"ab{HALF}mol", "2mol", [f"{HALF}mol"]),
        (f"ab{HALF}mol", "ab1/2mol", [f"ab{HALF}mol"]),
        (f"ab{HALF}mol", f"AB{HALF}Mol", [f"ab{HALF}mol"]),
    ],
)
def test_spans_are_in_the_characters_of_the_title(title: str, term: str, expected: list[str]) -> None:
    assert [fragment for fragment, _ in found(title, names(term))] == expected


# Step 3: short terms.


@pytest.mark.parametrize(
    ("title", "term", "expected"),
    [
        # two capitals or a digit
        ("Inhaled NO in newborns", "no", True),
        ("Inhaled NO in newborns", "NO", True),
        ("There is no evidence", "NO", False),
        ("No evidence", "NO", False),
        ("Inhaled nO", "NO", False),
        ("Effect of THC", "THC", True),
        ("Effect of ThC", "THC", True),
        ("Effect of Thc", "THC", False),
        ("Effect of thc", "THC", False),
        ("Oral NaF", "NaF", True),
        ("5-FU in cancer", "5-FU", True),
        ("5-fu in cancer", "5-FU", True),
        ("with 5fu", "5FU", True),
        ("vitamin b6", "B6", True),
        ("Growth factor il2", "IL-2", False),  # one token
        ("Growth factor il-2", "IL-2", True),
        # three or fewer, over all tokens of the normal form
        ("with abcd", "abcd", True),
        ("with abc", "abc", False),
        ("with a-b-c", "a-b-c", False),
        ("with a-b-c-d", "a-b-c-d", True),
        ("with ab cd", "ab cd", True),
        ("with ab c", "ab c", False),
        ("with A b C", "a b c", True),
        ("with abc\u00e9", "abc\u00e9", True),
        ("with ab\u00e9", "ab\u00e9", False),
        (f"with abe{ACUTE}", f"abe{ACUTE}", False),  # marks aren't counted
        (f"with a{SHY}b{SHY}c", f"a{SHY}b{SHY}c", False),  # nor ignorables
        ("with a\u00dfb", "a\u00dfb", True),  # assb
        ("with a\u00df", "a\u00df", False),  # ass
        (f"with {FI}ab", f"{FI}ab", True),  # fiab
        (f"with {FI}a", f"{FI}a", False),  # fia
        (f"with {FI}ab", "fiab", True),
        ("with \N{HANGUL SYLLABLE HAN}", "\N{HANGUL SYLLABLE HAN}", False),  # three letters
        ("with \N{HANGUL SYLLABLE HAN}\N{HANGUL SYLLABLE HAN}", "\N{HANGUL SYLLABLE HAN}" * 2, True),
        # it is the title's own characters that must hold them, in the span
        ("A B no", "NO", False),
        ("NOx and no", "no", False),
        ("with \uff2e\uff2f", "NO", True),  # full-width capitals are Lu
        ("with \N{MATHEMATICAL BOLD CAPITAL N}\N{MATHEMATICAL BOLD CAPITAL O}", "NO", True),
        ("with \N{NUMERO SIGN} 1", "NO", False),  # a symbol holds no capitals
        ("with \N{CIRCLED LATIN CAPITAL LETTER N}\N{CIRCLED LATIN CAPITAL LETTER O}", "NO", False),
        ("with \u00c9A", "ea", True),
        (f"with E{ACUTE}A", "ea", True),
        ("with \u01c5", "dz", False),  # one titlecase letter, Lt
        ("with A\u01c5", "adz", True),  # Lu and Lt
        ("with \u01c5\u01c5", "dzdz", True),  # four letters: not short
        ("with \N{CYRILLIC CAPITAL LETTER EN}\N{CYRILLIC CAPITAL LETTER O}", "NO", False),  # other letters
        ("with co\u2082", "CO2", True),  # subscript, No
        (f"factor {ROMAN_2}", "II", True),  # Nl is a digit
        ("factor ii", "II", False),
        ("factor ii", ROMAN_2, False),
        ("factor II", ROMAN_2, True),
        ("with a\N{ARABIC-INDIC DIGIT FIVE}", "a\N{ARABIC-INDIC DIGIT FIVE}", True),
        (f"with a{HALF} mol", "a1", True),
        # symbols that become letters are no capitals of the title
        ("with a\N{CIRCLED LATIN CAPITAL LETTER X}", "ax", False),
        # a lower-case letter somewhere in the title
        ("NO", "NO", False),
        ("INHALED NO", "NO", False),
        ("INHALED NO \N{MICRO SIGN}", "NO", True),  # Ll
        ("INHALED NO \N{FEMININE ORDINAL INDICATOR}", "NO", False),  # Lo
        ("INHALED NO \N{MODIFIER LETTER SMALL H}", "NO", False),  # Lm
        ("INHALED NO \u01c5", "NO", False),  # Lt
        ("INHALED NO \N{SMALL ROMAN NUMERAL ONE}", "NO", False),  # Nl
        ("INHALED NO \N{CIRCLED LATIN SMALL LETTER A}", "NO", False),  # So
        ("INHALED NO \N{CYRILLIC SMALL LETTER A}", "NO", True),
        ("5-FU IN CANCER", "5-FU", False),
        ("5-FU IN CANCERs", "5-FU", True),
        ("5-fU", "5-FU", True),  # in the span itself
        ("B12", "B12", False),
        ("b12", "B12", True),
        # long terms ask for nothing
        ("ETHANOL", "ethanol", True),
        ("IRON", "iron", True),
        ("iron", "IRON", True),
        ("A-B-C-D", "abcd", False),
        ("A-B-C-D", "a b c d", True),
    ],
)
def test_short_terms_ask_for_capitals_or_a_digit(title: str, term: str, expected: bool) -> None:
    assert mentioned(title, term) == ([term] if expected else [])


def test_short_terms_are_judged_at_each_place() -> None:
    assert find_mentions("no NO No NO2 no", names("no")) == [Match(3, 5, "no", "no")]


# Step 4: overlaps.


@pytest.mark.parametrize(
    ("title", "terms", "longest", "every"),
    [
        ("insulin glargine", ["insulin", "insulin glargine"], ["insulin glargine"], ["insulin", "insulin glargine"]),
        ("insulin glargine", ["glargine", "insulin glargine"], ["insulin glargine"], ["insulin glargine", "glargine"]),
        ("insulin, glargine", ["insulin", "insulin glargine"], ["insulin"], ["insulin"]),
        ("insulin glargine or insulin", ["insulin", "insulin glargine"], ["insulin glargine", "insulin"], None),
        # as many characters: the earlier one
        ("aaaa bbbb cccc", ["aaaa bbbb", "bbbb cccc"], ["aaaa bbbb"], ["aaaa bbbb", "bbbb cccc"]),
        # more characters, though later
        ("aaaa bbbb ccccc", ["aaaa bbbb", "bbbb ccccc"], ["bbbb ccccc"], ["aaaa bbbb", "bbbb ccccc"]),
        # more characters of the title, not of the term or more tokens
        ("aaaa   bbbb ccccc", ["aaaa bbbb", "bbbb ccccc"], ["aaaa   bbbb"], ["aaaa   bbbb", "bbbb ccccc"]),
        (f"aaaa be{ACUTE} cccc", ["aaaa be", "be cccc"], [f"aaaa be{ACUTE}"], [f"aaaa be{ACUTE}", f"be{ACUTE} cccc"]),
        ("a bb c dddddd", ["a bb c", "c dddddd"], ["c dddddd"], ["a bb c", "c dddddd"]),
        # side by side isn't overlap
        ("aaaa bbbb", ["aaaa", "bbbb"], ["aaaa", "bbbb"], ["aaaa", "bbbb"]),
        ("aaaa\u2122bbbb", ["aaaa", "bbbb"], ["aaaa", "bbbb"], ["aaaa", "bbbb"]),
        # beaten by one that lost itself: loses all the same
        ("aaaa bbbbb cccccc dddd", ["aaaa bbbbb", "bbbbb cccccc", "cccccc dddd"], ["bbbbb cccccc"], None),
        ("aaaa bbbbb cccc ddddddd", ["aaaa bbbbb", "bbbbb cccc", "cccc ddddddd"], ["aaaa bbbbb", "cccc ddddddd"], None),
        (
            "aaaa bbbb cccc dddd",
            ["aaaa bbbb", "bbbb cccc", "cccc dddd"],
            ["aaaa bbbb"],
            ["aaaa bbbb", "bbbb cccc", "cccc dddd"],
        ),
        (
            "aaaa bbbbb cccccc ddddddd",
            ["aaaa bbbbb", "bbbbb cccccc", "cccccc ddddddd"],
            ["cccccc ddddddd"],
            ["aaaa bbbbb", "bbbbb cccccc", "cccccc ddddddd"],
        ),
        (
            "abc\N{DIGIT ONE FULL STOP}abcd",
            ["abc1", "abcd"],
            ["abc\N{DIGIT ONE FULL STOP}", "abcd"],
            None,
        ),  # they touch
        # one term with itself
        ("aaaa aaaa aaaa", ["aaaa aaaa"], ["aaaa aaaa"], ["aaaa aaaa", "aaaa aaaa"]),
        ("aaaa aaaa aaaa aaaa", ["aaaa aaaa"], ["aaaa aaaa"], ["aaaa aaaa"] * 3),
        # a shared character is an overlap
        (f"abcd{HALF}efgh", ["abcd1", "2efgh"], [f"abcd{HALF}"], [f"abcd{HALF}", f"{HALF}efgh"]),
        (f"abcd{HALF}efghi", ["abcd1", "2efghi"], [f"{HALF}efghi"], [f"abcd{HALF}", f"{HALF}efghi"]),
        # short terms that don't count beat nothing, those that do beat as others
        ("x      no abcd", ["x no", "no abcd"], ["no abcd"], ["no abcd"]),
        ("X      No abcd", ["x no", "no abcd"], ["X      No"], ["X      No", "No abcd"]),
        ("x no", ["x no", "no"], [], []),
        ("x NO", ["x no", "no"], ["x NO"], ["x NO", "NO"]),
        ("sodium NO", ["sodium no", "no"], ["sodium NO"], ["sodium NO", "NO"]),
    ],
)
def test_overlaps(title: str, terms: list[str], longest: list[str], every: list[str] | None) -> None:
    assert [fragment for fragment, _ in found(title, names(*terms))] == longest
    if every is not None:
        assert [fragment for fragment, _ in found(title, names(*terms), "all")] == every


def test_equal_spans_stand_together() -> None:
    terms = [("acetaminophen", "apap gold"), ("paracetamol", "APAP-Gold"), ("gold", "gold")]
    assert find_mentions("Oral apap gold", terms) == [
        Match(5, 14, "apap gold", "acetaminophen"),
        Match(5, 14, "APAP-Gold", "paracetamol"),
    ]


def test_equal_spans_of_different_tokens_stand_together() -> None:
    _, second, third, _ = PRAYER_WORDS  # of four letters each; all words have the one character as their span
    assert find_mentions(PRAYER, [("y", third), ("x", second)]) == [Match(0, 1, second, "x"), Match(0, 1, third, "y")]
    assert find_mentions(PRAYER, [("x", third), ("x", second)]) == [Match(0, 1, min(second, third), "x")]
    assert find_mentions(PRAYER, [("x", third), ("x", second), ("x", f"{second} {third}")]) == [
        Match(0, 1, min(second, third), "x")
    ]


def test_overlaps_within_one_drug_count_as_between_two() -> None:
    terms = [("insulin", "insulin"), ("insulin", "insulin glargine")]
    assert find_mentions("insulin glargine", terms) == [Match(0, 16, "insulin glargine", "insulin")]
    assert find_mentions("insulin glargine", terms, overlaps="all") == [
        Match(0, 7, "insulin", "insulin"),
        Match(0, 16, "insulin glargine", "insulin"),
    ]


# Step 5: mentions.


@pytest.mark.parametrize(
    ("title", "terms", "expected"),
    [
        # the name, though a synonym is smaller
        ("ethyl alcohol", [("Ethyl Alcohol", "Ethyl Alcohol"), ("Ethyl Alcohol", "ETHYL ALCOHOL")], "Ethyl Alcohol"),
        ("ethyl alcohol", [("Ethyl Alcohol", "ETHYL ALCOHOL"), ("Ethyl Alcohol", "Ethyl Alcohol")], "Ethyl Alcohol"),
        # no name: the smallest synonym, by bytes
        ("ethyl alcohol", [("drug", "ethyl alcohol"), ("drug", "Ethyl-alcohol")], "Ethyl-alcohol"),
        ("ethyl alcohol", [("drug", "ethyl-alcohol"), ("drug", "ethyl alcohol")], "ethyl alcohol"),
        ("zeta", [("drug", "\u017feta"), ("drug", "z\u00e9ta"), ("drug", "ze\u0301ta")], "ze\u0301ta"),
        ("abcd", [("drug", "\uff41bcd"), ("drug", "\U0001d41abcd")], "\uff41bcd"),  # UTF-8, not UTF-16 order
        # the name is no term, or isn't there
        ("ethyl alcohol", [("ethanol", "ethanol"), ("ethanol", "ethyl alcohol")], "ethyl alcohol"),
        # each by its own gaps
        (
            "calcium, carbonate",
            [("calcium carbonate",) * 2, ("calcium carbonate", "Calcium,Carbonate")],
            "Calcium,Carbonate",
        ),
        (
            "calcium carbonate",
            [("calcium carbonate",) * 2, ("calcium carbonate", "Calcium,Carbonate")],
            "calcium carbonate",
        ),
        ("calcium, carbonate", [("x", "calcium.carbonate"), ("x", "calcium;,carbonate")], "calcium;,carbonate"),
        # a spelling with a sign too many is no synonym there
        ("calcium carbonate", [("x", "calcium, carbonate"), ("x", "calcium carbonate")], "calcium carbonate"),
        # only the exact name is the name
        ("ethanol", [("Ethanol", "ethanol"), ("Ethanol", "ETHANOL")], "ETHANOL"),
        # repeats
        ("ethanol", [("Ethanol", "Ethanol"), ("Ethanol", "Ethanol")], "Ethanol"),
    ],
)
def test_the_term_that_matched(title: str, terms: list[tuple[str, str]], expected: str) -> None:
    assert [match.term for match in find_mentions(title, terms)] == [expected]


def test_matches_are_sorted_by_start_end_and_drug() -> None:
    terms = [("z", "beta"), ("B", "beta"), ("a", "beta"), ("\u00e9", "alpha"), ("m", "alpha beta"), ("k", "alpha")]
    assert find_mentions("alpha beta, alpha", terms, overlaps="all") == [
        Match(0, 5, "alpha", "k"),
        Match(0, 5, "alpha", "\u00e9"),
        Match(0, 10, "alpha beta", "m"),
        Match(6, 10, "beta", "B"),
        Match(6, 10, "beta", "a"),
        Match(6, 10, "beta", "z"),
        Match(12, 17, "alpha", "k"),
        Match(12, 17, "alpha", "\u00e9"),
    ]


@pytest.mark.parametrize(("title", "terms"), [("", [("aa", "aa")]), ("aspirin", []), ("", [])])
def test_nothing_in_nothing(title: str, terms: list[tuple[str, str]]) -> None:
    assert find_mentions(title, terms) == []


# Properties, on texts dense with what is hard.

PIECES = ["a", "b", "B", "AB", "1", "abcd", " ", " ", "-", ",", "(", ".", "\u2122", "\u00e9", "\u00df", "\u01c5"]
PIECES += [FI, HALF, ROMAN_2, ACUTE, AA_SIGN, SHY, ZWSP, VS16, FINAL_SIGMA, "\N{PARENTHESIZED DIGIT ONE}", PRAYER]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
any_texts = texts | st.text(max_size=12)
term_lists = st.lists(st.tuples(st.sampled_from(["a", "ab", "abcd"]), texts), max_size=6)


@given(any_texts)
def test_the_normal_form_is_its_own(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


@given(any_texts)
def test_tokens_lie_in_the_text_in_order(text: str) -> None:
    tokens = tokenize(text)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert all(unicodedata.category(char)[0] in "LN" for token in tokens for char in token.text)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)
    assert [token.end for token in tokens] == sorted(token.end for token in tokens)


@given(any_texts)
def test_a_text_mentions_itself(text: str) -> None:
    tokens = tokenize(text)
    if is_usable(text) and sum(len(token.text) for token in tokens) > 3:
        assert Match(tokens[0].start, tokens[-1].end, text, "drug") in find_mentions(text, [("drug", text)])


@given(texts, term_lists, st.randoms(use_true_random=False))
def test_the_order_of_terms_and_repeats_change_nothing(
    title: str, terms: list[tuple[str, str]], random: Random
) -> None:
    shuffled = random.sample(terms * 2, 2 * len(terms))
    assert find_mentions(title, shuffled) == find_mentions(title, terms)


@given(texts, term_lists)
def test_those_that_stand_are_of_all_and_beat_the_rest(title: str, terms: list[tuple[str, str]]) -> None:
    every = find_mentions(title, terms, overlaps="all")
    longest = find_mentions(title, terms)
    stand = {(match.start, match.end) for match in longest}
    assert longest == [match for match in every if (match.start, match.end) in stand]
    for match in every:
        span = match.start, match.end
        others = {(other.start, other.end) for other in every if other.start < span[1] and span[0] < other.end}
        beaten_by = {other for other in others if (other[0] - other[1], other[0]) < (span[0] - span[1], span[0])}
        assert (span in stand) == (not beaten_by)
