"""The loop over bytes that numba compiles: mentions as the lines of graph.json."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmentions.compiled import HELD, WORD, Int, Pieces, Places, Texts, compiled, load, store

SPONSOR: Final = 1
RETRACTED: Final = 2
"""What is unusual about a row, together the number of one of `Phrases.ends`."""
END, BETWEEN = 0, 1
"""What stands behind a line's journals, and between two lines."""
LONGEST: Final = 6
"""Bytes that a byte of a text becomes at most."""
ENOUGH: Final = 64
"""Room for all that is written at a time beside texts and pieces."""
DRUG, PART, ROW, JOURNAL, IS_NEXT, WRITTEN = range(6)
"""What `encode` keeps of where it is: the drug; of its line the head, a source or, behind these, the journals; the next
rows; whether a row stands in this list already; the bytes that are written."""

Codes = NDArray[np.int32]


class Phrases(NamedTuple):
    """What lines are made of, encoded.

    heads: of each drug all up to the first mention. between: what ends the mentions of each source and begins what
    comes next. journals, dates, sources: by code, a key and its value behind a comma, which a journal lacks.
    ends: of rows, by what is unusual about them. around: lines, END and BETWEEN.
    """

    heads: Pieces
    between: Pieces
    journals: Pieces
    dates: Pieces
    sources: Pieces
    ends: Pieces
    around: Pieces


class Rows(NamedTuple):
    """Rows that are sorted by drug, and of mentions also by the place of the source, as codes."""

    drugs: Codes
    places: Codes
    sources: Codes
    journals: Codes
    dates: Codes
    ends: Codes


class Shown(NamedTuple):
    """What mentions have of their own. has_id: false where it is null."""

    ids: Texts
    has_id: NDArray[np.bool_]
    titles: Texts


_ZERO, _FOUR, _EIGHT, _32 = (np.uint64(n) for n in (0, 4, 8, 32))
_EACH: Final = np.uint64(0x0101010101010101)
_HIGH: Final = np.uint64(0x8080808080808080)
_LOW: Final = np.uint64(0xFF)
_HALF: Final = np.uint64(0xF)
_QUOTE, _BACKSLASH, _BLANK = (np.uint64(ord(sign)) for sign in '"\\ ')
_QUOTES, _BACKSLASHES, _BLANKS, _OTHERS = (_EACH * np.uint64(ord(sign)) for sign in '"\\ x')


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_COMMA, _OBJECT, _NULL = map(_word, (b",", b"{", b"null"))
_ID, _TITLE, _COLON = map(_word, (b'{"id":', b',"title"', b":"))
_ESCAPE: Final = _word(b"\\u0000")
_SHORT: Final = tuple(
    (np.uint64(ord(sign)), np.uint64(ord(letter))) for sign, letter in zip("\b\t\n\f\r", "btnfr", strict=True)
)
"""Control characters that have a letter of their own, with it."""


@compiled
def _put_piece(out: Int, pieces: Pieces, nth: Int) -> Int:
    """Put a piece at an address; returns where the next one goes, as all these functions do."""
    start = np.int64(pieces.starts[nth])
    size = np.int64(pieces.starts[nth + 1]) - start
    for at in range(0, size, WORD):
        store(out + at, load(pieces.address + start + at))
    return out + size


@compiled
def _has_special(word: np.uint64) -> bool:
    """Whether one of eight bytes is a quote, a backslash or a control character."""
    quotes, backslashes = word ^ _QUOTES, word ^ _BACKSLASHES
    found = ((word - _BLANKS) & ~word) | ((quotes - _EACH) & ~quotes) | ((backslashes - _EACH) & ~backslashes)
    return bool((found & _HIGH) != _ZERO)


@compiled
def _put_some(out: Int, word: np.uint64, size: Int) -> Int:
    """Put the first bytes of a word, escaped."""
    if size < WORD:
        word = (word & ~(~_ZERO << (_EIGHT * np.uint64(size)))) | _OTHERS << (_EIGHT * np.uint64(size))
    if not _has_special(word):
        store(out, word)
        return out + size
    for _ in range(size):
        sign = word & _LOW
        word >>= _EIGHT
        if sign in (_QUOTE, _BACKSLASH):
            store(out, _BACKSLASH | sign << _EIGHT)
            out += 2
        elif sign < _BLANK:
            out = _put_control(out, sign)
        else:
            store(out, sign)
            out += 1
    return out


@compiled
def _put_control(out: Int, sign: np.uint64) -> Int:
    """Put a control character, escaped."""
    letter = _ZERO
    for nth in range(len(_SHORT)):
        if sign == _SHORT[nth][0]:
            letter = _SHORT[nth][1]
    if letter != _ZERO:
        store(out, _BACKSLASH | letter << _EIGHT)
        return out + 2
    low = sign & _HALF
    low += np.uint64(ord("a") - ord("0") - 10) if low > np.uint64(9) else _ZERO
    store(out, _ESCAPE + (sign >> _FOUR << _32) + (low << (_32 + _EIGHT)))
    return out + 6


@compiled
def _put_text(out: Int, texts: Texts, row: Int) -> Int:
    """Put a text in quotes, escaped."""
    view = texts.views[row]
    size = np.int64(view[0])
    store(out, _QUOTE)
    out += 1
    if size <= HELD:
        out = _put_some(out, np.uint64(view[1]) | np.uint64(view[2]) << _32, min(size, np.int64(WORD)))
        if size > WORD:
            out = _put_some(out, np.uint64(view[3]), size - WORD)
    else:
        address = texts.buffers[view[2]] + np.int64(view[3])
        rest = size % WORD
        for at in range(0, size - rest, WORD):
            out = _put_some(out, load(address + at), WORD)
        if rest:
            last = load(address + size - WORD) >> (_EIGHT * np.uint64(WORD - rest))
            out = _put_some(out, last, rest)
    store(out, _QUOTE)
    return out + 1


@compiled
def _put_mention(out: Int, phrases: Phrases, mentions: Rows, shown: Shown, row: Int) -> Int:
    store(out, _ID)
    out += 6
    if shown.has_id[row]:
        out = _put_text(out, shown.ids, row)
    else:
        store(out, _NULL)
        out += 4
    store(out, _TITLE)
    store(out + WORD, _COLON)
    out = _put_text(out + WORD + 1, shown.titles, row)
    store(out, _COMMA)
    out = _put_piece(out + 1, phrases.journals, mentions.journals[row])
    out = _put_piece(out, phrases.dates, mentions.dates[row])
    return _put_piece(out, phrases.ends, mentions.ends[row])


@compiled
def _put_journal(out: Int, phrases: Phrases, journals: Rows, row: Int) -> Int:
    store(out, _OBJECT)
    out = _put_piece(out + 1, phrases.journals, journals.journals[row])
    out = _put_piece(out, phrases.dates, journals.dates[row])
    out = _put_piece(out, phrases.sources, journals.sources[row])
    return _put_piece(out, phrases.ends, journals.ends[row])


@compiled
def encode(
    phrases: Phrases,
    mentions: Rows,
    shown: Shown,
    journals: Rows,
    pieces: Int,
    out: Int,
    room: Int,
    at: Places,
    sizes: Places,
) -> Int:
    """Write lines, with what goes between two of them, to an address, from where it stopped; returns how many bytes.

    pieces: bytes that those which are put together may take. room: bytes; it stops where what comes next might not fit.
    at: where it is, at first zeros. sizes: of each drug's line, in bytes, filled in.
    """
    first = out
    before = at[WRITTEN]
    sources = phrases.between.starts.shape[0] - 1
    while at[DRUG] < sizes.shape[0]:
        drug, part = at[DRUG], at[PART]
        left = room - (out - first) - pieces - ENOUGH
        if left < 0:
            break
        if part == 0:
            sizes[drug] = -(before + out - first)
            out = _put_piece(out, phrases.heads, drug)
            at[PART] = 1
        elif part <= sources:
            row = at[ROW]
            if row < mentions.drugs.shape[0] and mentions.drugs[row] == drug and mentions.places[row] == part - 1:
                size = np.int64(shown.ids.views[row, 0]) + np.int64(shown.titles.views[row, 0])
                if left < LONGEST * size:
                    break
                store(out, _COMMA)
                out = _put_mention(out + at[IS_NEXT], phrases, mentions, shown, row)
                at[ROW] += 1
                at[IS_NEXT] = 1
            else:
                out = _put_piece(out, phrases.between, part - 1)
                at[PART] += 1
                at[IS_NEXT] = 0
        else:
            row = at[JOURNAL]
            if row < journals.drugs.shape[0] and journals.drugs[row] == drug:
                store(out, _COMMA)
                out = _put_journal(out + at[IS_NEXT], phrases, journals, row)
                at[JOURNAL] += 1
                at[IS_NEXT] = 1
            else:
                out = _put_piece(out, phrases.around, END)
                sizes[drug] += before + out - first
                at[DRUG] += 1
                at[PART] = at[IS_NEXT] = 0
                if at[DRUG] < sizes.shape[0]:
                    out = _put_piece(out, phrases.around, BETWEEN)
    at[WRITTEN] = before + out - first
    return out - first
