"""Delimited text: what a row is, what costs a row, and that both readers say the same of a clean file."""

import csv
import io
import time
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources import csv_lines, delimited, streams
from drugmentions.sources.reading import Reading

Planned = Callable[..., SourceFile]
Slow = Callable[..., Reading]
Fast = Callable[..., Reading | None]

HEADER = "title,id,date\n"
BLANK = (None, None, None)


def rows(reading: Reading) -> list[tuple[str | None, ...]]:
    return reading.records.sort("record").select("title", "id", "date").collect().rows()


def records(reading: Reading) -> list[int]:
    return reading.records.sort("record").collect()["record"].to_list()


def rejects(reading: Reading) -> list[tuple[int, int, str, str]]:
    return reading.rejects.sort("record").select("record", "line", "reason", "raw").collect().rows()


def untitled(reading: Reading) -> list[tuple[int, str, bool]]:
    return reading.untitled.sort("record").select("record", "raw", "blank").collect().rows()


def assert_complete(reading: Reading) -> None:
    """Every record that was counted is kept or rejected, and has a number of its own."""
    numbers = records(reading) + [record for record, *_ in rejects(reading)]
    assert sorted(numbers) == list(range(1, sum(reading.read.values()) + 1))


# What a row is.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a,1,2020\n", [("a", "1", "2020")]),
        ("a,1,2020", [("a", "1", "2020")]),
        ("a,1,2020\r\nb,2,\r\n", [("a", "1", "2020"), ("b", "2", None)]),
        ("a,1,2020\r\nb,2,2021\n", [("a", "1", "2020"), ("b", "2", "2021")]),
        ("a,1\nb\n", [("a", "1", None), ("b", None, None)]),
        ('"a, b",1,""\n', [("a, b", "1", None)]),
        ('"say ""a""",1,\n', [('say "a"', "1", None)]),
        ('"a\nb",1,\nc,2,\n', [("a\nb", "1", None), ("c", "2", None)]),
        ('"a\r\nb",1,\r\nc,2,\r\n', [("a\nb", "1", None), ("c", "2", None)]),
        ('5" tube,1,\n', [('5" tube', "1", None)]),
        ('5",1,\n6",2,\n', [('5"', "1", None), ('6"', "2", None)]),
        ("a\rb,1,\n", [("a b", "1", None)]),
        ("é\u2028ü,1,\n", [("é\u2028ü", "1", None)]),
        ("a\x00b,1,\n", [("a\x00b", "1", None)]),
        (" a , 1 ,\n", [(" a ", " 1 ", None)]),
        ("a,1,2020\r", [("a", "1", "2020")]),
        ("\n\t\n,,\na,1,\n", [BLANK, ("\t", None, None), BLANK, ("a", "1", None)]),
        (" , ,\n,,,,\n", [(" ", " ", None), BLANK]),
        ("", []),
    ],
)
def test_rows(planned: Planned, slow: Slow, fast: Fast, body: str, expected: list[tuple[str | None, ...]]) -> None:
    file = planned(HEADER + body)
    assert rows(slow(file)) == expected
    assert slow(file).read == {file.file: len(expected)}
    if (scan := fast(file)) and ",,,," not in body:
        assert (rows(scan), scan.read) == (expected, {file.file: len(expected)})


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("title,id,date", "a,1,2020"),
        ("\ufefftitle,id,date", "a,1,2020"),
        ('\ufeff"title",id,date', "a,1,2020"),
        (' Title ,"ID",DATE ', "a,1,2020"),
        ('"Ti\ntle",title,id,date', "x,a,1,2020"),
        ("scientific_title,id,date,title", "x,1,2020,a"),
        ("title,title,id,date,ID", "a,x,1,2020,9"),
        ("\n\r\ntitle,id,date", "a,1,2020"),
        ('# of "x,\n#\ntitle,id,date', "a,1,2020"),
        ("#title,id,date,title", "x,1,2020,a"),
        ('"title" x,id,date,title', "x,1,2020,a"),
        ("id,date,title,", "1,2020,a"),
    ],
)
def test_headers(planned: Planned, slow: Slow, fast: Fast, header: str, row: str) -> None:
    file = planned(f"{header}\n{row}\n")
    assert rows(slow(file)) == [("a", "1", "2020")]
    if scan := fast(file):
        assert rows(scan) == [("a", "1", "2020")]


def test_the_first_column_that_is_not_empty_counts(planned: Planned, slow: Slow, fast: Fast) -> None:
    columns = {"title": ["title", "scientific_title"], "id": ["id"], "date": ["day", "month", "year"]}
    body = "id,year,scientific_title,title,month,day\n1,2000,S,T,2000-02,\n2,2000,S,,,\n3,,S\n4,,, ,,\n5,,,,2001-01,\n"
    file = planned(body, columns=columns)
    expected = [
        ("T", "1", "2000-02"),
        ("S", "2", "2000"),
        ("S", "3", None),
        (" ", "4", None),
        (None, "5", "2001-01"),
    ]
    scan, reading = fast(file), slow(file)
    assert scan
    assert rows(scan) == rows(reading) == expected
    assert untitled(scan) == untitled(reading)
    assert [record for record, *_ in untitled(scan)] == [4, 5]


def test_absent_fields_are_null(planned: Planned, slow: Slow, fast: Fast) -> None:
    file = planned("x,id\n1,2\n")
    scan = fast(file)
    assert scan
    assert rows(scan) == rows(slow(file)) == [(None, "2", None)]
    assert untitled(scan) == untitled(slow(file)) == [(1, '{"x":"1","id":"2"}', False)]


def test_one_field_alone(planned: Planned, slow: Slow) -> None:
    reading = slow(planned("id,title\n1,a\n"), fields=("title",))
    assert reading.records.collect().columns == ["file", "record", "line", "title"]
    assert reading.records.collect()["title"].to_list() == ["a"]


@pytest.mark.parametrize("separator", ["\t", "|", ";", "^", "]", "-", "\\", " "])
def test_separators(planned: Planned, slow: Slow, fast: Fast, separator: str) -> None:
    lines = ["title,id,date", "a,1,2020", '"b,c",2,']
    text = "".join(line.replace(",", separator) + "\n" for line in lines)
    file = planned(text, separator=separator)
    expected = [("a", "1", "2020"), (f"b{separator}c", "2", None)]
    scan = fast(file)
    assert scan
    assert rows(slow(file)) == rows(scan) == expected


@pytest.mark.parametrize("content", ["", "\n\n \n", "\ufeff", "title,id,date", "# nothing\n", "\r"])
def test_no_records(planned: Planned, slow: Slow, fast: Fast, content: str) -> None:
    file = planned(content)
    reading = slow(file)
    assert (rows(reading), rejects(reading), reading.read) == ([], [], {file.file: 0})
    scan = fast(file)
    assert scan is None or rows(scan) == []


def test_carriage_returns_end_lines_where_there_are_no_line_feeds(planned: Planned, slow: Slow, fast: Fast) -> None:
    file = planned('title,id,date\ra,1,2020\r"b\rc",2,\r')
    assert fast(file) is None
    assert rows(slow(file)) == [("a", "1", "2020"), ("b\nc", "2", None)]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("latin-1", "title,id\né,1\n".encode("latin-1")),
        ("utf-16", "title,id\né,1\n".encode("utf-16")),
        ("utf-16-le", "\ufefftitle,id\né,1\n".encode("utf-16-le")),
        ("utf-8-sig", "\ufefftitle,id\né,1\n".encode()),
        ("UTF8", "title,id\né,1\n".encode()),
    ],
)
def test_encodings(planned: Planned, slow: Slow, encoding: str, content: bytes) -> None:
    assert rows(slow(planned(content, encoding=encoding))) == [("é", "1", None)]


def test_what_an_encoding_lacks_costs_the_row(planned: Planned, slow: Slow) -> None:
    reading = slow(planned(b"title,id\na\x81\xf0,1\nb,2\n", encoding="cp1252"))
    assert rows(reading) == [("b", "2", None)]
    assert [reason for _, _, reason, _ in rejects(reading)] == ["invalid UTF-8"]


# What costs a row, and nothing more.


@pytest.mark.parametrize(
    ("bad", "reason", "raw"),
    [
        (b"x,1,2020,y\n", "4 fields where the header has 3", "x,1,2020,y"),
        (b'"x\ny",1,2020,z\n', "4 fields where the header has 3", '"x\ny",1,2020,z'),
        (b'x,"open,2020\n', "unclosed quote", 'x,"open,2020'),
        (b'x,"\n', "unclosed quote", 'x,"'),
        (b"x\xff,1,2020\n", "invalid UTF-8", "x\ufffd,1,2020"),
        (b"x,1,2020,\xff\n", "invalid UTF-8", "x,1,2020,\ufffd"),
        (b"\xed\xa0\x80,1,2020\n", "invalid UTF-8", "\ufffd\ufffd\ufffd,1,2020"),
        (b'"x\n\xff",1,2020\n', "invalid UTF-8", '"x\n\ufffd",1,2020'),
    ],
)
def test_a_bad_row_costs_a_row(  # three fixtures, three values
    planned: Planned, slow: Slow, fast: Fast, bad: bytes, reason: str, raw: str
) -> None:
    file = planned(b"title,id,date\na,1,2020\n" + bad + b"b,2,2021\n")
    reading = slow(file)
    assert rows(reading) == [("a", "1", "2020"), ("b", "2", "2021")]
    assert rejects(reading) == [(2, 3, reason, raw)]
    assert reading.read == {file.file: 3}
    scan = fast(file)
    if scan:
        with pytest.raises(pl.exceptions.PolarsError):
            scan.records.collect()


@pytest.mark.parametrize(
    ("line", "title"),
    [('"abc" def,1,2020', "abc def"), ('"The "best" drug",1,2020', 'The best" drug"'), ('"a"b"c",1,2020', 'ab"c"')],
)
def test_text_behind_a_closing_quote_belongs_to_the_cell(planned: Planned, slow: Slow, line: str, title: str) -> None:
    reading = slow(planned(f"{HEADER}{line}\nb,2,\n"))
    assert rows(reading) == [(title, "1", "2020"), ("b", "2", None)]
    assert rejects(reading) == []


def test_reading_goes_on_behind_the_first_line_of_a_bad_record(planned: Planned, slow: Slow) -> None:
    reading = slow(planned(HEADER + 'x,"open,\na,1,\n"b" c,2,\nd,3,"4\n5"\ne,"6\n'))
    assert rows(reading) == [("a", "1", None), ("b c", "2", None), ("d", "3", "4\n5")]
    assert [reject[:3] for reject in rejects(reading)] == [(1, 2, "unclosed quote"), (5, 7, "unclosed quote")]


@pytest.mark.parametrize("further", [csv_lines.AHEAD_LINES, csv_lines.AHEAD_LINES + 1])
def test_a_cell_may_have_so_many_lines(planned: Planned, slow: Slow, further: int) -> None:
    body = 'a,1,"' + "x\n" * further + '"\nb,2,\n'
    reading = slow(planned(HEADER + body))
    assert_complete(reading)
    if further <= csv_lines.AHEAD_LINES:
        assert [row[0] for row in rows(reading)] == ["a", "b"]
    else:
        assert rejects(reading)[0] == (1, 2, "unclosed quote", 'a,1,"x')
        assert rows(reading)[0] == ("x", None, None)
        assert rows(reading)[-1] == ("b", "2", None)


def test_a_cell_may_have_so_many_characters(planned: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines, "AHEAD_TEXT", len('1234567",1,\n'))
    reading = slow(planned(HEADER + '"a\n1234567",1,\n"b\n12345678",2,\n'))
    assert rows(reading) == [("a\n1234567", "1", None), ('12345678"', "2", None)]
    assert rejects(reading) == [(2, 4, "unclosed quote", '"b')]


def test_records_do_not_depend_on_where_blocks_end(
    planned: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = planned(HEADER + 'é,1,\n"b\nc",2,\r\nx,"open\n"d" e,3,\nf,4,5,6\n\n' * 5)
    expected = slow(file)
    for size in (1, 2, 3, 7, 20):
        monkeypatch.setattr(streams, "BLOCK", size)
        reading = slow(file)
        assert rows(reading) == rows(expected)
        assert rejects(reading) == rejects(expected)
        assert untitled(reading) == untitled(expected)


@pytest.mark.parametrize("line", ['x",",\n', 'x,"\n', '"x\n', '"\n', 'x,"a"b\n', '"",""x,"\n'])
def test_unclosed_quotes_everywhere_take_no_more_than_linear_time(
    planned: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(csv_lines, "CREDIT", 1 << 20)
    file = planned(HEADER + line * 100_000)
    start = time.process_time()
    reading = slow(file)
    assert time.process_time() - start < 5
    assert_complete(reading)
    assert reading.read[file.file] >= 50_000


def test_a_title_of_ten_megabytes(planned: Planned, slow: Slow) -> None:
    title = "word " * 2_000_000
    reading = slow(planned(f'{HEADER}"{title}",1,\n'))
    assert rows(reading) == [(title, "1", None)]


def test_a_line_that_is_too_long_costs_a_row(planned: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (streams, csv_lines, delimited):
        monkeypatch.setattr(module, "LINE_LIMIT", 600_000)
    reading = slow(planned(HEADER + "a,1,\n" + "ä" * 800_000 + ",2,\nb,3,\n"))
    assert rows(reading) == [("a", "1", None), ("b", "3", None)]
    assert [(record, reason, len(raw)) for record, _, reason, raw in rejects(reading)] == [
        (2, "line longer than 64 MiB", RAW_LIMIT)
    ]


def test_untitled_records(planned: Planned, slow: Slow, fast: Fast) -> None:
    body = ',1,2020\n\n"""""", , \n\\xc3\\x28,1,\n \\xc2\\xa0,,\n"""a""",,\nb,,\n'
    file = planned("title,id,date,x\n" + body)
    expected = [
        (1, '{"title":null,"id":"1","date":"2020","x":null}', False),
        (2, '{"title":null,"id":null,"date":null,"x":null}', True),
        (3, '{"title":"\\"\\"","id":" ","date":" ","x":null}', True),
        (4, '{"title":"\\\\xc3\\\\x28","id":"1","date":null,"x":null}', False),
        (5, '{"title":" \\\\xc2\\\\xa0","id":null,"date":null,"x":null}', False),
    ]
    scan = fast(file)
    assert scan
    assert untitled(slow(file)) == untitled(scan) == expected
    assert records(slow(file)) == records(scan) == list(range(1, 8))


def test_lines_are_physical(planned: Planned, slow: Slow) -> None:
    reading = slow(planned('#\n\ntitle,id\n"a\nb",1\n\nc,2\n'))
    assert reading.records.select("record", "line").collect().rows() == [(1, 4), (2, 6), (3, 7)]


# The lazy scan.


@pytest.mark.parametrize(
    "body",
    [
        '"The "best" drug",1,\n',  # Polars drops the quotes inside
        '"abc,1,\ndef",2,\n',  # makes one row of two
        "a,1,2,",  # and takes a separator too many for the end
        '"""\n',
        '"a,"b",c",\n',
        'a,",","bb",,"',
        "a\rb,1,\n",
        '"a\rb",1,\n',
    ],
)
def test_what_polars_would_misread_is_not_scanned(planned: Planned, fast: Fast, body: str) -> None:
    assert fast(planned(HEADER + body)) is None


def test_a_scan_has_the_same_schema(planned: Planned, slow: Slow, fast: Fast) -> None:
    file = planned(HEADER + "a,1,\n,,\n")
    scan = fast(file)
    assert scan
    for lazy, eager in zip(scan[:3], slow(file)[:3], strict=True):
        assert lazy.collect().schema == lazy.collect_schema() == eager.collect_schema()


def test_a_path_is_no_pattern(planned: Planned, slow: Slow, fast: Fast) -> None:
    file = planned(HEADER + "a,1,\n", name="a [1]*.csv")
    scan = fast(file)
    assert scan
    assert rows(scan) == rows(slow(file)) == [("a", "1", None)]


# Generated files.

CELLS = st.text(alphabet=st.sampled_from("ab \"',\n\té\u2028🙂\\"), max_size=6)
TABLES = st.lists(st.lists(CELLS, max_size=3), max_size=6)


def as_csv(table: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([["title", "id", "date"], *table])
    return stream.getvalue()


@given(table=TABLES)
def test_written_rows_are_read_back(planned: Planned, slow: Slow, fast: Fast, table: list[list[str]]) -> None:
    file = planned(as_csv(table))
    expected = [tuple([*(cell or None for cell in row), None, None, None][:3]) for row in table]
    reading = slow(file)
    assert rows(reading) == expected
    assert rejects(reading) == []
    if scan := fast(file):
        assert rows(scan) == expected
        assert untitled(scan) == untitled(reading)
        assert scan.read == reading.read


@given(body=st.text(alphabet=st.sampled_from('a",\n\r \u00e9'), max_size=25))
def test_any_text_is_accounted_for(planned: Planned, slow: Slow, fast: Fast, body: str) -> None:
    file = planned(HEADER + body)
    reading = slow(file)
    assert_complete(reading)
    if scan := fast(file):
        try:
            scanned = rows(scan)
        except pl.exceptions.PolarsError:
            return
        assert (scanned, untitled(scan), scan.read) == (rows(reading), untitled(reading), reading.read)
        assert rejects(reading) == []


@given(body=st.binary(max_size=30))
def test_any_bytes_are_accounted_for(planned: Planned, slow: Slow, body: bytes) -> None:
    assert_complete(slow(planned(b"title,id\n" + body)))
