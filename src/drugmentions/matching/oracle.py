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

Rules (`rules.py`) change what is looked for, before step 1: a synonym loses the punctuation at its ends; `X
hydrochloride` is looked for as `X` too, an acid by its salt's name, a salt with its metal, a name in other spellings,
unless the drug has such a name anyway; stop names and names of targets and classes aren't looked for. And what counts,
in step 3: a candidate inside a longer name doesn't; salts that follow one, each after one blank, join its span. Of
equal spans, in step 4, those stand that took the fewest.

Spans are half-open, 0-based, in characters (code points) of the text as given, which need not be NFC. A character may
give several normal ones (U+00BD, one half, gives 1, a border and 2): tokens that start or end inside it take it whole,
so two tokens may share it. A span takes along the marks (category M) that directly follow its last character.

Letters are general category L, digits are N, marks are M, capitals are Lu and Lt, lower-case letters are Ll. The
interpreter brings its own Unicode tables; Python 3.11's are those of Unicode 14, so results are promised for the
characters of that version alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from drugmentions.matching.rules import PLAIN, Rules
from drugmentions.matching.words import (
    ACID,
    ANIONS,
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
    NOT_BEFORE,
    NUMBERED,
    PARENT_ENDINGS,
    RADICAL_ENDINGS,
    SALTS,
    SALTS_IN_A_ROW,
    SODIUM,
    SODIUM_SALT,
    SPELLINGS,
    SPELLINGS_AT_ONCE,
    STEM,
    TARGET_ENDINGS,
    TARGET_WORDS,
)

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


class Form(NamedTuple):
    """What is looked for: the tokens of a term, or what a rule made of them, and the signs that each gap may hold."""

    drug: str
    term: str
    words: tuple[str, ...]
    gaps: tuple[frozenset[str], ...]

    @property
    def normal(self) -> str:
        """The tokens, joined by one blank."""
        return " ".join(self.words)

    @property
    def size(self) -> int:
        """The number of letters and digits."""
        return sum(map(len, self.words))


def find_mentions(
    title: str,
    terms: Iterable[tuple[str, str]],
    *,
    overlaps: Literal["longest", "all"] = "longest",
    rules: Rules = PLAIN,
) -> list[Match]:
    """Return the mentions in `title`: one match per (span, drug), sorted by start, end, drug.

    `terms` holds (drug, term) pairs in any order, repeats allowed; a drug's own name matches only if it is one of its
    terms. Unusable terms are passed over. `overlaps="longest"` keeps the candidates that step 4 of the module's
    docstring leaves, "all" every one.
    """
    candidates = list(_candidates(title, forms_of(terms, rules), rules))
    spans = {(candidate.start, candidate.end) for candidate, _ in candidates}
    if overlaps == "all":
        return _one_per_drug(candidate for candidate, _ in candidates)
    kept = _without_beaten(spans)
    fewest = {span: min(salts for match, salts in candidates if match[:2] == span) for span in kept}
    return _one_per_drug(match for match, salts in candidates if fewest.get((match.start, match.end)) == salts)


def tokenize(text: str) -> list[Token]:
    """Return the tokens of the normal form of `text` in their order, with spans in `text` itself."""
    return [place.token for place in _places(text)]


def normal_form(text: str) -> str:
    """Return the tokens of `text`, joined by one blank."""
    return " ".join(token.text for token in tokenize(text))


# Step 1: the normal form.


class _Place(NamedTuple):
    """A token, and where it stands in the normal form of the text."""

    token: Token
    start: int
    end: int


def _places(text: str) -> list[_Place]:
    """Return the tokens of the normal form of `text` in their order."""
    places: list[_Place] = []
    gap: frozenset[str] = frozenset()
    normal = enumerate(_normal_characters(text))
    for in_token, group in groupby(normal, key=lambda entry: _is_letter_or_digit(entry[1][0])):
        indices, pairs = zip(*group, strict=True)
        characters, origins = zip(*pairs, strict=True)
        if in_token:
            token = Token("".join(characters), origins[0], _span_end(text, origins[-1]), gap)
            places.append(_Place(token, indices[0], indices[-1] + 1))
        elif places:  # what stands before the first token is no gap
            gap = GAP_SIGNS.intersection(characters)
    return places


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


# What is looked for.


def forms_of(terms: Iterable[tuple[str, str]], rules: Rules = PLAIN) -> list[Form]:
    """Return the forms of (drug, term) pairs, with those that rules add and without those that they drop."""
    listed = {_form_of(drug, _trimmed(drug, term) if rules.punctuation else term) for drug, term in terms}
    known = {form.normal for form in listed}
    added: set[Form] = set()
    if rules.salts:
        others = {
            other
            for form in listed
            for other in (*_without_salts(form, rules), *_acid_or_salt(form, rules), *_of_sodium(form, rules))
        }
        added |= {other for other in others if other.normal not in known}
    if rules.spelling:
        added |= {other for form in listed | added for other in _respelled(form)}
        added |= {other for form in listed | added for other in _recoded(form)}
        known |= {form.normal for form in added}
        forms = listed | added
        others = {other for form in forms for other in (*_with_other_end(form, rules), *_without_letter(form, rules))}
        added |= {other for other in others if other.normal not in known}
    own = {(form.drug, form.words, form.gaps) for form in listed}
    return [
        form
        for form in listed | {form for form in added if (form.drug, form.words, form.gaps) not in own}
        if form.words and not _is_dropped(form, rules)
    ]


def is_usable(term: str) -> bool:
    """Say whether `term` may match at all: its normal form has two letters and digits or more, one of them a letter."""
    return _is_usable(_form_of("", term))


def _form_of(drug: str, term: str) -> Form:
    tokens = tokenize(term)
    return Form(drug, term, tuple(token.text for token in tokens), tuple(token.gap for token in tokens[1:]))


def _trimmed(drug: str, term: str) -> str:
    """Cut punctuation off the ends of a synonym, if anything else is left."""
    return term if term == drug else term.strip(EDGES) or term


def _without_salts(form: Form, rules: Rules) -> Iterator[Form]:
    """Yield the form without the salts at its end, if what is left may be a drug's name."""
    kept = len(form.words)
    while kept > 1 and form.words[kept - 1] in SALTS:
        kept -= 1
    bare = form._replace(words=form.words[:kept], gaps=form.gaps[: kept - 1])
    if kept < len(form.words) and not any(form.gaps[kept - 1 :]):
        last = bare.words[-1]
        is_ion = not {last, re.sub("^(mono|di|tri|tetra)", "", last)}.isdisjoint(CATIONS)
        is_name = not is_ion and not last.endswith(tuple(NO_NAMES))
        if is_name and bare.normal not in SALTS and _takes_salts(bare, rules) and not _doubts(bare, rules):
            yield bare


def _acid_or_salt(form: Form, rules: Rules) -> Iterator[Form]:
    """Yield `Xate` for `Xic acid`, and the other way round."""
    if acid := re.fullmatch(f"({ACID})ic acid", form.normal):
        other = form._replace(words=tuple(f"{acid[1]}ate".split()), gaps=form.gaps[:-1])
    elif salt := re.fullmatch(f"({ACID})ate", form.normal):
        other = form._replace(words=(*f"{salt[1]}ic".split(), "acid"), gaps=(*form.gaps, frozenset()))
    else:
        return
    if other.words[-1] not in COUNTERIONS and not _doubts(other, rules):
        yield other


def _of_sodium(form: Form, rules: Rules) -> Iterator[Form]:
    """Yield `sodium X` for an X of one word that may be its salt."""
    if re.fullmatch(SODIUM_SALT, form.normal) and not _doubts(form, rules):
        for metal in SODIUM:
            yield form._replace(words=(metal, *form.words), gaps=(frozenset(), *form.gaps))


def _takes_salts(form: Form, rules: Rules) -> bool:
    return form.size > SHORT and form.normal not in rules.stop_words


def _respelled(form: Form) -> Iterator[Form]:
    """Yield the form with each combination of letters that stand for each other."""
    texts = {f" {form.normal} "}
    held = [pair for pair in SPELLINGS for text in texts if any(letters in text for letters in pair)]
    if len(held) > SPELLINGS_AT_ONCE:
        return
    for one, other in SPELLINGS:
        texts |= {text.replace(other, one) for text in texts} | {
            text.replace(one, other) for text in texts if other not in text
        }
    yield from (form._replace(words=tuple(text.split())) for text in texts)


def _recoded(form: Form) -> Iterator[Form]:
    """Yield a research code in one token for one in two, and back."""
    if code := re.fullmatch(f"({CODE_LETTERS})( ?)({CODE_DIGITS})", form.normal):
        letters, blank, digits = code.groups()
        yield (
            form._replace(words=(letters + digits,), gaps=())
            if blank
            else form._replace(words=(letters, digits), gaps=(frozenset(),))
        )


def _with_other_end(form: Form, rules: Rules) -> Iterator[Form]:
    """Yield a name of one word with another end."""
    for end, other in (ENDS, ENDS[::-1]):
        if re.fullmatch(STEM + end, form.normal):
            changed = form._replace(words=(form.normal.removesuffix(end) + other,))
            if not _doubts(changed, rules):
                yield changed


def _without_letter(form: Form, rules: Rules) -> Iterator[Form]:
    """Yield the name of an antibiotic without the letter that follows it."""
    bare = form._replace(words=form.words[:1], gaps=())
    if re.fullmatch(f"{LETTERED} [a-z][0-9]?", form.normal) and not any(form.gaps) and not _doubts(bare, rules):
        yield bare


def _is_dropped(form: Form, rules: Rules) -> bool:
    return any(getattr(rules, rule) for rule in _doubts(form, rules))


def _doubts(form: Form, rules: Rules) -> list[str]:
    """Name the rules that speak against a form."""
    against = {
        "unusable_names": not _is_usable(form),
        "stop_names": form.normal in rules.stop_words,
        "stop_synonyms": form.normal in rules.stop_words and form.term != form.drug,
        "class_names": _is_class(form),
    }
    return [rule for rule, holds in against.items() if holds]


def _is_usable(form: Form) -> bool:
    return form.size >= 2 and any(_category(char).startswith("L") for char in form.normal)


def _is_class(form: Form) -> bool:
    """Say whether a form is the name of a target or a class: by one of its tokens, the last one, or the first."""
    last = form.words[-1] if form.words else ""
    return (
        any(word in TARGET_WORDS or word.endswith(TARGET_ENDINGS) for word in form.words)
        or last in CLASS_WORDS
        or (last.startswith(ANTI) and last.endswith(ANTI_ENDINGS))
        or any(re.match(f"{word} ?[0-9]", form.normal) for word in NUMBERED)
    )


# Steps 2 and 3: candidates.


def _candidates(title: str, forms: Iterable[Form], rules: Rules) -> Iterator[tuple[Match, int]]:
    """Yield a match for every place where a form fits and counts, with the number of salts that it takes along."""
    places = _places(title)
    text = "".join(char for char, _ in _normal_characters(title))
    for form in forms:
        short = rules.short_names and form.size <= SHORT
        for first in range(len(places) - len(form.words) + 1):
            window = places[first : first + len(form.words)]
            start, end = window[0].token.start, window[-1].token.end
            if not _fits([place.token for place in window], form) or (short and not _short_counts(title, start, end)):
                continue
            if rules.locants and _in_longer_name(text[: window[0].start], text[window[-1].end :], short=short):
                continue
            salts: list[Token] = []
            if rules.salts and _takes_salts(form, rules):
                salts = _salts_that_follow(text, places[first + len(form.words) - 1 :])
                end = salts[-1].end if salts else end
            yield Match(start, end, form.term, form.drug), len(salts)


def _fits(window: Sequence[Token], form: Form) -> bool:
    """Say whether a window of title tokens is the form's, with no sign in a gap that the form's gap doesn't hold."""
    same_tokens = tuple(token.text for token in window) == form.words
    return same_tokens and all(token.gap <= gap for token, gap in zip(window[1:], form.gaps, strict=True))


def _short_counts(title: str, start: int, end: int) -> bool:
    """Say whether a short term counts: two capitals or a digit in its span, a lower-case letter in the title."""
    inside = [_category(char) for char in title[start:end]]
    capitals = sum(category in {"Lu", "Lt"} for category in inside)
    has_digit = any(category.startswith("N") for category in inside)
    return (capitals >= 2 or has_digit) and any(_category(char) == "Ll" for char in title)


def _in_longer_name(before: str, after: str, *, short: bool) -> bool:
    """Say whether what stands beside a candidate, in normal form, makes it a part of a longer name."""
    beside = before.removesuffix("-")
    beside = beside[:-1] if beside.endswith((")", "]", "}")) else beside
    locant = re.match("-([0-9][0-9,']*|[no])-([a-z]*)", after)
    return (
        beside.endswith(RADICAL_ENDINGS)
        or (locant is not None and locant[2].endswith(PARENT_ENDINGS))
        or re.match(f"[ -]({'|'.join(NOT_BEFORE)})([^a-z]|$)", after) is not None
        or (short and re.match("-[0-9]", after) is not None)
    )


def _salts_that_follow(text: str, places: Sequence["_Place"]) -> list[Token]:
    """Return the salts directly after the first of `places`, each one blank after the other."""
    salts: list[Token] = []
    for before, place in pairwise(places[: SALTS_IN_A_ROW + 1]):
        if place.token.text not in SALTS + ANIONS or text[before.end : place.start] != " ":
            break
        salts.append(place.token)
    return salts


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


def _category(char: str) -> str:
    return unicodedata.category(char)


def _is_letter_or_digit(char: str) -> bool:
    return _category(char)[0] in "LN"


def _is_mark(char: str) -> bool:
    return _category(char).startswith("M")


def _is_ignorable(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in DEFAULT_IGNORABLE)
