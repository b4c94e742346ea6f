"""The loop over dates in their most frequent forms that numba compiles; all others are left to `dates.py`."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmentions.compiled import Bytes, Int, Places, compiled
from drugmentions.sources.dates import MONTHS

SIZE: Final = len("2020-03-01")
"""Bytes of an ISO date."""

_ZERO, _BLANK, _HYPHEN, _SLASH = (ord(sign) for sign in "0 -/")
_NONE = -10_000


class Months(NamedTuple):
    """The months: their English names in small letters, a row each; the lengths of these; how many days they have."""

    names: Bytes
    lengths: Places
    days: Places


CALENDAR: Final = Months(
    names=np.array([list(month.lower().ljust(9).encode()) for month in MONTHS], np.uint8),
    lengths=np.array([len(month) for month in MONTHS], np.int64),
    days=np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64),
)


@compiled
def _number(text: Bytes, at: Int, size: Int) -> Int:
    """The number that so many digits are, or less than zero."""
    number: Int = 0
    for place in range(at, at + size):
        digit = np.int64(text[place]) - _ZERO
        number = 10 * number + digit if 0 <= digit <= 9 else _NONE
    return number


@compiled
def _month(text: Bytes, at: Int, end: Int, months: Months) -> Int:
    """The number of the English month, full or of three letters, in any case; 0 where it is none."""
    size = end - at
    for month in range(12):
        if size not in (3, months.lengths[month]):
            continue
        same = True
        for nth in range(size):
            same = same and text[at + nth] | 32 == months.names[month, nth]
        if same:
            return month + 1
    return 0


@compiled
def iso_dates(
    text: Bytes,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    months: Months,
    dates: NDArray[np.uint8],
    known: NDArray[np.bool_],
) -> None:
    """Write dates as ISO's into the rows of `dates`, and set `known`; what isn't sure to be a date is passed over.

    Known are `2020-03-01`, `2020/03/01`, `01/03/2020` and `1 March 2020`, days of the Gregorian calendar from 1000 to
    2100.
    """
    for row in range(starts.shape[0]):
        at, end = np.int64(starts[row]), np.int64(ends[row])
        size = end - at
        year: Int = _NONE
        month: Int = 0
        day: Int = 0
        if size < SIZE:
            continue
        if size == SIZE and text[at + 4] in (_HYPHEN, _SLASH) and text[at + 7] == text[at + 4]:
            year, month, day = _number(text, at, 4), _number(text, at + 5, 2), _number(text, at + 8, 2)
        elif size == SIZE and text[at + 2] == _SLASH and text[at + 5] == _SLASH:
            year, month, day = _number(text, at + 6, 4), _number(text, at + 3, 2), _number(text, at, 2)
        elif text[end - 5] == _BLANK:
            digits = 1 if text[at + 1] == _BLANK else 2
            if text[at + digits] == _BLANK:
                year, day = _number(text, end - 4, 4), _number(text, at, digits)
                month = _month(text, at + digits + 1, end - 5, months)
        if not (1000 <= year <= 2100 and 1 <= month <= 12 and day >= 1):
            continue
        is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if day > months.days[month - 1] + (1 if is_leap and month == 2 else 0):
            continue
        for place in range(4):
            dates[row, 3 - place] = _ZERO + year % 10
            year //= 10
        dates[row, 4] = dates[row, 7] = _HYPHEN
        dates[row, 5], dates[row, 6] = _ZERO + month // 10, _ZERO + month % 10
        dates[row, 8], dates[row, 9] = _ZERO + day // 10, _ZERO + day % 10
        known[row] = True
