"""The loop over the bytes of titles that numba compiles: tokens, candidates, overlaps, terms. It needs the extra `fast`.

What is rare and intricate it leaves to the other engine, title by title. It does what `polars_engine.py` does, and both
are held to `oracle.py`.
"""

from typing import Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

LONGEST_TITLE: Final = (1 << 16) - 1
"""Bytes that a title may have here: places in it take 16 bits."""
MOST_FORMS: Final = 1 << 24
CANDIDATES: Final = 1_024
"""Places that a title's candidates, or terms, may take here."""

_SEED, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_8, _16, _24, _32, _40, _48, _63, _6 = (np.uint64(bits) for bits in (8, 16, 24, 32, 40, 48, 63, 6))
_ONE, _BYTE, _PLACE, _FORM = np.uint64(1), np.uint64(0xFF), np.uint64(0xFFFF), np.uint64(MOST_FORMS - 1)
_BLANK, _HYPHEN = ord(" "), ord("-")


class Tables(NamedTuple):
    """A lexicon as arrays. Its words are its forms' tokens, form by form, and then the salts; forms are numbers.

    classes: for each byte its lower-case letter or digit, 0 for a border. signs: for each byte its bit among `GAP_SIGNS`.
    words, starts: word i is `words[starts[i]:starts[i + 1]]`. allowed: the signs that the gap behind a word may hold.
    first: a form's first word, and the first salt. position: where in the form its anchor stands. short, takes_salts: as
    in `Lexicon`. chain: forms by the hash of their anchors; hashes: those. slots: an open-addressing table of places in
    `chain` by hash, -1 where free. sieve: a bit for each hash. salts: sorted hashes of the salts, which stand in that
    order. terms_from, terms: the rows of terms of form i are `terms[terms_from[i]:terms_from[i + 1]]`. drugs: each row's.
    """

    classes: NDArray[np.uint8]
    signs: NDArray[np.uint16]
    words: NDArray[np.uint8]
    starts: NDArray[np.int64]
    allowed: NDArray[np.uint16]
    first: NDArray[np.int64]
    position: NDArray[np.int64]
    short: NDArray[np.bool_]
    takes_salts: NDArray[np.bool_]
    chain: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    slots: NDArray[np.int64]
    sieve: NDArray[np.uint64]
    salts: NDArray[np.uint64]
    terms_from: NDArray[np.int64]
    terms: NDArray[np.int64]
    drugs: NDArray[np.int64]


class OnTitles(NamedTuple):
    """What is applied to titles. salts_in_a_row: so many words a span takes along. locants: the rule is on.

    longest: of spans that overlap, only those that no other one beats.
    """

    salts_in_a_row: int
    locants: bool
    longest: bool


class Others(NamedTuple):
    """The titles beyond ASCII, which come last: from `first` on, and from `uneven` on those whose places change.

    kinds: their own characters, and where each title's start: for each an ASCII one that is a capital, a small letter or
    a digit if it is. origins: where in `at` and `reach` each uneven title's normal characters start; these are where a
    token that begins with the character starts in the title, and where one that ends with it ends.
    """

    first: int
    uneven: int
    kinds: tuple[NDArray[np.uint8], NDArray[np.int64]]
    origins: NDArray[np.int64]
    at: NDArray[np.int64]
    reach: NDArray[np.int64]


class Spans(NamedTuple):
    """Room for spans, one a place: they come by title, drug, start and end. term: a row of terms."""

    title: NDArray[np.uint32]
    start: NDArray[np.uint32]
    end: NDArray[np.uint32]
    term: NDArray[np.uint32]


_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def hash_words(words, starts):
    """FNV-1a of each word."""
    hashes = np.empty(starts.shape[0] - 1, np.uint64)
    for word in range(hashes.shape[0]):
        value = _SEED
        for at in range(starts[word], starts[word + 1]):
            value = (value ^ np.uint64(words[at])) * _PRIME
        hashes[word] = value
    return hashes


@_compiled
def fill_slots(hashes, slots, sieve):
    """Enter the first place of each hash; they are sorted."""
    for place in range(hashes.shape[0]):
        if place == 0 or hashes[place] != hashes[place - 1]:
            slot = _slot_of(hashes[place], hashes, slots)
            slots[slot] = place
            bit = _sieve_bit(hashes[place], sieve)
            sieve[np.int64(bit >> _6)] |= _ONE << (bit & _63)


@_compiled
def _slot_of(value, hashes, slots):
    """Where a hash stands, or would."""
    mask = slots.shape[0] - 1
    slot = np.int64(value & np.uint64(mask))
    while slots[slot] >= 0 and hashes[slots[slot]] != value:
        slot = (slot + 1) & mask
    return slot


@_compiled
def _sieve_bit(value, sieve):
    return (value >> _32) & np.uint64(sieve.shape[0] * 64 - 1)


@_compiled
def _is_word(data, begin, end, word, tables):
    """Whether these bytes, in lower case, are the word."""
    start = tables.starts[word]
    if tables.starts[word + 1] - start != end - begin:
        return False
    for at in range(end - begin):
        if tables.classes[data[begin + at]] != tables.words[start + at]:
            return False
    return True


@_compiled
def _fits(data, begins, ends, token, form, tables):
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
def _salts_behind(data, begins, ends, values, token, tokens, most, tables):
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
def _counts_though_short(data, begin, end, start, stop):
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
def _in_characters(data, begin, end, start):
    """A place in a title that starts at `start`, in characters instead of bytes of UTF-8."""
    before, within = 0, 0
    for at in range(start, start + begin):
        before += (data[at] & 0xC0) != 0x80
    for at in range(start + begin, start + end):
        within += (data[at] & 0xC0) != 0x80
    return before, before + within


@_compiled
def _may_be_in_longer_name(data, begin, end, start, stop):
    """Whether something stands beside a place that the rule on longer chemical names has to look at."""
    if begin > start:
        before = data[begin - 1]
        if before == _HYPHEN or before == 41 or before == 93 or before == 125:  # closing brackets
            return True
    if end + 1 < stop and data[end] == _HYPHEN:
        after = data[end + 1]
        return 48 <= after <= 57 or (after | 32) == 110 or (after | 32) == 111  # a digit, n, o
    return False


@_compiled
def _sort(keys, others, count):
    """Sort pairs of numbers, which are few, in place."""
    for at in range(1, count):
        key, other, to = keys[at], others[at], at
        while to > 0 and (keys[to - 1] > key or (keys[to - 1] == key and others[to - 1] > other)):
            keys[to], others[to] = keys[to - 1], others[to - 1]
            to -= 1
        keys[to], others[to] = key, other


@_compiled
def _mark_beaten(places, beaten, count):
    """Mark each place that another one overlaps and beats: see `polars_engine._without_beaten`. They are sorted."""
    for at in range(count):
        beaten[at] = False
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


@_compiled
def search(data, lengths, others, begin_at, first_title, tables, rules, left, spans):
    """Search titles from `first_title` on, as far as there is room in `spans`.

    data: the titles' bytes in normal characters, a line feed behind each; lengths: theirs, without it. The first to be
    searched begins at `begin_at`. left: set to true for each title that isn't searched here. Returns how many spans were
    found, the title that comes next, and where it begins.
    """
    most = LONGEST_TITLE // 2 + 1
    begins, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    values, hits = np.empty(most, np.uint64), np.empty(most, np.int64)
    places, forms = np.empty(CANDIDATES, np.uint64), np.empty(CANDIDATES, np.uint64)
    keys, rows = np.empty(CANDIDATES, np.uint64), np.empty(CANDIDATES, np.uint64)
    beaten = np.empty(CANDIDATES, np.bool_)
    room, found, start = spans.title.shape[0] - CANDIDATES, 0, begin_at
    for title in range(first_title, lengths.shape[0]):
        if found > room:
            return found, title, start
        stop = start + lengths[title]
        if lengths[title] > LONGEST_TITLE:
            left[title] = True
            start = stop + 1
            continue
        # Tokens.
        tokens, hit, at = 0, 0, start
        while at < stop:
            letter = tables.classes[data[at]]
            if letter == 0:
                at += 1
                continue
            begins[tokens], value = at, _SEED
            while letter != 0:  # it ends at the line feed at the latest
                value = (value ^ np.uint64(letter)) * _PRIME
                at += 1
                letter = tables.classes[data[at]]
            ends[tokens], values[tokens] = at, value
            bit = _sieve_bit(value, tables.sieve)
            if tables.sieve[np.int64(bit >> _6)] >> (bit & _63) & _ONE:
                hits[hit] = tokens
                hit += 1
            tokens += 1
        # Candidates.
        count, is_left = 0, False
        for nth in range(0 if is_left else hit):
            token = hits[nth]
            place = tables.slots[_slot_of(values[token], tables.hashes, tables.slots)]
            while 0 <= place < tables.chain.shape[0] and tables.hashes[place] == values[token]:
                form = tables.chain[place]
                place += 1
                from_token = token - tables.position[form]
                last = from_token + tables.first[form + 1] - tables.first[form] - 1
                if from_token < 0 or last >= tokens or not _fits(data, begins, ends, from_token, form, tables):
                    continue
                begin, end = begins[from_token], ends[last]
                if count == CANDIDATES or (rules.locants and _may_be_in_longer_name(data, begin, end, start, stop)):
                    is_left = True
                    break
                salts = 0
                if tables.takes_salts[form]:
                    salts = _salts_behind(data, begins, ends, values, last, tokens, rules.salts_in_a_row, tables)
                    end = ends[last + salts]
                begin, end = begin - start, end - start
                if title >= others.first:
                    begin, end = _in_characters(data, begin, end, start)
                if title >= others.uneven:
                    first = others.origins[title - others.uneven]
                    begin, end = others.at[first + begin], others.reach[first + end - 1]
                    if end > LONGEST_TITLE:
                        is_left = True
                        break
                if tables.short[form]:
                    if title < others.first:
                        counts = _counts_though_short(data, begin, end, start, stop)
                    else:
                        kinds, starts = others.kinds
                        other = title - others.first
                        counts = _counts_though_short(kinds, begin, end, starts[other], starts[other + 1])
                    if not counts:
                        continue
                places[count] = np.uint64(begin) << _48 | np.uint64(end) << _32 | np.uint64(salts)
                forms[count] = np.uint64(form)
                count += 1
        # Overlaps.
        if count > 1:
            _sort(places, forms, count)
        if rules.longest:
            _mark_beaten(places, beaten, count)
        # Terms.
        entries = 0
        for nth in range(0 if is_left else count):
            if rules.longest and beaten[nth]:
                continue
            form = np.int64(forms[nth])
            for term in range(tables.terms_from[form], tables.terms_from[form + 1]):
                if entries == CANDIDATES:
                    is_left = True
                    break
                row = tables.terms[term]
                keys[entries] = np.uint64(tables.drugs[row]) << _32 | places[nth] >> _32
                rows[entries] = np.uint64(row)
                entries += 1
        if is_left:
            left[title] = True
            entries = 0
        if entries > 1:
            _sort(keys, rows, entries)
        for nth in range(entries):
            key = keys[nth]
            if nth and key == keys[nth - 1]:
                continue
            spans.title[found] = title
            spans.start[found] = np.uint32((key >> _16) & _PLACE)
            spans.end[found] = np.uint32(key & _PLACE)
            spans.term[found] = np.uint32(rows[nth])
            found += 1
        start = stop + 1
    return found, lengths.shape[0], start
