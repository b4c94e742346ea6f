"""The loop over the bytes of titles that numba compiles: normal form, tokens, candidates, overlaps, terms.

Titles are read where Polars holds them, eight bytes at a time. What is rare and intricate is left to the other engine,
title by title. It does what `polars_engine.py` does, and both are held to `oracle.py`.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmentions.compiled import HELD, Bytes, Int, Places, Texts, Words, bits_of, compiled, load, lowest

LONGEST_TITLE: Final = (1 << 16) - 1
"""Bytes that a title may have here: places in it take 16 bits."""
CANDIDATES: Final = 1_024
"""Places that a title's candidates, or terms, may take here."""
BORDER: Final = 1
"""The byte that stands for a border beyond ASCII: it is no sign that any rule knows."""
MARK: Final = ord("^")
"""The kind of a character that belongs to the one before it."""
LEFT: Final = 1
"""The state of a title that is left to the other engine."""
PENDING: Final = 2
"""The state of a title with characters that aren't known yet."""

_ZERO, _ONE, _PLACE = np.uint64(0), np.uint64(1), np.uint64(0xFFFF)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_2, _3, _6, _7, _8, _16, _32, _48, _56, _63 = (np.uint64(n) for n in (2, 3, 6, 7, 8, 16, 32, 48, 56, 63))
_ALL, _SIZE = ~_ZERO, np.uint64(0xFFFFFFFF)
_CAPITAL_A, _SMALL_A, _DIGIT_0 = (ord(sign) for sign in "Aa0")
_BLANK, _HYPHEN = ord(" "), ord("-")
_CLOSING: Final = tuple(map(ord, ")]}"))


POSITION, COUNT, LETTERS, FLAGS, TERM, DRUG, TERMS, TERMS_FROM = range(8)
"""Columns of `Tables.forms`: where among a form's words its anchor stands; how many these are; where their letters
begin; its flags; its first term, and the drug of that; how many terms it has, and where in `Tables.terms`."""
SHORT, TAKES_SALTS, LAST = 1, 2, 4
"""Flags: two switches as in `Lexicon`; it is the last of those whose anchors have one hash."""


class Spelled(NamedTuple):
    """Words as letters.

    letters: at a word's place stands its size in bytes and, from bit 32 on, the signs that the gap behind it may hold;
    then its UTF-8, eight bytes in each, the first in the lowest bits, behind its end zeros. hashes: of each word.
    """

    letters: Words
    places: Places
    hashes: Words


class Tables(NamedTuple):
    """A lexicon as arrays, such that few places far apart are looked at.

    letters: as in `Spelled`, of the forms' tokens, form by form, and of the salts. forms: one row each, sorted by the
    hash of their anchors. slots: an open-addressing table by hash, in each the upper half of the hash, and the first
    form that has it; all bits where free. sieve: a bit for each anchor. signs: for each byte its bit among `GAP_SIGNS`.
    salts: sorted hashes of the salts; salts_at: their places in `letters`. terms: rows of terms, and their drugs.
    """

    letters: Words
    forms: NDArray[np.int32]
    slots: Words
    sieve: Words
    signs: NDArray[np.uint16]
    salts: Words
    salts_at: Places
    terms: NDArray[np.int32]


class OnTitles(NamedTuple):
    """What is applied to titles. salts_in_a_row: so many words a span takes along. locants: 1 if the rule is on.

    longest: 1 if of spans that overlap only those count that no other one beats.
    """

    salts_in_a_row: int
    locants: int
    longest: int


class Beside(NamedTuple):
    """What makes a place a part of a longer name: bytes of words, and where those of each kind start.

    radicals end before it, parents stand behind a locant behind it, not_before behind it.
    """

    words: Bytes
    radicals: Places
    parents: Places
    not_before: Places


class Characters(NamedTuple):
    """What is known of characters, by code point.

    kinds: an ASCII character that is a capital, a small letter or a digit if it is; MARK; 0 where it isn't known.
    sizes, places: its normal characters are so many bytes of `texts`, from there on, as UTF-8; what is neither a letter
    nor a digit nor ASCII is BORDER there.
    """

    kinds: Bytes
    sizes: Bytes
    places: NDArray[np.int32]
    texts: Bytes


class Spans(NamedTuple):
    """Room for spans, one a place: they come by title, drug, start and end. term: a row of terms."""

    title: NDArray[np.uint32]
    start: NDArray[np.uint32]
    end: NDArray[np.uint32]
    term: NDArray[np.uint32]


class OfTitle(NamedTuple):
    """Room for a title.

    words, lower: its bytes in normal characters, and those in lower case, in words of eight; own: its own, if it isn't
    ASCII. marks, is_token: a byte, and a bit, for each of them. origins, reaches, kinds: see `_normalise`.
    """

    words: Words
    lower: Words
    own: Words
    marks: Words
    is_token: Words
    origins: NDArray[np.int32]
    reaches: NDArray[np.int32]
    kinds: Bytes


class OfTokens(NamedTuple):
    """Room for what is made of a title's tokens.

    begins, ends: where each is. anchors: those that may be one. places, forms: its candidates, as start, end and salts
    in 16, 16 and 32 bits, so that they sort, and their forms. beaten: whether another one beats them. spans, rows: as
    drug, start and end, likewise, and their terms.
    """

    begins: Places
    ends: Places
    anchors: Places
    places: Words
    forms: Words
    beaten: NDArray[np.bool_]
    spans: Words
    rows: Words


def make_room() -> tuple[OfTitle, OfTokens]:
    """Room for one title after the other."""
    size, most = LONGEST_TITLE // 8 + 9, LONGEST_TITLE // 2 + 1
    of_title = OfTitle(
        words=np.empty(size, np.uint64),
        lower=np.empty(size, np.uint64),
        own=np.empty(size, np.uint64),
        marks=np.empty(size, np.uint64),
        is_token=np.empty(size // 8 + 2, np.uint64),
        origins=np.empty(LONGEST_TITLE, np.int32),
        reaches=np.empty(LONGEST_TITLE, np.int32),
        kinds=np.empty(LONGEST_TITLE, np.uint8),
    )
    of_tokens = OfTokens(
        begins=np.empty(most, np.int64),
        ends=np.empty(most, np.int64),
        anchors=np.empty(most, np.int64),
        places=np.empty(CANDIDATES, np.uint64),
        forms=np.empty(CANDIDATES, np.uint64),
        beaten=np.zeros(CANDIDATES, np.bool_),
        spans=np.empty(CANDIDATES, np.uint64),
        rows=np.empty(CANDIDATES, np.uint64),
    )
    return of_title, of_tokens


# Hashes of words.


@compiled
def _with_letters(value: np.uint64, letters: np.uint64) -> np.uint64:
    """The hash of a word with up to eight more bytes."""
    value = (value ^ letters) * _GOLDEN
    return value ^ value >> _32


def words_of(text: Bytes, starts: Places, allowed: NDArray[np.uint16]) -> Spelled:
    """Words, of which the i-th is `text[starts[i]:starts[i + 1]]`. allowed: the signs in the gaps behind them."""
    count = len(starts) - 1
    letters = np.zeros((starts[-1] >> 3) + 2 * count, np.uint64)
    spelled = Spelled(letters, np.empty(count, np.int64), np.zeros(count, np.uint64))
    _spell(text, starts, allowed, spelled)
    return spelled


@compiled
def _spell(text: Bytes, starts: Places, allowed: NDArray[np.uint16], spelled: Spelled) -> None:
    """Enter words into what holds nothing but zeros, and room."""
    letters, places, hashes = spelled
    place = 0
    for word in range(places.shape[0]):
        size = starts[word + 1] - starts[word]
        places[word] = place
        letters[place] = np.uint64(size) | np.uint64(allowed[word]) << _32
        place += 1
        for nth in range(size):
            letters[place + (nth >> 3)] |= np.uint64(text[starts[word] + nth]) << (np.uint64(nth & 7) << _3)
        last = place + ((size + 7) >> 3)
        while place < last:
            hashes[word] = _with_letters(hashes[word], letters[place])
            place += 1


@compiled
def _letters_at(lower: Words, at: Int, end: Int) -> np.uint64:
    """The bytes from `at` on, eight at most, as a word's letters."""
    word, shift = at >> 3, np.uint64(at & 7) << _3
    letters = lower[word] >> shift | (lower[word + 1] << _ONE) << (_63 - shift)
    return np.uint64(letters & _ALL >> (np.uint64(8 - min(end - at, 8)) << _3))


@compiled
def _hash_of(lower: Words, begin: Int, end: Int) -> np.uint64:
    """The hash of the bytes from `begin` to `end`."""
    value = _ZERO
    for at in range(begin, end, 8):
        value = _with_letters(value, _letters_at(lower, at, end))
    return value


@compiled
def fill_slots(hashes: Words, slots: Words) -> None:
    """Enter the first place of each hash; they are sorted, and `slots` has all its bits set."""
    mask = np.uint64(slots.shape[0] - 1)
    for place in range(hashes.shape[0]):
        value = hashes[place]
        if place == 0 or value != hashes[place - 1]:
            slot = value & mask
            while slots[slot] != _ALL:
                slot = (slot + _ONE) & mask
            slots[slot] = value >> _32 << _32 | np.uint64(place)


@compiled
def fill_sieve(words: Spelled, sieve: Words) -> None:
    """Set a bit of the sieve for each word; before, none is set."""
    for place in words.places:
        bit = _sieve_bit(words.letters[place + 1], np.int64(words.letters[place] & _SIZE), sieve)
        sieve[bit >> _6] |= _ONE << (bit & _63)


@compiled
def _sieve_bit(letters: np.uint64, size: Int, sieve: Words) -> np.uint64:
    """The bit for a word, by its size and its first letters, eight at most."""
    return ((letters + np.uint64(size)) * _GOLDEN >> _32) & np.uint64(sieve.shape[0] * 64 - 1)


# Titles, in words of eight bytes; behind the last byte, as far as `_padded`, are zeros.


@compiled
def _copy(titles: Texts, title: Int, words: Words) -> None:
    """Copy the bytes of a title."""
    view = titles.views[title]
    length = np.int64(view[0])
    count = length >> 3
    for word in range(count, _padded(length) >> 3):
        words[word] = _ZERO
    if length <= HELD:  # it stands in the view itself
        words[0] = np.uint64(view[1]) | np.uint64(view[2]) << _32
        words[1] = np.uint64(view[3])
        return
    address = titles.buffers[view[2]] + np.int64(view[3])
    for word in range(count):
        words[word] = load(address + 8 * word)
    rest = np.uint64(length & 7)
    if rest:
        words[count] = load(address + length - 8) >> (_8 * (_8 - rest))


@compiled
def _padded(length: Int) -> Int:
    """The next multiple of 64 above a length."""
    return ((length >> 6) + 1) << 6


@compiled
def _classify(words: Words, length: Int, lower: Words, marks: Words, tokens: Words) -> bool:
    """Bring letters to lower case, and set the bits of `tokens` where a letter or digit is; whether it is all ASCII.

    Every byte beyond ASCII is taken for one of a letter or a digit. marks: room for a byte each. The loop over bytes is
    such that LLVM makes it one over many bytes at a time.
    """
    data, small, mark = words.view(np.uint8), lower.view(np.uint8), marks.view(np.uint8)
    padded = _padded(length)
    beyond = np.uint8(0)
    for at in range(padded):
        sign = data[at]
        beyond |= sign
        letter = np.uint8(sign | np.uint8(np.uint8(np.uint8(sign - _CAPITAL_A) < 26) << 5))
        small[at] = letter
        is_letter, is_digit = np.uint8(letter - _SMALL_A) < 26, np.uint8(sign - _DIGIT_0) < 10
        mark[at] = np.uint8(is_letter) | np.uint8(is_digit) | np.uint8(sign >> 7)
    for block in range(padded >> 6):
        tokens[block] = bits_of(marks, block)
    return bool(beyond < 128)


@compiled
def _clear_behind(text: Bytes, length: Int) -> None:
    for at in range(length, _padded(length)):
        text[at] = 0


@compiled
def _copy_own(of_title: OfTitle, length: Int) -> Int:
    """Copy a title's own bytes, UTF-8, to where they stay; returns how many characters they are."""
    for word in range((length >> 3) + 1):
        of_title.own[word] = of_title.words[word]
    text, count = of_title.own.view(np.uint8), 0
    for at in range(length):
        count += (text[at] & 0xC0) != 0x80
    return count


@compiled
def _normalise(of_title: OfTitle, length: Int, characters: Characters, unknown: Bytes) -> Int:
    """Bring a title's own UTF-8 to normal characters; returns how many bytes these are.

    Enters for each of them where in the title, in characters, a token that begins with it starts (`origins`), and where
    one that ends with it ends (`reaches`); and the kinds of the title's own characters. Returns -LEFT where there is no
    room for all, -PENDING where some aren't known: these are set in `unknown`, by code point.
    """
    own, normal = of_title.own.view(np.uint8), of_title.words.view(np.uint8)
    at, reach, kinds = of_title.origins, of_title.reaches, of_title.kinds
    place, size, nth, is_known = 0, 0, 0, True
    while place < length:
        code = np.int64(own[place])
        if code < 0x80:
            place += 1
        elif code < 0xE0:
            code = (code & 0x1F) << 6 | own[place + 1] & 0x3F
            place += 2
        elif code < 0xF0:
            code = (code & 0x0F) << 12 | (own[place + 1] & 0x3F) << 6 | own[place + 2] & 0x3F
            place += 3
        else:
            code = (code & 0x07) << 18 | (own[place + 1] & 0x3F) << 12
            code |= (own[place + 2] & 0x3F) << 6 | own[place + 3] & 0x3F
            place += 4
        kind = characters.kinds[code]
        if kind == 0:
            unknown[code] = 1
            is_known = False
        if kind == MARK:
            before = size - 1
            while before >= 0 and reach[before] == nth:
                reach[before] = nth + 1
                before -= 1
        first = np.int64(characters.places[code])
        last = first + characters.sizes[code]
        if size + last - first > LONGEST_TITLE:
            return -LEFT
        for byte in range(first, last):
            normal[size], at[size], reach[size] = characters.texts[byte], nth, nth + 1
            size += 1
        kinds[nth] = kind
        nth += 1
    return size if is_known else -PENDING


# Candidates. `data` and `lower` are a title's bytes in normal characters, as they are and in lower case.


@compiled
def _is_word(lower: Words, begin: Int, end: Int, letters: Words, place: Int) -> bool:
    """Whether these bytes are the word whose letters stand at a place."""
    if np.int64(letters[place] & _SIZE) != end - begin:
        return False
    for at in range(begin, end, 8):
        place += 1
        if _letters_at(lower, at, end) != letters[place]:
            return False
    return True


@compiled
def _salts_behind(
    data: Bytes, lower: Words, of_tokens: OfTokens, token: Int, tokens: Int, most: Int, tables: Tables
) -> Int:
    """How many salts follow a token, each after one blank."""
    begins, ends, salts = of_tokens.begins, of_tokens.ends, tables.salts
    for count in range(most):
        after = token + count + 1
        if after >= tokens or begins[after] - ends[after - 1] != 1 or data[ends[after - 1]] != _BLANK:
            return count
        value = _hash_of(lower, begins[after], ends[after])
        salt = np.searchsorted(salts, value)
        if salt == salts.shape[0] or salts[salt] != value:
            return count
        if not _is_word(lower, begins[after], ends[after], tables.letters, tables.salts_at[salt]):
            return count
    return most


@compiled
def _counts_though_short(kinds: Bytes, begin: Int, end: Int, length: Int) -> bool:
    """Whether a short term's own characters hold two capitals or a digit, and the title has a small letter.

    begin, end: its place among the title's characters. kinds: theirs, for each an ASCII character of its kind.
    """
    capitals = 0
    for at in range(begin, end):
        if 65 <= kinds[at] <= 90:
            capitals += 1
        elif 48 <= kinds[at] <= 57:
            capitals += 2
    if capitals >= 2:
        for at in range(length):
            if 97 <= kinds[at] <= 122:
                return True
    return False


@compiled
def _stands(data: Bytes, length: Int, at: Int, words: Bytes, first: Int, last: Int) -> bool:
    """Whether a word of small letters, which is in `words` from `first` to `last`, stands there, in any case."""
    if at < 0 or at + last - first > length:
        return False
    for nth in range(last - first):
        letter = data[at + nth]
        if (letter | 32 if 65 <= letter <= 90 else letter) != words[first + nth]:
            return False
    return True


@compiled
def _is_letter(letter: np.uint8) -> np.bool_:
    return 65 <= letter <= 90 or 97 <= letter <= 122


@compiled
def _ends_in_radical(data: Bytes, begin: Int, beside: Beside) -> bool:
    """Whether what comes before a place is the name of a radical, a bracket and a hyphen maybe behind it."""
    at = begin
    if at > 0 and data[at - 1] == _HYPHEN:
        at -= 1
    if at > 0 and data[at - 1] in _CLOSING:
        at -= 1
    if at == begin:
        return False
    for nth in range(beside.radicals.shape[0] - 1):
        first, last = beside.radicals[nth], beside.radicals[nth + 1]
        if _stands(data, at, at - (last - first), beside.words, first, last):
            return True
    return False


@compiled
def _begins_with_locant(data: Bytes, end: Int, length: Int, beside: Beside) -> bool:
    """Whether what comes behind a place is a locant, and what it belongs to, between hyphens: `-6-sulfate`."""
    at = end + 1
    if at >= length or data[end] != _HYPHEN:
        return False
    if 48 <= data[at] <= 57:
        while at < length and (48 <= data[at] <= 57 or data[at] == 39 or data[at] == 44):  # apostrophe, comma
            at += 1
    elif data[at] | 32 == 110 or data[at] | 32 == 111:  # n, o
        at += 1
    else:
        return False
    if at >= length or data[at] != _HYPHEN:
        return False
    begin = at + 1
    end = begin
    while end < length and _is_letter(data[end]):
        end += 1
    for nth in range(beside.parents.shape[0] - 1):
        first, last = beside.parents[nth], beside.parents[nth + 1]
        if end - (last - first) >= begin and _stands(data, end, end - (last - first), beside.words, first, last):
            return True
    return False


@compiled
def _in_longer_name(data: Bytes, begin: Int, end: Int, length: Int, is_short: np.bool_, beside: Beside) -> bool:
    """Whether what stands beside a place makes it a part of a longer name: `polars_engine._IN_LONGER_NAME`."""
    if _ends_in_radical(data, begin, beside) or _begins_with_locant(data, end, length, beside):
        return True
    if end + 1 < length and data[end] == _HYPHEN and is_short and 48 <= data[end + 1] <= 57:
        return True
    if end < length and (data[end] == _HYPHEN or data[end] == _BLANK):
        for nth in range(beside.not_before.shape[0] - 1):
            first, last = beside.not_before[nth], beside.not_before[nth + 1]
            behind = end + 1 + last - first
            ends_there = behind >= length or not _is_letter(data[behind])
            if ends_there and _stands(data, length, end + 1, beside.words, first, last):
                return True
    return False


@compiled
def _sort(keys: Words, others: Words, count: Int) -> None:
    """Sort pairs of numbers, which are few, in place."""
    for at in range(1, count):
        key, other, to = keys[at], others[at], at
        while to > 0 and (keys[to - 1] > key or (keys[to - 1] == key and others[to - 1] > other)):
            keys[to], others[to] = keys[to - 1], others[to - 1]
            to -= 1
        keys[to], others[to] = key, other


@compiled
def _mark_beaten(places: Words, beaten: NDArray[np.bool_], count: Int) -> None:
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


# A title: its tokens, then candidates, then spans.


@compiled
def _find_tokens(of_title: OfTitle, length: Int, of_tokens: OfTokens, sieve: Words) -> tuple[int, int]:
    """Enter a title's tokens, and which of them may be anchors; returns how many there are of either."""
    begin: Int = 0
    tokens, anchors, before, is_within = 0, 0, _ZERO, False
    for block in range(_padded(length) >> 6):
        bits = of_title.is_token[block]
        borders = bits ^ (bits << _ONE | before)
        before = bits >> _63
        while borders != _ZERO:
            at = (block << 6) + np.int64(lowest(borders))
            borders &= borders - _ONE
            if not is_within:
                begin, is_within = at, True
                continue
            is_within = False
            of_tokens.begins[tokens], of_tokens.ends[tokens] = begin, at
            bit = _sieve_bit(_letters_at(of_title.lower, begin, at), at - begin, sieve)
            if sieve[bit >> _6] >> (bit & _63) & _ONE:
                of_tokens.anchors[anchors] = tokens
                anchors += 1
            tokens += 1
    return tokens, anchors


@compiled
def _is_form(data: Bytes, lower: Words, of_tokens: OfTokens, first: Int, last: Int, tables: Tables, place: Int) -> bool:
    """Whether these tokens are the words whose letters stand from a place on, and the gaps hold nothing else."""
    for at in range(first, last + 1):
        begin, end = of_tokens.begins[at], of_tokens.ends[at]
        if not _is_word(lower, begin, end, tables.letters, place):
            return False
        if at < last:
            for between in range(end, of_tokens.begins[at + 1]):
                if np.uint64(tables.signs[data[between]]) & ~(tables.letters[place] >> _32):
                    return False
        place += 1 + ((end - begin + 7) >> 3)
    return True


@compiled
def _find_candidates(  # noqa: C901, PLR0912  # what is looked up, and all that may speak against it
    of_title: OfTitle,
    length: Int,
    own_length: Int,
    of_tokens: OfTokens,
    tokens: Int,
    anchors: Int,
    tables: Tables,
    rules: OnTitles,
    beside: Beside,
) -> Int:
    """Enter a title's candidates; returns how many there are, or more than CANDIDATES where there is no room.

    own_length: how many characters the title itself has; 0 where it is ASCII, and its places are those of its bytes.
    """
    begin: Int
    end: Int
    form: Int
    salts: Int
    data, lower, forms, slots = of_title.words.view(np.uint8), of_title.lower, tables.forms, tables.slots
    slot_mask = np.uint64(slots.shape[0] - 1)
    count = 0
    for nth in range(anchors):
        token = of_tokens.anchors[nth]
        value = _hash_of(lower, of_tokens.begins[token], of_tokens.ends[token])
        slot, form, flags = value & slot_mask, -1, LAST
        while True:
            if flags & LAST:  # on to other forms, whose hash may be the same
                while slots[slot] != _ALL and (slots[slot] ^ value) >> _32:
                    slot = (slot + _ONE) & slot_mask
                if slots[slot] == _ALL:
                    break
                form = np.int64(slots[slot] & _SIZE)
                slot = (slot + _ONE) & slot_mask
            else:
                form += 1
            flags = forms[form, FLAGS]
            first = token - forms[form, POSITION]
            last = first + forms[form, COUNT] - 1
            if first < 0 or last >= tokens:
                continue
            if not _is_form(data, lower, of_tokens, first, last, tables, np.int64(forms[form, LETTERS])):
                continue
            is_short = flags & SHORT != 0
            begin, end = of_tokens.begins[first], of_tokens.ends[last]
            if rules.locants and _in_longer_name(data, begin, end, length, is_short, beside):
                continue
            if count == CANDIDATES:
                return CANDIDATES + 1
            salts = 0
            if flags & TAKES_SALTS:
                salts = _salts_behind(data, lower, of_tokens, last, tokens, rules.salts_in_a_row, tables)
                end = of_tokens.ends[last + salts]
            if own_length:
                begin, end = np.int64(of_title.origins[begin]), np.int64(of_title.reaches[end - 1])
                if is_short and not _counts_though_short(of_title.kinds, begin, end, own_length):
                    continue
            elif is_short and not _counts_though_short(data, begin, end, length):
                continue
            of_tokens.places[count] = np.uint64(begin) << _48 | np.uint64(end) << _32 | np.uint64(salts)
            of_tokens.forms[count] = np.uint64(form)
            count += 1
    return count


@compiled
def _find_spans(of_tokens: OfTokens, count: Int, tables: Tables, longest: Int) -> Int:
    """Enter the spans of a title's candidates, sorted, some maybe more than once.

    Returns how many there are, or more than CANDIDATES where there is no room.
    """
    places, spans, rows = of_tokens.places, of_tokens.spans, of_tokens.rows
    if count > 1:
        _sort(places, of_tokens.forms, count)
        if longest:
            _mark_beaten(places, of_tokens.beaten, count)
    found = 0
    for nth in range(count):
        if longest and count > 1 and of_tokens.beaten[nth]:
            continue
        form = np.int64(of_tokens.forms[nth])
        more = int(tables.forms[form, TERMS])
        if found + more > CANDIDATES:
            return CANDIDATES + 1
        spans[found] = np.uint64(tables.forms[form, DRUG]) << _32 | places[nth] >> _32
        rows[found] = np.uint64(tables.forms[form, TERM])
        for another in range(1, more):
            at = tables.forms[form, TERMS_FROM] + another
            spans[found + another] = np.uint64(tables.terms[at, 1]) << _32 | places[nth] >> _32
            rows[found + another] = np.uint64(tables.terms[at, 0])
        found += more
    if found > 1:
        _sort(spans, rows, found)
    return found


@compiled
def search(
    titles: Texts,
    asked: Places,
    characters: Characters,
    tables: Tables,
    rules: OnTitles,
    beside: Beside,
    of_title: OfTitle,
    of_tokens: OfTokens,
    unknown: Bytes,
    state: Bytes,
    found: Spans,
    done: Places,
) -> Int:
    """Search the titles `asked` for, by their rows, as far as there is room in `found`; returns how many spans it has.

    done: how many of the titles were searched, before and after. state: set for each title that isn't searched here, to
    LEFT, or to PENDING where it holds characters that aren't known: these are set in `unknown`.
    """
    entered = 0
    spans = of_tokens.spans
    for nth_title in range(done[0], asked.shape[0]):
        if entered > found.title.shape[0] - CANDIDATES:
            done[0] = nth_title
            return entered
        title = asked[nth_title]
        length: Int = np.int64(titles.views[title, 0])
        own_length: Int = 0
        if length > LONGEST_TITLE:
            state[title] = LEFT
            continue
        _copy(titles, title, of_title.words)
        if not _classify(of_title.words, length, of_title.lower, of_title.marks, of_title.is_token):
            own_length = _copy_own(of_title, length)
            length = _normalise(of_title, length, characters, unknown)
            if length < 0:
                state[title] = -length
                continue
            _clear_behind(of_title.words.view(np.uint8), length)
            _classify(of_title.words, length, of_title.lower, of_title.marks, of_title.is_token)
        tokens, anchors = _find_tokens(of_title, length, of_tokens, tables.sieve)
        count = _find_candidates(of_title, length, own_length, of_tokens, tokens, anchors, tables, rules, beside)
        if count <= CANDIDATES:
            count = _find_spans(of_tokens, count, tables, rules.longest)
        if count > CANDIDATES:
            state[title] = LEFT
            continue
        for nth in range(count):
            if nth == 0 or spans[nth] != spans[nth - 1]:
                found.title[entered] = title
                found.start[entered] = np.uint32((spans[nth] >> _16) & _PLACE)
                found.end[entered] = np.uint32(spans[nth] & _PLACE)
                found.term[entered] = np.uint32(of_tokens.rows[nth])
                entered += 1
    done[0] = asked.shape[0]
    return entered
