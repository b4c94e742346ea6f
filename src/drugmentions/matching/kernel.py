"""The loop over the bytes of titles that numba compiles: tokens, candidates, overlaps, terms.

What is rare and intricate it leaves to the other engine, title by title. It does what `polars_engine.py` does, and both
are held to `oracle.py`.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Hashes = NDArray[np.uint64]

LONGEST_TITLE: Final = (1 << 16) - 1
"""Bytes that a title may have here: places in it take 16 bits."""
CANDIDATES: Final = 1_024
"""Places that a title's candidates, or terms, may take here."""

_ZERO, _GOLDEN = np.uint64(0), np.uint64(0x9E3779B97F4A7C15)
_5, _6, _16, _32, _48, _59, _63 = (np.uint64(bits) for bits in (5, 6, 16, 32, 48, 59, 63))
_ONE, _PLACE = np.uint64(1), np.uint64(0xFFFF)
_BLANK, _HYPHEN = ord(" "), ord("-")
_CLOSING: Final = tuple(map(ord, ")]}"))


class Tables(NamedTuple):
    """A lexicon as arrays. Its words are its forms' tokens, form by form, and then the salts; forms are numbers.

    classes: for each byte its lower-case letter or digit, 0 for a border. signs: for each byte its bit among
    `GAP_SIGNS`. words, starts: word i is `words[starts[i]:starts[i + 1]]`. allowed: the signs that the gap behind a
    word may hold. first: a form's first word, and the first salt. position: where in the form its anchor stands.
    short, takes_salts: as in `Lexicon`. chain: forms by the hash of their anchors; hashes: those. slots: an
    open-addressing table of places in `chain` by hash, -1 where free. sieve: a bit for each hash. salts: sorted hashes
    of the salts, which stand in that order. terms_from, terms: the rows of terms of form i are
    `terms[terms_from[i]:terms_from[i + 1]]`. drugs: each row's.
    """

    classes: Bytes
    signs: NDArray[np.uint16]
    words: Bytes
    starts: Places
    allowed: NDArray[np.uint16]
    first: Places
    position: Places
    short: NDArray[np.bool_]
    takes_salts: NDArray[np.bool_]
    chain: Places
    hashes: Hashes
    slots: Places
    sieve: Hashes
    salts: Hashes
    terms_from: Places
    terms: Places
    drugs: Places


class OnTitles(NamedTuple):
    """What is applied to titles. salts_in_a_row: so many words a span takes along. locants: the rule is on.

    longest: of spans that overlap, only those that no other one beats.
    """

    salts_in_a_row: int
    locants: bool
    longest: bool


class Beside(NamedTuple):
    """What makes a place a part of a longer name: bytes of words, and where those of each kind start.

    radicals end before it, parents stand behind a locant behind it, not_before behind it.
    """

    words: Bytes
    radicals: Places
    parents: Places
    not_before: Places


class Others(NamedTuple):
    """The titles beyond ASCII, which come last: from `first` on, and from `uneven` on those whose places change.

    kinds: their own characters, for each an ASCII one that is a capital, a small letter or a digit if it is.
    kinds_from: where each title's start. origins: where in `at` and `reach` each uneven title's normal characters
    start; these are where a token that begins with the character starts in the title, and where one that ends with it
    ends.
    """

    first: int
    uneven: int
    kinds: Bytes
    kinds_from: Places
    origins: Places
    at: Places
    reach: Places


class Spans(NamedTuple):
    """Room for spans, one a place: they come by title, drug, start and end. term: a row of terms."""

    title: NDArray[np.uint32]
    start: NDArray[np.uint32]
    end: NDArray[np.uint32]
    term: NDArray[np.uint32]


_Function = TypeVar("_Function", bound=Callable[..., object])


def _cache_directory() -> str:
    """Where compiled code is kept: a directory of the user's cache for this very source, so that none is stale."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return str(Path(cache, "drugmentions", sha256(Path(__file__).read_bytes()).hexdigest()[:16]))


def _compiled(function: _Function) -> _Function:
    """Compile a function when it is first called, and keep it for later processes where there is a place for that."""
    settings: Any = numba.config
    before, settings.CACHE_DIR = settings.CACHE_DIR, settings.CACHE_DIR or _cache_directory()
    try:
        return cast("_Function", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except (RuntimeError, OSError):  # no place: it is compiled in every process
        return cast("_Function", numba.njit(nogil=True, error_model="numpy")(function))
    finally:
        settings.CACHE_DIR = before


@_compiled
def _with_letter(value: np.uint64, letter: np.uint8) -> np.uint64:
    """The hash of a word with one more letter. Twelve letters fit side by side; words are compared in the end."""
    return (value << _5 | value >> _59) ^ np.uint64(letter)


@_compiled
def _finished(value: np.uint64) -> np.uint64:
    """The hash with all its bits spread: golden ratio times 2^64, as Knuth's multiplicative hashing has it."""
    value *= _GOLDEN
    return value ^ value >> _32


@_compiled
def hash_words(words: Bytes, starts: Places) -> Hashes:
    """The hash of each word."""
    hashes = np.empty(starts.shape[0] - 1, np.uint64)
    for word in range(hashes.shape[0]):
        value = _ZERO
        for at in range(starts[word], starts[word + 1]):
            value = _with_letter(value, words[at])
        hashes[word] = _finished(value)
    return hashes


@_compiled
def fill_slots(hashes: Hashes, slots: Places, sieve: Hashes) -> None:
    """Enter the first place of each hash; they are sorted."""
    for place in range(hashes.shape[0]):
        if place == 0 or hashes[place] != hashes[place - 1]:
            slots[_slot_of(hashes[place], hashes, slots)] = place
            bit = _sieve_bit(hashes[place], sieve)
            sieve[np.int64(bit >> _6)] |= _ONE << (bit & _63)


@_compiled
def _slot_of(value: np.uint64, hashes: Hashes, slots: Places) -> np.int64:
    """Where a hash stands, or would."""
    mask = slots.shape[0] - 1
    slot = np.int64(value & np.uint64(mask))
    while slots[slot] >= 0 and hashes[slots[slot]] != value:
        slot = (slot + 1) & mask
    return slot


@_compiled
def _sieve_bit(value: np.uint64, sieve: Hashes) -> np.uint64:
    return (value >> _32) & np.uint64(sieve.shape[0] * 64 - 1)


# Tokens.


@_compiled
def _is_word(data: Bytes, begin: int, end: int, word: int, tables: Tables) -> bool:
    """Whether these bytes, in lower case, are the word."""
    start = tables.starts[word]
    if tables.starts[word + 1] - start != end - begin:
        return False
    for at in range(end - begin):  # noqa: SIM110  # numba compiles no generators
        if tables.classes[data[begin + at]] != tables.words[start + at]:
            return False
    return True


# Candidates.


@_compiled
def _fits(data: Bytes, begins: Places, ends: Places, token: int, form: int, tables: Tables) -> bool:
    """Whether the form's words stand from this token on, with no sign between them that its own gaps don't hold."""
    first = tables.first[form]
    count = tables.first[form + 1] - first
    for nth in range(count):
        if not _is_word(data, begins[token + nth], ends[token + nth], first + nth, tables):
            return False
    for nth in range(count - 1):
        for at in range(ends[token + nth], begins[token + nth + 1]):
            if tables.signs[data[at]] & ~tables.allowed[first + nth]:
                return False
    return True


@_compiled
def _salts_behind(
    data: Bytes, begins: Places, ends: Places, values: Hashes, token: int, tokens: int, most: int, tables: Tables
) -> int:
    """How many salts follow a token, each after one blank."""
    for count in range(most):
        after = token + count + 1
        if after >= tokens or begins[after] - ends[after - 1] != 1 or data[ends[after - 1]] != _BLANK:
            return count
        salt = np.searchsorted(tables.salts, values[after])
        if salt == tables.salts.shape[0] or tables.salts[salt] != values[after]:
            return count
        if not _is_word(data, begins[after], ends[after], tables.first[-1] + salt, tables):
            return count
    return most


@_compiled
def _counts_though_short(data: Bytes, begin: int, end: int, start: int, stop: int) -> bool:
    """Whether a short term's own characters hold two capitals or a digit, and the title has a lower-case letter.

    begin, end: its place in the title, which is `data[start:stop]`.
    """
    capitals = 0
    for at in range(start + begin, start + end):
        if 65 <= data[at] <= 90:
            capitals += 1
        elif 48 <= data[at] <= 57:
            capitals += 2
    if capitals >= 2:
        for at in range(start, stop):
            if 97 <= data[at] <= 122:
                return True
    return False


@_compiled
def _in_characters(data: Bytes, begin: int, end: int, start: int) -> tuple[int, int]:
    """A place in a title that starts at `start`, in characters instead of bytes of UTF-8."""
    before, within = 0, 0
    for at in range(start, start + begin):
        before += (data[at] & 0xC0) != 0x80
    for at in range(start + begin, start + end):
        within += (data[at] & 0xC0) != 0x80
    return before, before + within


@_compiled
def _stands(data: Bytes, start: int, stop: int, at: int, word: Bytes) -> bool:
    """Whether a word of small letters stands at a place of a title, in any case."""
    if at < start or at + word.shape[0] > stop:
        return False
    for nth in range(word.shape[0]):
        letter = data[at + nth]
        if (letter | 32 if 65 <= letter <= 90 else letter) != word[nth]:
            return False
    return True


@_compiled
def _is_letter(letter: np.uint8) -> np.bool_:
    return 65 <= letter <= 90 or 97 <= letter <= 122


@_compiled
def _ends_in_radical(data: Bytes, begin: int, start: int, beside: Beside) -> bool:
    """Whether what comes before a place is the name of a radical, a bracket and a hyphen maybe behind it."""
    at = begin
    if at > start and data[at - 1] == _HYPHEN:
        at -= 1
    if at > start and data[at - 1] in _CLOSING:
        at -= 1
    for nth in range(beside.radicals.shape[0] - 1):
        word = beside.words[beside.radicals[nth] : beside.radicals[nth + 1]]
        if at < begin and _stands(data, start, at, at - word.shape[0], word):
            return True
    return False


@_compiled
def _begins_with_locant(data: Bytes, end: int, start: int, stop: int, beside: Beside) -> bool:
    """Whether what comes behind a place is a locant, and what it belongs to, between hyphens: `-6-sulfate`."""
    at = end + 1
    if at >= stop or data[end] != _HYPHEN:
        return False
    if 48 <= data[at] <= 57:
        while at < stop and (48 <= data[at] <= 57 or data[at] == 39 or data[at] == 44):  # apostrophe, comma
            at += 1
    elif data[at] | 32 == 110 or data[at] | 32 == 111:  # n, o
        at += 1
    else:
        return False
    if at >= stop or data[at] != _HYPHEN:
        return False
    first = at + 1
    last = first
    while last < stop and _is_letter(data[last]):
        last += 1
    for nth in range(beside.parents.shape[0] - 1):
        word = beside.words[beside.parents[nth] : beside.parents[nth + 1]]
        if last - word.shape[0] >= first and _stands(data, start, stop, last - word.shape[0], word):
            return True
    return False


@_compiled
def _in_longer_name(
    data: Bytes,
    begin: int,
    end: int,
    start: int,
    stop: int,
    is_short: np.bool_,
    beside: Beside,
) -> bool:
    """Whether what stands beside a place makes it a part of a longer name: `polars_engine._IN_LONGER_NAME`."""
    if _ends_in_radical(data, begin, start, beside) or _begins_with_locant(data, end, start, stop, beside):
        return True
    if end + 1 < stop and data[end] == _HYPHEN and is_short and 48 <= data[end + 1] <= 57:
        return True
    if end < stop and (data[end] == _HYPHEN or data[end] == _BLANK):
        for nth in range(beside.not_before.shape[0] - 1):
            word = beside.words[beside.not_before[nth] : beside.not_before[nth + 1]]
            behind = end + 1 + word.shape[0]
            if _stands(data, start, stop, end + 1, word) and (behind == stop or not _is_letter(data[behind])):
                return True
    return False


@_compiled
def _sort(keys: Hashes, others: Hashes, count: int) -> None:
    """Sort pairs of numbers, which are few, in place."""
    for at in range(1, count):
        key, other, to = keys[at], others[at], at
        while to > 0 and (keys[to - 1] > key or (keys[to - 1] == key and others[to - 1] > other)):
            keys[to], others[to] = keys[to - 1], others[to - 1]
            to -= 1
        keys[to], others[to] = key, other


@_compiled
def _mark_beaten(places: Hashes, beaten: NDArray[np.bool_], count: int) -> None:
    """Mark each place that another one overlaps and beats: see `polars_engine._without_beaten`. They are sorted."""
    beaten[:count] = False
    for at in range(count):
        start, end = places[at] >> _48, (places[at] >> _32) & _PLACE
        for later in range(at + 1, count):
            later_start, later_end = places[later] >> _48, (places[later] >> _32) & _PLACE
            if later_start >= end:
                break
            if later_end - later_start > end - start:
                beaten[at] = True
            elif places[later] != places[at]:
                beaten[later] = True


# All of it in one function: numba hands tuples of arrays over by value, and calling several takes twice as long.


@_compiled
def search(  # noqa: C901, PLR0912, PLR0915
    data: Bytes,
    lengths: Places,
    others: Others,
    begin_at: int,
    first_title: int,
    tables: Tables,
    rules: OnTitles,
    beside: Beside,
    left: NDArray[np.bool_],
    found: Spans,
) -> tuple[int, int, int]:
    """Search titles from `first_title` on, as far as there is room in `found`.

    data: the titles' bytes in normal characters, a line feed behind each; lengths: theirs, without it. The first to
    be searched begins at `begin_at`. left: set to true for each title that isn't searched here. Returns how many spans
    were found, the title that comes next, and where it begins.
    """
    # A title's tokens, and which of them may be anchors.
    most = LONGEST_TITLE // 2 + 1
    begins, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    values, anchors = np.empty(most, np.uint64), np.empty(most, np.int64)
    # Its candidates as start, end and salts in 16, 16 and 32 bits, so that they sort, and their forms.
    places, forms, beaten = (
        np.empty(CANDIDATES, np.uint64),
        np.empty(CANDIDATES, np.uint64),
        np.empty(CANDIDATES, np.bool_),
    )
    # Its spans as drug, start and end, likewise, and their terms.
    spans, rows = np.empty(CANDIDATES, np.uint64), np.empty(CANDIDATES, np.uint64)
    entered, start = 0, begin_at
    for title in range(first_title, lengths.shape[0]):
        if entered > found.title.shape[0] - CANDIDATES:
            return entered, title, start
        stop = start + lengths[title]
        if lengths[title] > LONGEST_TITLE:
            left[title] = True
            start = stop + 1
            continue

        token_count, anchor_count, at = 0, 0, start
        while at < stop:
            letter = tables.classes[data[at]]
            if letter == 0:
                at += 1
                continue
            begins[token_count], value = at, _ZERO
            while letter != 0:  # it ends at the line feed at the latest
                value = _with_letter(value, letter)
                at += 1
                letter = tables.classes[data[at]]
            value = _finished(value)
            ends[token_count], values[token_count] = at, value
            bit = _sieve_bit(value, tables.sieve)
            if tables.sieve[np.int64(bit >> _6)] >> (bit & _63) & _ONE:
                anchors[anchor_count] = token_count
                anchor_count += 1
            token_count += 1

        count, is_left = 0, False
        for nth in range(anchor_count):
            token = anchors[nth]
            place = tables.slots[_slot_of(values[token], tables.hashes, tables.slots)]
            while 0 <= place < tables.chain.shape[0] and tables.hashes[place] == values[token]:
                form = tables.chain[place]
                place += 1
                first = token - tables.position[form]
                last = first + tables.first[form + 1] - tables.first[form] - 1
                if first < 0 or last >= token_count or not _fits(data, begins, ends, first, form, tables):
                    continue
                begin, end = begins[first], ends[last]
                if rules.locants and _in_longer_name(data, begin, end, start, stop, tables.short[form], beside):
                    continue
                if count == CANDIDATES:
                    is_left = True
                    break
                salts = 0
                if tables.takes_salts[form]:
                    salts = _salts_behind(data, begins, ends, values, last, token_count, rules.salts_in_a_row, tables)
                    end = ends[last + salts]
                begin, end = begin - start, end - start
                if title >= others.first:
                    begin, end = _in_characters(data, begin, end, start)
                if title >= others.uneven:
                    origin = others.origins[title - others.uneven]
                    begin, end = others.at[origin + begin], others.reach[origin + end - 1]
                if end > LONGEST_TITLE:
                    is_left = True
                    break
                if tables.short[form]:
                    if title < others.first:
                        counts = _counts_though_short(data, begin, end, start, stop)
                    else:
                        kinds = others.kinds_from[title - others.first : title - others.first + 2]
                        counts = _counts_though_short(others.kinds, begin, end, kinds[0], kinds[1])
                    if not counts:
                        continue
                places[count] = np.uint64(begin) << _48 | np.uint64(end) << _32 | np.uint64(salts)
                forms[count] = np.uint64(form)
                count += 1

        if count > 1:
            _sort(places, forms, count)
        if rules.longest:
            _mark_beaten(places, beaten, count)
        span_count = 0
        for nth in range(0 if is_left else count):
            if rules.longest and beaten[nth]:
                continue
            form = np.int64(forms[nth])
            for at in range(tables.terms_from[form], tables.terms_from[form + 1]):
                if span_count == CANDIDATES:
                    is_left = True
                    break
                row = tables.terms[at]
                spans[span_count] = np.uint64(tables.drugs[row]) << _32 | places[nth] >> _32
                rows[span_count] = np.uint64(row)
                span_count += 1
        if is_left:
            left[title] = True
            span_count = 0
        if span_count > 1:
            _sort(spans, rows, span_count)
        for nth in range(span_count):
            if nth == 0 or spans[nth] != spans[nth - 1]:
                found.title[entered] = title
                found.start[entered] = np.uint32((spans[nth] >> _16) & _PLACE)
                found.end[entered] = np.uint32(spans[nth] & _PLACE)
                found.term[entered] = np.uint32(rows[nth])
                entered += 1
        start = stop + 1
    return entered, lengths.shape[0], start
