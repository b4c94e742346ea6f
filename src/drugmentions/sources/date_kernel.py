"""The loop over dates in their most frequent forms that numba compiles; all others are left to `dates.py`."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmentions.compiled import HELD, WORD, Int, Places, Words, compiled, load
from drugmentions.sources.dates import MONTHS

SIZE: Final = len("2020-03-01")
"""Bytes of an ISO date."""

_HELD_AT: Final = 4
"""Where in a view the text stands that it holds."""
_ZERO, _16, _24, _32, _40, _48, _56 = (np.uint64(8 * n) for n in (0, 2, 3, 4, 5, 6, 7))
_8 = np.uint64(8)
_BYTE, _2_BYTES, _3_BYTES, _4_BYTES = (np.uint64((1 << 8 * n) - 1) for n in (1, 2, 3, 4))
_BLANK, _HYPHEN, _SLASH, _DIGIT_0 = (np.uint64(ord(sign)) for sign in " -/0")
_SMALL = np.uint64(0x2020202020202020)
_TENS, _DIGITS, _TO_TENS = (np.uint64(0x0101010101010101 * n) for n in (0xF0, 0x30, 6))
_PAIRS = np.uint64(0x00FF00FF00FF00FF)
_TEN = np.uint64(10)


class Months(NamedTuple):
    """The months by their English names.

    letters: the first eight of each, small, in a word; ninths: the ninth, or 0; lengths: how many letters it has; days.
    """

    letters: Words
    ninths: Words
    lengths: Places
    days: Places


CALENDAR: Final = Months(
    letters=np.array([int.from_bytes(month.lower().encode()[:WORD], "little") for month in MONTHS], np.uint64),
    ninths=np.array([ord(month[WORD:] or "\0") for month in MONTHS], np.uint64),
    lengths=np.array([len(month) for month in MONTHS], np.int64),
    days=np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64),
)


@compiled
def _month(at: Int, size: Int, months: Months) -> np.uint64:
    """The two digits of the English month, full or of three letters, in any case; 0 where it is none."""
    letters = load(at) | _SMALL
    for month in range(12):
        if (letters ^ months.letters[month]) & _3_BYTES:
            continue
        if size != 3:
            rest = np.uint64(WORD - min(size, WORD)) << np.uint64(3)
            if size != months.lengths[month] or (letters ^ months.letters[month]) << rest:
                return _ZERO
            if size > WORD and (load(at + size - WORD) | _SMALL) >> _56 != months.ninths[month]:
                return _ZERO
        number = np.uint64(month + 1)
        return (_DIGIT_0 + number // _TEN) | (_DIGIT_0 + number % _TEN) << _8
    return _ZERO


@compiled
def _digits_of(at: Int, size: Int, months: Months) -> np.uint64:
    """The eight digits of year, month and day that a text may be, the first in the lowest bits; 0 where it is none."""
    first, last = load(at), load(at + size - WORD)
    year = last >> _32
    if size == SIZE:
        sign = first >> _56
        if sign in (_HYPHEN, _SLASH) and (first >> _32) & _BYTE == sign:
            return first & _4_BYTES | (first >> _40 & _2_BYTES) << _32 | last >> _48 << _48
        if (first >> _16) & _BYTE == _SLASH and (first >> _40) & _BYTE == _SLASH:
            return year | (first >> _24 & _2_BYTES) << _32 | first << _48
    if (last >> _24) & _BYTE == _BLANK:
        if (first >> _8) & _BYTE == _BLANK:
            return year | _month(at + 2, size - 7, months) << _32 | (_DIGIT_0 | first << _8) << _48
        if (first >> _16) & _BYTE == _BLANK:
            return year | _month(at + 3, size - 8, months) << _32 | first << _48
    return _ZERO


@compiled
def iso_dates(text: Int, cells: Int, months: Months, dates: Words, known: NDArray[np.bool_]) -> None:
    """Enter dates as ISO's, as views that hold them, and set `known`; what isn't sure to be a date is passed over.

    text: an address; cells: that of views of pieces of it, as `line_kernel.cut_lines` gives them.

    Known are `2020-03-01`, `2020/03/01`, `01/03/2020` and `1 March 2020`, days of the Gregorian calendar from 1000 to
    2100.
    """
    for row in range(known.shape[0]):
        cell = cells + 2 * WORD * row
        size = np.int64(load(cell) & _4_BYTES)
        if size < SIZE:
            continue
        digits = _digits_of(
            cell + _HELD_AT if size <= HELD else text + np.int64(load(cell + WORD) >> _32), size, months
        )
        if digits & _TENS != _DIGITS or (digits + _TO_TENS) & _TENS != _DIGITS:
            continue
        ones = digits & ~_TENS
        pairs = (ones * _TEN + (ones >> _8)) & _PAIRS
        year = np.int64((pairs & _BYTE) * np.uint64(100) + (pairs >> _16 & _BYTE))
        month, day = np.int64(pairs >> _32 & _BYTE), np.int64(pairs >> _48)
        if not (1000 <= year <= 2100 and 1 <= month <= 12 and day >= 1):
            continue
        is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if day > months.days[month - 1] + (1 if is_leap and month == 2 else 0):
            continue
        dates[2 * row] = np.uint64(SIZE) | digits << _32
        dates[2 * row + 1] = _HYPHEN | (digits >> _32 & _2_BYTES) << _8 | _HYPHEN << _24 | digits >> _48 << _32
        known[row] = True
