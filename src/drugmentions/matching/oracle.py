"""The slow, readable definition of what a mention is: the fast engines are tested against it.

A drug is mentioned by a title when one of its terms stands there as whole words. In this order:

1. Normal form. Each character is taken alone: a trademark sign (U+2122, U+2120, U+00AE, U+00A9) is a border; any other
   is brought to NFKD and lower case (sharp s is ss, final sigma is sigma), and marks and ignorable characters are
   removed from what that gives. Tokens are the maximal runs of letters and digits; all else is a border. A removed
   character is no border: the letters on its two sides are neighbours.
2. Candidates. A term's tokens stand in a row in the title, and each gap holds no punctuation (`GAP_SIGNS`) that the
   term's gap at the same place doesn't hold.
3. Short terms, of three letters and digits or fewer, are candidates only where the title's own characters hold two
   capitals or a digit, in a title with a lower-case letter. Terms without a letter, or of one character, never are.
4. Overlaps. A candidate loses if another that overlaps it covers more characters, or as many and starts earlier, even
   if that other one loses in its turn: each is compared with all candidates. Equal spans stand together.
5. A mention names the term that matched: the drug's name if that fits at the span, else its smallest synonym that does.

Spans are half-open, 0-based, in characters (code points) of the text as given, which need not be NFC. A character may
give several normal ones (U+00BD, one half, gives 1, a border and 2): tokens that start or end inside it take it whole,
so two tokens may share it. A span takes along the marks (category M) that directly follow its last character.

Letters are general category L, digits are N, marks are M, capitals are Lu and Lt, lower-case letters are Ll. The
interpreter brings its own Unicode tables; Python 3.11's are those of Unicode 14, so results are promised for the
characters of that version alone.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

BORDER_SIGNS = frozenset("\N{TRADE MARK SIGN}\N{SERVICE MARK}\N{REGISTERED SIGN}\N{COPYRIGHT SIGN}")
GAP_SIGNS = frozenset(".,;:!?()[]")
FOLDED = {"\N{LATIN SMALL LETTER SHARP S}": "ss", "\N{GREEK SMALL LETTER FINAL SIGMA}": "\N{GREEK SMALL LETTER SIGMA}"}
SHORT = 3  # letters and digits of the normal form, all tokens of the term together

# Default_Ignorable_Code_Point of the Unicode Character Database (DerivedCoreProperties.txt), both ends included.
DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),  # zero width space, non-joiner and joiner, direction marks
    (0x202A, 0x202E),  # direction embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, direction isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # zero width no-break space, the byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFF8),  # reserved
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, supplementary variation selectors
)


class Token(NamedTuple):
    """A maximal run of letters and digits of the normal form.

    `start` and `end` are a span in the text as given; `gap` holds those of `GAP_SIGNS` that stand, in the normal form,
    between the token before and this one (empty for the first token).
    """

    text: str
    start: int
    end: int
    gap: frozenset[str]


class Match(NamedTuple):
    """One drug at one span of a title, with the term that matched, spelled as it was given."""

    start: int
    end: int
    term: str
    drug: str


def find_mentions(
    title: str,
    terms: Sequence[tuple[str, str]],
    *,
    overlaps: Literal["longest", "all"] = "longest",
) -> list[Match]:
    """Return the mentions in `title`: one match per (span, drug), sorted by start, end, drug.

    `terms` holds (drug, term) pairs in any order, repeats allowed; a drug's own name matches only if it is one of its
    terms. Unusable terms are passed over. `overlaps="longest"` keeps the candidates that step 4 of the module's
    docstring leaves, "all" every one.
    """
    candidates = list(_candidates(title, terms))
    spans = {(candidate.start, candidate.end) for candidate in candidates}
    kept = spans if overlaps == "all" else _without_beaten(spans)
    return _one_per_drug(candidate for candidate in candidates if (candidate.start, candidate.end) in kept)


def tokenize(text: str) -> list[Token]:
    """Return the tokens of the normal form of `text` in their order, with spans in `text` itself."""
    tokens: list[Token] = []
    gap: frozenset[str] = frozenset()
    for in_token, group in groupby(_normal_characters(text), key=lambda pair: _is_letter_or_digit(pair[0])):
        characters, origins = zip(*group, strict=True)
        if in_token:
            tokens.append(Token("".join(characters), origins[0], _span_end(text, origins[-1]), gap))
        elif tokens:  # what stands before the first token is no gap
            gap = GAP_SIGNS.intersection(characters)
    return tokens


def normal_form(text: str) -> str:
    """Return the tokens of `text`, joined by one blank."""
    return " ".join(token.text for token in tokenize(text))


def is_usable(term: str) -> bool:
    """Say whether `term` may match at all: its normal form has two letters and digits or more, one of them a letter."""
    characters = _letters_and_digits(tokenize(term))
    return len(characters) >= 2 and any(_category(char).startswith("L") for char in characters)


# Step 1: the normal form.


def _normal_characters(text: str) -> Iterator[tuple[str, int]]:
    """Yield each normal character, borders included, with the index of the character of `text` that gave it."""
    for index, char in enumerate(text):
        for normal in _normalise(char):
            yield normal, index


def _normalise(char: str) -> str:
    """Return what one character becomes in the normal form: none, one or several characters."""
    if char in BORDER_SIGNS:
        return " "
    lowered = "".join(part.lower() for part in unicodedata.normalize("NFKD", char))
    folded = "".join(FOLDED.get(part, part) for part in lowered)
    return "".join(part for part in folded if not _is_mark(part) and not _is_ignorable(part))


def _span_end(text: str, last: int) -> int:
    """Return the end of a span whose last character is `text[last]`, the marks that directly follow it taken along."""
    end = last + 1
    while end < len(text) and _is_mark(text[end]):
        end += 1
    return end


# Steps 2 and 3: candidates.


def _candidates(title: str, terms: Sequence[tuple[str, str]]) -> Iterator[Match]:
    """Yield a match for every place where a usable term fits and, if it is short, counts."""
    title_tokens = tokenize(title)
    for drug, term in terms:
        if not is_usable(term):
            continue
        term_tokens = tokenize(term)
        short = len(_letters_and_digits(term_tokens)) <= SHORT
        for first in range(len(title_tokens) - len(term_tokens) + 1):
            window = title_tokens[first : first + len(term_tokens)]
            start, end = window[0].start, window[-1].end
            if _fits(window, term_tokens) and (not short or _short_counts(title, start, end)):
                yield Match(start, end, term, drug)


def _fits(window: Sequence[Token], term_tokens: Sequence[Token]) -> bool:
    """Say whether a window of title tokens is the term's, with no sign in a gap that the term's gap doesn't hold."""
    same_tokens = [token.text for token in window] == [token.text for token in term_tokens]
    inner_gaps = zip(window[1:], term_tokens[1:], strict=True)
    return same_tokens and all(found.gap <= allowed.gap for found, allowed in inner_gaps)


def _short_counts(title: str, start: int, end: int) -> bool:
    """Say whether a short term counts: two capitals or a digit in its span, a lower-case letter in the title."""
    inside = [_category(char) for char in title[start:end]]
    capitals = sum(category in {"Lu", "Lt"} for category in inside)
    has_digit = any(category.startswith("N") for category in inside)
    return (capitals >= 2 or has_digit) and any(_category(char) == "Ll" for char in title)


# Steps 4 and 5: overlaps, and one match for each drug.


def _without_beaten(spans: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the spans that no other one, overlapping, beats by length, or as long and starting earlier."""
    every = set(spans)

    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        overlap = one[0] < other[1] and other[0] < one[1]
        return overlap and (one[1] - one[0], -one[0]) > (other[1] - other[0], -other[0])

    return {span for span in every if not any(beats(other, span) for other in every)}


def _one_per_drug(candidates: Iterable[Match]) -> list[Match]:
    """Return one match per (span, drug), sorted so, with the drug's name if it is there, else the smallest synonym.

    Strings compare by code point, which is the order of their UTF-8 bytes.
    """

    def span_and_drug(match: Match) -> tuple[int, int, str]:
        return match.start, match.end, match.drug

    ranked = sorted(candidates, key=lambda match: (*span_and_drug(match), match.term != match.drug, match.term))
    return [next(same) for _, same in groupby(ranked, key=span_and_drug)]


# Classes of characters.


def _letters_and_digits(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def _category(char: str) -> str:
    return unicodedata.category(char)


def _is_letter_or_digit(char: str) -> bool:
    return _category(char)[0] in "LN"


def _is_mark(char: str) -> bool:
    return _category(char).startswith("M")


def _is_ignorable(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in DEFAULT_IGNORABLE)
