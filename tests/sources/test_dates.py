"""Dates of many spellings, against tables and a plain-Python oracle."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.sources.dates import check_date_format, parse_date_expr

MONTHS = [dt.date(2000, month, 1).strftime("%B") for month in range(1, 13)]
SEASONS = ["Spring", "Summer", "Autumn", "Fall", "Winter"]


def parsed(texts: Iterable[str | None], formats: Sequence[str] = ()) -> list[str | None]:
    column = pl.LazyFrame({"text": texts}, schema={"text": pl.String})
    return column.select(parse_date_expr(pl.col("text"), formats)).collect(engine="streaming")["text"].to_list()


MONTH = "(" + "|".join(name for month in MONTHS for name in (month, month[:3])) + ")"
SEASON = "(?:" + "|".join(SEASONS) + ")"
YEAR, TWO, DAY = "([0-9]{4})", "([0-9]{2})", "([0-9]{1,2})"
TO = " ?[-–] ?"
FORMATS = [
    (f"{YEAR}-{TWO}-{TWO}", "ymd"),
    (f"{YEAR}-{TWO}", "ym"),
    (YEAR, "y"),
    (f"{YEAR}/{TWO}/{TWO}", "ymd"),
    (f"{TWO}/{TWO}/{YEAR}", "dmy"),
    (f"{TWO}-{TWO}-{YEAR}", "dmy"),
    (rf"{TWO}\.{TWO}\.{YEAR}", "dmy"),
    (f"{DAY} {MONTH} {YEAR}", "dmy"),
    (f"{MONTH} {DAY}, {YEAR}", "mdy"),
    (f"{MONTH} {YEAR}", "my"),
    (f"{YEAR} {MONTH} {DAY}", "ymd"),
    (f"{YEAR} {MONTH}", "ym"),
]
RANGES = [
    (f"{YEAR} {MONTH} {DAY}{TO}{DAY}", "ymDD"),
    (f"{YEAR} {MONTH}{TO}{MONTH}", "ymM"),
    (f"{YEAR} {MONTH}{TO}{YEAR} {MONTH}", "ymYM"),
    (f"{YEAR} {MONTH} {DAY}{TO}{MONTH} {DAY}", "ymDMD"),
    (f"{YEAR} {MONTH} {DAY}{TO}{YEAR} {MONTH} {DAY}", "ymDYMD"),
    (f"{YEAR} {SEASON}", "y"),
    (f"{SEASON} {YEAR}", "y"),
    (f"{YEAR} {SEASON}{TO}{SEASON}", "y"),
    (f"{YEAR} {SEASON}{TO}{YEAR} {SEASON}", "yY"),
]


def number(kind: str, text: str) -> int:
    if text.isdecimal():
        return int(text)
    assert kind in "mM"
    return [month[:3].lower() for month in MONTHS].index(text[:3].lower()) + 1


def date_of(text: str) -> str | None:
    """The oracle of `parse_date_expr`."""
    for pattern, kinds in FORMATS + RANGES:
        if match := re.fullmatch(pattern, text, re.IGNORECASE | re.ASCII):
            return iso(kinds, [number(kind, part) for kind, part in zip(kinds, match.groups(), strict=True)])
    return None


def iso(kinds: str, numbers: list[int]) -> str | None:
    years = [value for kind, value in zip(kinds, numbers, strict=True) if kind in "yY"]
    days = [value for kind, value in zip(kinds, numbers, strict=True) if kind == "D"]
    if not all(1000 <= year <= 2100 for year in years) or not all(1 <= day <= 31 for day in days):
        return None
    parts = dict(zip(kinds, numbers, strict=True))
    try:
        day = dt.date(parts["y"], parts.get("m", 1), parts.get("d", 1))
    except ValueError:
        return None
    return day.isoformat()[: {"y": 4, "ym": 7, "ymd": 10}["".join(kind for kind in "ymd" if kind in parts)]]


def any_case(names: Iterable[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([case(name) for name in names for case in (str, str.lower, str.upper, str.swapcase)])


months = any_case([*MONTHS, *(month[:3] for month in MONTHS)])
years = st.integers(1990, 2010).map(str) | st.sampled_from(
    ["0999", "1000", "1900", "2000", "2100", "2101", "999", "12000"]
)
small = st.integers(0, 32).map(str) | st.integers(0, 32).map("{:02}".format)
signs = st.sampled_from([" ", "-", "/", ".", ", ", ",", "–", " - ", " – ", "—", " to ", "."])
tokens = st.one_of(
    months, years, small, signs, any_case(SEASONS), st.sampled_from(["Sept", "ſep", "T00:00", "٣", "é", "1\u0660"])
)
soups = st.lists(tokens, max_size=7).map("".join)
templates = st.sampled_from(
    [
        *("Y-2-2", "Y-2", "Y", "Y/2/2", "2/2/Y", "2-2-Y", "2.2.Y", "2/2-Y", "D_M_Y", "M_D,_Y", "M_Y", "Y_M_D", "Y_M"),
        *("Y_MtoM", "Y_M_DtoD", "Y_MtoY_M", "Y_M_DtoM_D", "Y_M_DtoY_M_D", "S_Y", "Y_S", "Y_StoS", "Y_StoY_S"),
        *("YtoY", "D_MtoY", "Y_D_M", "M_D_Y", "Y_MtoS", "Y_M_DtoM", "Y_MtoD"),
    ]
)


@st.composite
def dates(draw: st.DrawFn) -> str:
    """Texts in a format or nearly so."""
    parts = {
        "Y": years,
        "2": st.integers(0, 32).map("{:02}".format),
        "D": small,
        "M": months,
        "S": any_case(SEASONS),
        "_": st.just(" "),
        "to": st.sampled_from(["-", "–", " - ", " –", "– ", "/"]),
    }
    template: str = draw(templates)
    text = "".join(draw(parts[part]) if part in parts else part for part in re.findall("to|.", template))
    return text + draw(st.sampled_from(["", "", "", "", ".", "0", " x"]))


cleaned_texts = (dates() | soups).map(lambda text: " ".join(text.split()))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2020-03-01", "2020-03-01"),
        ("2003-04", "2003-04"),
        ("2003", "2003"),
        ("2020/03/01", "2020-03-01"),
        ("01/03/2020", "2020-03-01"),
        ("31-12-2020", "2020-12-31"),
        ("31.12.2020", "2020-12-31"),
        ("1 January 2020", "2020-01-01"),
        ("01 jan 2020", "2020-01-01"),
        ("25 MAY 2020", "2020-05-25"),
        ("September 1, 2011", "2011-09-01"),
        ("Sep 30, 2011", "2011-09-30"),
        ("April 2020", "2020-04"),
        ("Dec 2020", "2020-12"),
        ("2018 Dec 27", "2018-12-27"),
        ("2018 December 7", "2018-12-07"),
        ("2002 Sep", "2002-09"),
        ("2003 Apr 23-30", "2003-04"),
        ("2003 Apr-May", "2003-04"),
        ("2003 Apr – May", "2003-04"),
        ("1998 Dec-1999 Jan", "1998-12"),
        ("2000 Jul 4-Aug 5", "2000-07"),
        ("1999 Dec 31-2000 Jan 6", "1999-12"),
        ("2003 Spring", "2003"),
        ("fall 2003", "2003"),
        ("2003 Autumn-Winter", "2003"),
        ("2003 Winter-2004 Spring", "2003"),
        ("1000", "1000"),
        ("2100-12-31", "2100-12-31"),
        ("29/02/2000", "2000-02-29"),
        ("29 Feb 2024", "2024-02-29"),
        *(
            (text, None)
            for text in (
                *("05/25/2020", "2020-3-1", "1/1/2019", "1/1/19", "31 February 2020", "29/02/2100", "2019-02-29"),
                *("2020-00-01", "2020-13", "2020-01-00", "0 May 2020", "00 May 2020", "32 May 2020", "31/04/2020"),
                *("0999", "2101", "0999-12-31", "1 May 2101", "2101 Spring", "2000 Dec-2101 Jan", "20200301"),
                *("01/03-2020", "2020/03-01", "2020-03-01T00:00:00", "2020-03-01 12:00", "-2020-03-01", "2020-03-01 x"),
                *("1998-1999", "1998 - 1999", "1998 Dec-1999", "2003 Apr 23-32", "2003 Apr 0-9", "2003 Spring-Apr"),
                *("Sept 2020", "Janu 2020", "1 Mars 2020", "May 1 2020", "May 1,2020", "1 May, 2020", "May, 2020"),
                *("1 5 2020", "1 May Jun 2020", "1 JanFeb 2020", "Oct20-05", "2020 May1", "٣ May 2020", "1 ſep 2020"),
                *("ſep 2020", "2020 Apr-ſep", "ſpring 2020"),
                *(
                    "2020 1 May",
                    "2020 May 001",
                    "001 May 2020",
                    "1 may2020",
                    "Spring",
                    "May",
                    "Winter 2001-2002",
                    "-",
                    "",
                ),
            )
        ),
    ],
)
def test_dates(text: str, date: str | None) -> None:
    assert date_of(text) == date
    assert parsed([text]) == [date]


@given(st.lists(cleaned_texts))
def test_parsing_agrees_with_the_oracle(values: list[str]) -> None:
    assert parsed(values) == [date_of(value) for value in values]


@given(st.dates(dt.date(1000, 1, 1), dt.date(2100, 12, 31)))
def test_every_day_is_read_from_every_format(day: dt.date) -> None:
    month, year = MONTHS[day.month - 1], f"{day.year:04}"
    digits = f"{day.day:02}", f"{day.month:02}", year
    values = [day.isoformat(), "/".join(digits), ".".join(digits), "-".join(digits), "/".join(reversed(digits))]
    values += [f"{day.day} {month} {year}", f"{month[:3]} {day.day}, {year}", f"{year} {month.upper()} {day.day:02}"]
    assert parsed(values) == [day.isoformat()] * len(values)


def test_the_calendar_is_gregorian() -> None:
    values = [
        f"{year}-{month:02}-{day:02}"
        for year in range(990, 2111)
        for month in range(14)
        for day in (0, 1, *range(28, 33))
    ]
    assert parsed(values) == [date_of(value) for value in values]


@pytest.mark.parametrize(
    ("formats", "text", "date"),
    [
        (["%m/%d/%Y"], "05/25/2020", "2020-05-25"),
        (["%m/%d/%Y"], "25/05/2020", "2020-05-25"),
        (["%m/%d/%Y"], "01/02/2020", "2020-01-02"),
        (["%d/%m/%Y", "%m/%d/%Y"], "01/02/2020", "2020-02-01"),
        (["%d/%m/%Y"], "1/1/2019", "2019-01-01"),
        (["%d/%m/%Y"], "1/1/2019 x", None),
        (["%Y%m%d"], "20200301", "2020-03-01"),
        (["%Y%m%d"], "2020111", None),
        (["%Y%m%d"], "2020121", None),
        (["%d%b%Y"], "01JAN2020", "2020-01-01"),
        (["%d%b%Y"], "1JAN2020", None),
        (["%m/%Y"], "03/2020", "2020-03"),
        (["%m/%Y"], "13/2020", None),
        (["year %Y"], "year 2020", "2020"),
        (["%d.%m.%y"], "1.2.68", "2068-02-01"),
        (["%d.%m.%y"], "1.2.69", "1969-02-01"),
        (["%B %d %Y"], "Mar 1 2020", "2020-03-01"),
        (["%Y-%j"], "2020-366", "2020-12-31"),
        (["%Y-%j"], "2019-366", None),
        (["%Y-%j"], "2020-000", None),
        (["%y%j"], "20060", "2020-02-29"),
        (["%Y.%m"], "2020x03", None),
        (["(%Y)"], "(2020)", "2020"),
        (["%Y"], "0999", None),
        (["%Y"], "1 May 2020", "2020-05-01"),
        (["%d/%m/%YT00:00"], "31/02/2020T00:00", None),
    ],
)
def test_own_formats_come_first(formats: list[str], text: str, date: str | None) -> None:
    assert parsed([text, None], formats) == [date, None]


@given(
    st.dates(dt.date(1969, 1, 1), dt.date(2068, 12, 31)),
    st.sampled_from(
        ["%m/%d/%Y", "%Y%m%d", "%d%m%y", "%j.%y", "%Y, day %j", "%B %d %y", "%d-%b-%Y", "%d%B%Y", "on %y/%m/%d"]
    ),
)
def test_own_formats_read_what_strftime_writes(day: dt.date, fmt: str) -> None:
    assert parsed([day.strftime(fmt)], [fmt]) == [day.isoformat()]


@pytest.mark.parametrize(
    ("fmt", "problem"),
    [
        ("", "lacks the year"),
        ("%d/%m", "lacks the year"),
        ("%Y %y", "twice"),
        ("%Y %b %m", "twice"),
        ("%Y %j %d", "twice"),
        ("%Y-%d", "%d needs a month"),
        ("%Y-%m-%j", "without a month"),
        ("%Y-%H", "%H is none of"),
        ("%Y%%", "% is none of"),
        ("%Y%", "% is none of"),
        (" %Y", "single blanks"),
        ("%d  %m %Y", "single blanks"),
    ],
)
def test_wrong_formats_are_refused(fmt: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"date format {fmt!r}: ") + ".*" + re.escape(problem)):
        check_date_format(fmt)
    with pytest.raises(ValueError, match="date format"):
        parse_date_expr(pl.col("date"), [fmt])


@pytest.mark.parametrize("formats", [[], ["%m/%d/%Y", "%Y%j", "%d %b %y"]])
@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_nulls_stay_null_while_streaming(formats: list[str], size: int) -> None:
    assert parsed([None] * size, formats) == [None] * size
    values = ["01/03/2020", None, "2003 Apr 23-30"]
    assert parsed(values * size, formats) == parsed(values, formats) * size


def test_the_column_keeps_its_name_and_type() -> None:
    frame = pl.DataFrame({"date": ["1 May 2020"]})
    assert frame.select(parse_date_expr(pl.col("date"))).schema == {"date": pl.String}


@pytest.mark.parametrize("formats", [[], ["%Y%j"]])
def test_plans_stream(formats: list[str]) -> None:
    plan = pl.LazyFrame({"date": ["2020"]}).select(parse_date_expr(pl.col("date"), formats))
    graph = plan.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert str(graph).count("style=filled") == 1  # the source; a step that isn't elementwise would be another
