"""Dates of every source as text of their own precision: a day, a month or a year, never more than was printed."""

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from drugmentions.sources.text import once_expr

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTH_NUMBERS: Final = {name[:3].lower(): f"{number:02}" for number, name in enumerate(_MONTHS, 1)}

_YEAR: Final = "(?:1[0-9]{3}|20[0-9]{2}|2100)"
_LEAP_YEAR: Final = "(?:(?:1[0-9]|20)(?:0[48]|[13579][26]|[2468][048])|1[26]00|2000)"
# A day of the Gregorian calendar, a month or a year, 1000 to 2100, in ISO's spelling.
_ISO_DATE: Final = rf"""(?x)^(?:
      {_YEAR} (?: - (?: 0[1-9] | 1[0-2] ) )?
    | {_YEAR} - (?: 0[1-9] | 1[0-2] ) - (?: 0[1-9] | 1[0-9] | 2[0-8] )
    | {_YEAR} - (?: 0[13-9] | 1[0-2] ) - (?: 29 | 30 )
    | {_YEAR} - (?: 0[13578] | 1[02] ) - 31
    | {_LEAP_YEAR} - 02 - 29
)$"""
_DAY_FIRST: Final = r"^[0-9]{2}(?:/[0-9]{2}/|-[0-9]{2}-|\.[0-9]{2}\.)[0-9]{4}$"
_SLASHED: Final = "^[0-9]{4}/[0-9]{2}/[0-9]{2}$"

_MONTH: Final = "(?:" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS) + ")"
_WORDED: Final = f"^(?i-u:(?:[0-9]{{1,2}} )?{_MONTH} [0-9]{{4}}|{_MONTH} [0-9]{{1,2}}, [0-9]{{4}}|[0-9]{{4}} {_MONTH}(?: [0-9]{{1,2}})?)$"
