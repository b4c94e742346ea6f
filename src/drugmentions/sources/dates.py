"""Dates of every source as text of their own precision: a day, a month or a year, never more than was printed."""

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from drugmentions.text import once_expr, where_expr

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MONTH_NUMBERS: Final = {name: f"{n:02}" for n, month in enumerate(MONTHS, 1) for name in (month, month[:3])}
"""English month, full or of three letters -> its number of two digits."""
# A month between blanks as a number between tabs, which cleaned text can't hold, so that nothing else looks like it.
_TABBED_MONTHS: Final = {f" {name} ": f"\t{number}\t" for name, number in MONTH_NUMBERS.items()}

_YEAR: Final = "(?:1[0-9]{3}|20[0-9]{2}|2100)"
_LEAP_YEAR: Final = "(?:(?:1[0-9]|20)(?:0[48]|[13579][26]|[2468][048])|1[26]00|2000)"
_DAY: Final = "(?:0?[1-9]|[12][0-9]|3[01])"
# Any case of ASCII letters alone: without `-u`, a long s would pass for an s.
_MONTH: Final = "(?i-u:" + "|".join(f"{month[:3]}(?:{month[3:]})?" for month in MONTHS) + ")"
_SEASON: Final = "(?i-u:Spring|Summer|Autumn|Fall|Winter)"
_TO: Final = " ?[-–] ?"
_TO_DAY: Final = f" {_DAY}{_TO}(?:(?:{_YEAR} )?{_MONTH} )?{_DAY}"
_TO_MONTH: Final = f"{_TO}(?:{_YEAR} )?{_MONTH}"
_TO_SEASON: Final = f"{_TO}(?:{_YEAR} )?{_SEASON}"

# What every format is rewritten to: a day of the Gregorian calendar, a month or a year, from 1000 to 2100.
_ISO_DATE: Final = rf"""(?x)^(?:
      {_YEAR} (?: - (?: 0[1-9] | 1[0-2] ) (?: - (?: 0[1-9] | 1[0-9] | 2[0-8] ) )? )?
    | {_YEAR} - (?: 0[13-9] | 1[0-2] ) - (?: 29 | 30 )
    | {_YEAR} - (?: 0[13578] | 1[02] ) - 31
    | {_LEAP_YEAR} - 02 - 29
)$"""
_DAY_FIRST: Final = r"^(?:[0-9]{2}(?:/[0-9]{2}/|-[0-9]{2}-|\.[0-9]{2}\.)|[0-9]{1,2}\t[0-9]{2}\t)[0-9]{4}$"
# `2020/03/01`; `2020 Mar`, `2020 Mar 1`, and what begins a range; seasons; `March 2020`, `March 1, 2020`.
_OTHER: Final = (
    f"^(?:(?<year1>{_YEAR})"
    f"(?:/(?<month1>[0-9]{{2}})/(?<day1>[0-9]{{2}})"
    f"| (?<month2>{_MONTH})(?: (?<day2>{_DAY})|{_TO_DAY}|{_TO_MONTH})?"
    f"| {_SEASON}(?:{_TO_SEASON})?)"
    f"|(?:(?<month3>{_MONTH}) (?:(?<day3>{_DAY}), )?|{_SEASON} )(?<year2>{_YEAR}))$"
)
# A part that the date lacks is empty here.
_OTHER_AS_ISO: Final = "${year1}${year2}-${month1}${month2}${month3}-${day1}${day2}${day3}"

_DIRECTIVES: Final = {
    "Y": ("year", "[0-9]{4}"),
    "y": ("year", "[0-9]{2}"),
    "m": ("month", "[0-9]{2}"),
    "b": ("month", _MONTH),
    "B": ("month", _MONTH),
    "d": ("day", "[0-9]{2}"),
    "j": ("day", "[0-9]{3}"),
}


def parse_date_expr(text: pl.Expr, formats: Sequence[str] = ()) -> pl.Expr:
    """Cleaned text as a date of the precision it was printed in: `2020-03-01`, `2003-04` or `2003`.

    Elementwise, String to String. Null where the text is null or no format fits it exactly: a day that the Gregorian
    calendar lacks, a year outside 1000 to 2100, `05/25/2020`, a time of day. Source: README.md, "Dates".

    `formats` are tried first, in their order; see `check_date_format`, whose ValueError is raised for a wrong one.
    """
    for fmt in formats:
        check_date_format(fmt)
    return once_expr(text, lambda printed: pl.coalesce(*_parsed(printed, formats)))


def check_date_format(fmt: str) -> None:
    """Raise ValueError, saying why, unless `fmt` is a strptime format that dates can be read with.

    It may hold %Y %y %m %d %b %B %j, each part of a date once, and literal text. %b and %B are the same: an English
    month, full or three letters, in any case. %m and %d may be one digit, as in strptime, unless they touch another
    letter or digit. %y below 69 is of this century. Without a day the date is a month, without a month a year.
    """
    if problem := _format_problem(fmt):
        raise ValueError(f"date format {fmt!r}: {problem}")


def _format_problem(fmt: str) -> str | None:
    letters = [piece[:1] for piece in fmt.split("%")[1:]]
    if unknown := [f"%{letter}" for letter in letters if letter not in _DIRECTIVES]:
        return f"{unknown[0]} is none of %Y %y %m %d %b %B %j"
    parts = [_DIRECTIVES[letter][0] for letter in letters]
    problems = {
        "it lacks the year, %Y or %y": "year" not in parts,
        "it gives the year, the month or the day twice": len(set(parts)) < len(parts),
        "%j is the day of the year, so it goes without a month": "j" in letters and "month" in parts,
        "%d needs a month beside it, %m, %b or %B": "d" in letters and "month" not in parts,
        "it must have single blanks and none at its ends, as cleaned text has": fmt != " ".join(fmt.split()),
    }
    return next((problem for problem, applies in problems.items() if applies), None)


def _parsed(text: pl.Expr, formats: Sequence[str]) -> Iterator[pl.Expr]:
    for fmt in formats:
        yield _real_date(_by_format(text, fmt))
    yield _real_date(_by_standard_formats(text))


def _real_date(iso: pl.Expr) -> pl.Expr:
    return once_expr(iso, lambda date: pl.when(date.str.contains(_ISO_DATE)).then(date))


def _by_standard_formats(text: pl.Expr) -> pl.Expr:
    """ISO's spelling of the standard formats, whether or not there is such a day; nothing else becomes ISO's."""
    rewritten = where_expr(text, lambda date: date.str.contains(_OTHER), _other_as_iso)
    return once_expr(rewritten.str.replace_many(_TABBED_MONTHS, ascii_case_insensitive=True), _day_first_as_iso)


def _other_as_iso(text: pl.Expr) -> pl.Expr:
    named = text.str.replace(_OTHER, _OTHER_AS_ISO).str.strip_chars_end("-")
    return _month_number(named).str.replace("-([0-9])$", "-0$1")


def _day_first_as_iso(date: pl.Expr) -> pl.Expr:
    year, month, day = date.str.tail(4), date.str.slice(-7, 2), date.str.zfill(10).str.head(2)
    return pl.when(date.str.contains(_DAY_FIRST)).then(pl.format("{}-{}-{}", year, month, day)).otherwise(date)


def _month_number(name: pl.Expr) -> pl.Expr:
    return name.str.replace_many(MONTH_NUMBERS, ascii_case_insensitive=True, leftmost=True)


def _by_format(text: pl.Expr, fmt: str) -> pl.Expr:
    """ISO's spelling of dates in a strptime format, whether or not there is such a month or day; else null."""
    letters = sorted((piece[0] for piece in fmt.split("%")[1:]), key="YybBmdj".index)
    return once_expr(text.str.extract_groups(_format_regex(fmt)), lambda parts: _parts_as_iso(parts, letters))


def _format_regex(fmt: str) -> str:
    literal, *pieces = fmt.split("%")
    regex, before = pl.escape_regex(literal), literal[-1:]
    for place, piece in enumerate(pieces, 1):
        letter, after = piece[0], piece[1:2] or ("%" if place < len(pieces) else "")
        stands_alone = not before.isalnum() and not after.isalnum() and after != "%"
        digits = "[0-9]{1,2}" if letter in "md" and stands_alone else _DIRECTIVES[letter][1]
        regex += f"(?<{letter}>{digits}){pl.escape_regex(piece[1:])}"
        before = piece[-1]
    return f"^{regex}$"


def _parts_as_iso(parts: pl.Expr, letters: Sequence[str]) -> pl.Expr:
    iso_parts = [_part_as_iso(parts.struct.field(letter), letter) for letter in letters]
    iso = pl.concat_str(iso_parts, separator="-")
    return iso.str.to_date("%Y-%j", strict=False).cast(pl.String) if "j" in letters else iso


def _part_as_iso(part: pl.Expr, letter: str) -> pl.Expr:
    if letter == "y":
        return pl.when(part < "69").then(pl.lit("20") + part).otherwise(pl.lit("19") + part)
    return _month_number(part) if letter in "bB" else part.str.zfill(2)
