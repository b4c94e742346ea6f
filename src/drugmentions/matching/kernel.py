"""The loop over the bytes of titles that numba compiles: tokens, candidates, overlaps, terms.

What is rare and intricate it leaves to the other engine, title by title. It does what `polars_engine.py` does, and both
are held to `oracle.py`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar, cast

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

_SEED, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_6, _16, _32, _48, _63 = (np.uint64(bits) for bits in (6, 16, 32, 48, 63))
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


class _Room(NamedTuple):
    """Room for one title. begins, ends, values: its tokens' places and hashes; hits: those that may be anchors.

    places: candidates as start, end and salts, in 16, 16 and 32 bits, so that they sort; forms: theirs. keys: spans as
    drug, start and end, likewise; rows: their terms. beaten: which of the candidates are.
    """

    begins: Places
    ends: Places
    values: Hashes
    hits: Places
    places: Hashes
    forms: Hashes
    keys: Hashes
    rows: Hashes
    beaten: NDArray[np.bool_]


_Function = TypeVar("_Function", bound=Callable[..., object])


def _compiled(function: _Function) -> _Function:
    """Compile a function when it is first called, and keep it for later processes where there is a place for that."""
    try:
        return cast("_Function", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # neither beside this file nor in the user's cache
        return cast("_Function", numba.njit(nogil=True, error_model="numpy")(function))


@_compiled
def hash_words(words: Bytes, starts: Places) -> Hashes:
    """FNV-1a of each word."""
    hashes = np.empty(starts.shape[0] - 1, np.uint64)
    for word in range(hashes.shape[0]):
        value = _SEED
        for at in range(starts[word], starts[word + 1]):
            value = (value ^ np.uint64(words[at])) * _PRIME
        hashes[word] = value
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
def _find_tokens(data: Bytes, start: int, stop: int, tables: Tables, room: _Room) -> tuple[int, int]:
    """Enter the tokens of a title; returns how many there are, and how many of them may be anchors."""
    tokens, hits, at = 0, 0, start
    while at < stop:
        letter = tables.classes[data[at]]
        if letter == 0:
            at += 1
            continue
        room.begins[tokens], value = at, _SEED
        while letter != 0:  # it ends at the line feed at the latest
            value = (value ^ np.uint64(letter)) * _PRIME
            at += 1
            letter = tables.classes[data[at]]
        room.ends[tokens], room.values[tokens] = at, value
        bit = _sieve_bit(value, tables.sieve)
        if tables.sieve[np.int64(bit >> _6)] >> (bit & _63) & _ONE:
            room.hits[hits] = tokens
            hits += 1
        tokens += 1
    return tokens, hits


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
def _fits(data: Bytes, token: int, form: int, tables: Tables, room: _Room) -> bool:
    """Whether the form's words stand from this token on, with no sign between them that its own gaps don't hold."""
    first = tables.first[form]
    count = tables.first[form + 1] - first
    for nth in range(count):
        if not _is_word(data, room.begins[token + nth], room.ends[token + nth], first + nth, tables):
            return False
    for nth in range(count - 1):
        for at in range(room.ends[token + nth], room.begins[token + nth + 1]):
            if tables.signs[data[at]] & ~tables.allowed[first + nth]:
                return False
    return True


@_compiled
def _salts_behind(data: Bytes, token: int, tokens: int, most: int, tables: Tables, room: _Room) -> int:
    """How many salts follow a token, each after one blank."""
    for count in range(most):
        after = token + count + 1
        if after >= tokens or room.begins[after] - room.ends[after - 1] != 1 or data[room.ends[after - 1]] != _BLANK:
            return count
        salt = np.searchsorted(tables.salts, room.values[after])
        if salt == tables.salts.shape[0] or tables.salts[salt] != room.values[after]:
            return count
        if not _is_word(data, room.begins[after], room.ends[after], tables.first[-1] + salt, tables):
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
def _in_title(data: Bytes, begin: int, end: int, start: int, title: int, others: Others) -> tuple[int, int]:
    """A place in a title's normal bytes as one in its own characters."""
    if title < others.first:
        return begin, end
    begin, end = _in_characters(data, begin, end, start)
    if title < others.uneven:
        return begin, end
    first = others.origins[title - others.uneven]
    return others.at[first + begin], others.reach[first + end - 1]


@_compiled
def _may_be_in_longer_name(data: Bytes, begin: int, end: int, start: int, stop: int) -> bool:
    """Whether something stands beside a place that the rule on longer chemical names has to look at."""
    if begin > start and (data[begin - 1] == _HYPHEN or data[begin - 1] in _CLOSING):
        return True
    if end + 1 < stop and data[end] == _HYPHEN:
        after = data[end + 1]
        if 48 <= after <= 57 or after | 32 == 110 or after | 32 == 111:  # a digit, n, o
            return True
    return False


@_compiled
def _find_candidates(
    data: Bytes,
    title: int,
    start: int,
    stop: int,
    tokens: int,
    hits: int,
    others: Others,
    tables: Tables,
    rules: OnTitles,
    room: _Room,
) -> int:
    """Enter the places where forms fit and count; returns how many, or -1 where the title is to be left."""
    count = 0
    for token in room.hits[:hits]:
        place = tables.slots[_slot_of(room.values[token], tables.hashes, tables.slots)]
        while 0 <= place < tables.chain.shape[0] and tables.hashes[place] == room.values[token]:
            form = tables.chain[place]
            place += 1
            first = token - tables.position[form]
            last = first + tables.first[form + 1] - tables.first[form] - 1
            if first < 0 or last >= tokens or not _fits(data, first, form, tables, room):
                continue
            begin, end = room.begins[first], room.ends[last]
            if count == CANDIDATES or (rules.locants and _may_be_in_longer_name(data, begin, end, start, stop)):
                return -1
            salts = 0
            if tables.takes_salts[form]:
                salts = _salts_behind(data, last, tokens, rules.salts_in_a_row, tables, room)
                end = room.ends[last + salts]
            begin, end = _in_title(data, begin - start, end - start, start, title, others)
            if end > LONGEST_TITLE:
                return -1
            if tables.short[form]:
                if title < others.first:
                    counts = _counts_though_short(data, begin, end, start, stop)
                else:
                    other = title - others.first
                    counts = _counts_though_short(
                        others.kinds, begin, end, others.kinds_from[other], others.kinds_from[other + 1]
                    )
                if not counts:
                    continue
            room.places[count] = np.uint64(begin) << _48 | np.uint64(end) << _32 | np.uint64(salts)
            room.forms[count] = np.uint64(form)
            count += 1
    return count


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


# Spans.


@_compiled
def _find_spans(count: int, tables: Tables, rules: OnTitles, room: _Room) -> int:
    """Enter a span for each drug of the candidates, sorted; returns how many, or -1 where the title is to be left."""
    if count > 1:
        _sort(room.places, room.forms, count)
    if rules.longest:
        _mark_beaten(room.places, room.beaten, count)
    spans = 0
    for nth in range(count):
        if rules.longest and room.beaten[nth]:
            continue
        form = np.int64(room.forms[nth])
        for row in tables.terms[tables.terms_from[form] : tables.terms_from[form + 1]]:
            if spans == CANDIDATES:
                return -1
            room.keys[spans] = np.uint64(tables.drugs[row]) << _32 | room.places[nth] >> _32
            room.rows[spans] = np.uint64(row)
            spans += 1
    if spans > 1:
        _sort(room.keys, room.rows, spans)
    return spans


@_compiled
def search(
    data: Bytes,
    lengths: Places,
    others: Others,
    begin_at: int,
    first_title: int,
    tables: Tables,
    rules: OnTitles,
    left: NDArray[np.bool_],
    found: Spans,
) -> tuple[int, int, int]:
    """Search titles from `first_title` on, as far as there is room in `found`.

    data: the titles' bytes in normal characters, a line feed behind each; lengths: theirs, without it. The first to
    be searched begins at `begin_at`. left: set to true for each title that isn't searched here. Returns how many spans
    were found, the title that comes next, and where it begins.
    """
    most = LONGEST_TITLE // 2 + 1
    room = _Room(
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.uint64),
        np.empty(most, np.int64),
        np.empty(CANDIDATES, np.uint64),
        np.empty(CANDIDATES, np.uint64),
        np.empty(CANDIDATES, np.uint64),
        np.empty(CANDIDATES, np.uint64),
        np.empty(CANDIDATES, np.bool_),
    )
    at, start = 0, begin_at
    for title in range(first_title, lengths.shape[0]):
        if at > found.title.shape[0] - CANDIDATES:
            return at, title, start
        stop, spans = start + lengths[title], -1
        if lengths[title] <= LONGEST_TITLE:
            tokens, hits = _find_tokens(data, start, stop, tables, room)
            spans = _find_candidates(data, title, start, stop, tokens, hits, others, tables, rules, room)
            if spans > 0:
                spans = _find_spans(spans, tables, rules, room)
        if spans < 0:
            left[title] = True
        for nth in range(spans):
            key = room.keys[nth]
            if nth == 0 or key != room.keys[nth - 1]:
                found.title[at] = title
                found.start[at] = np.uint32((key >> _16) & _PLACE)
                found.end[at] = np.uint32(key & _PLACE)
                found.term[at] = np.uint32(room.rows[nth])
                at += 1
        start = stop + 1
    return at, lengths.shape[0], start
