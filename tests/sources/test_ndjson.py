"""NDJSON: what a record is, what costs a line, and that both readers say the same of a clean file."""

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.model import Format, SourceFile
from drugmentions.sources import ndjson, streams
from drugmentions.sources.reading import Reading

Planned = Callable[..., SourceFile]
Slow = Callable[..., Reading]
Fast = Callable[..., Reading | None]
Row = tuple[str | None, ...]

GOOD = '{"title":"a","id":"1"}\n'


@pytest.fixture(scope="module")
def plan(planned: Planned) -> Planned:
    def plan_lines(content: str | bytes, **options: Any) -> SourceFile:
        return planned(content, Format.NDJSON, **options)

    return plan_lines


def rows(reading: Reading) -> list[Row]:
    return reading.records.sort("record").select("title", "id", "date").collect().rows()


def rejects(reading: Reading) -> list[tuple[int, int, str, str]]:
    return reading.rejects.sort("record").select("record", "line", "reason", "raw").collect().rows()


def untitled(reading: Reading) -> list[tuple[int, str, bool]]:
    return reading.untitled.sort("record").select("record", "raw", "blank").collect().rows()


def assert_same(scan: Reading, reading: Reading) -> None:
    assert rejects(reading) == []
    assert (rows(scan), untitled(scan), scan.read) == (rows(reading), untitled(reading), reading.read)


def assert_complete(reading: Reading) -> None:
    """Every line is kept or rejected."""
    numbers = reading.records.collect()["record"].to_list() + [record for record, *_ in rejects(reading)]
    assert sorted(numbers) == list(range(1, sum(reading.read.values()) + 1))


# What a record is.


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"title":"a","id":1}\n{"id":"2","date":true}\n', [("a", "1", None), (None, "2", "true")]),
        ('{"title":"a"}\r\n{"title":"b"}', [("a", None, None), ("b", None, None)]),
        ('\ufeff{"title":"a"}\n', [("a", None, None)]),
        ('{"title":"a"}\r{"title":"b"}\r', [("a", None, None), ("b", None, None)]),
        (' {"title" : "a\\n\\u00e9\\ud83d\\ude42" } \n', [("a\né🙂", None, None)]),
        ('{"scientific_title":"a","title":null}\n{"scientific_title":"b","title":"c"}\n', [("a",), ("c",)]),
        ('{"scientific_title":"a","title":""}\n', [("a",)]),
        ('{"TITLE":"a"," Id ":2}\n', [("a", "2", None)]),
        ('{"x":{"title":"b"},"title":"a"}\n', [("a",)]),
        ('{"title":"a","id":[1, "x y"],"date":{"y": null}}\n', [("a", '[1,"x y"]', '{"y":null}')]),
        ('{"title":"a\u2028b"}\n', [("a\u2028b",)]),
        ('\n{"title":"a"}\n \t\nnull\n{}\n', [(None,), ("a",), (None,), (None,), (None,)]),
        ("", []),
    ],
)
def test_records(plan: Planned, slow: Slow, fast: Fast, content: str, expected: list[Row]) -> None:
    file = plan(content)
    padded = [(*row, None, None)[:3] for row in expected]
    reading = slow(file)
    assert rows(reading) == padded
    assert_complete(reading)
    if scan := fast(file):
        assert_same(scan, reading)


NUMBERS = {
    "0": "0",
    "-0": "0",
    "-0.0": "-0",
    "7": "7",
    "18446744073709551615": "18446744073709551615",
    "123456789012345678901234567890": "123456789012345678901234567890",
    "1.50": "1.5",
    "1.0": "1",
    "1e5": "100000",
    "1e-7": "0.0000001",
    "0.1": "0.1",
}


@pytest.mark.parametrize(("number", "text"), NUMBERS.items())
def test_numbers_are_plain_text(plan: Planned, slow: Slow, fast: Fast, number: str, text: str) -> None:
    file = plan(f'{{"title":"a","id":{number}}}\n')
    scan = fast(file)
    assert scan
    assert rows(slow(file)) == rows(scan) == [("a", text, None)]


@pytest.mark.parametrize("number", ["9" * 5_000, "1e400", "-1E400"])
def test_numbers_that_no_float_holds(plan: Planned, slow: Slow, number: str) -> None:
    assert rows(slow(plan(f'{{"title":"a","id":{number}}}\n'))) == [("a", number, None)]


def test_untitled_records(plan: Planned, slow: Slow, fast: Fast) -> None:
    lines = [
        "{}",
        ' { "title" : null , "x" : "  " } ',
        '{"title":"\\"\\"","id":" \\"\\" ","x":"\\u00a0\\t\\u2003"}',
        '{"id":1}',
        '{"title":null,"x":[]}',
        '{"title":"\\\\xc3\\\\x28"}',
        '{"title":"","x y":"a  b"}',
        '{"title":"\\"a\\""}',
    ]
    file = plan("\n".join(lines))
    scan = fast(file)
    assert scan
    assert [(record, blank) for record, _, blank in untitled(scan)] == [
        *((record, True) for record in (1, 2, 3)), *((record, False) for record in (4, 5, 6, 7)),
    ]  # fmt: skip
    assert untitled(scan)[1] == (2, '{"title":null,"x":"  "}', True)
    assert untitled(scan)[6] == (7, '{"title":"","x y":"a  b"}', False)
    assert_same(scan, slow(file))


def test_a_line_of_ten_megabytes(plan: Planned, slow: Slow) -> None:
    title = "word " * 2_000_000
    assert rows(slow(plan(GOOD + json.dumps({"title": title})))) == [("a", "1", None), (title, None, None)]


# What costs a line, and nothing more.


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"title":}', "JSON syntax error"),
        (b'{"title":"b"', "JSON syntax error"),
        (b'{"title":"b"},', "JSON syntax error"),
        (b'{"title":"b"} {"title":"c"}', "JSON syntax error"),
        (b'{"title":"b",}', "JSON syntax error"),
        (b'{"title":NaN}', "JSON syntax error"),
        (b"title,id", "JSON syntax error"),
        (b"\x00", "JSON syntax error"),
        (b"\xff", "JSON syntax error"),
        (b"[1]", "not an object"),
        (b"5", "not an object"),
        (b'"a"', "not an object"),
        (b"false", "not an object"),
        (b'{"title":"a\xff"}', "invalid UTF-8"),
        (b'{"x":"\xed\xa0\x80"}', "invalid UTF-8"),
        (b'{"title":"\\ud800"}', "invalid Unicode escape"),
        (b'{"x":"\\udc00\\ud800"}', "invalid Unicode escape"),
        (b'{"title":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested too deeply"),
    ],
)
def test_a_bad_line_costs_a_line(plan: Planned, slow: Slow, fast: Fast, bad: bytes, reason: str) -> None:
    file = plan(GOOD.encode() + bad + b"\n" + GOOD.encode())
    reading = slow(file)
    assert rows(reading) == [("a", "1", None)] * 2
    assert rejects(reading) == [(2, 2, reason, bad.decode(errors="replace")[:2_000])]
    assert reading.read == {file.file: 3}
    assert fast(file) is None


def test_a_line_that_is_too_long_costs_a_line(plan: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (streams, ndjson):
        monkeypatch.setattr(module, "LINE_LIMIT", 600_000)
    reading = slow(plan(GOOD + json.dumps({"title": "x" * 2_000_000}) + "\n" + GOOD))
    assert [reject[:3] for reject in rejects(reading)] == [(2, 2, "line longer than 64 MiB")]
    assert_complete(reading)


@pytest.mark.parametrize("size", [1, 2, 5, 17])
def test_records_do_not_depend_on_where_blocks_end(
    plan: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    file = plan((GOOD + '{"title":"é"}\r\nx\n\n{"id":"\\ud800"}\n') * 3)
    expected = slow(file)
    monkeypatch.setattr(streams, "BLOCK", size)
    assert (rows(slow(file)), rejects(slow(file))) == (rows(expected), rejects(expected))


# The lazy scan.


@pytest.mark.parametrize(
    "line",
    [
        '{"title":"\\ud800"}',  # Polars makes it a NUL
        '{"title":"\\uD83D\\uDE42"}',  # a pair costs speed alone
        "",  # which it skips, so that the records shift
        " \t",
        '{"title":"a","id":[1, 2.0]}',
        '{"title":{"a" : 1}}',
    ],
)
def test_what_polars_reads_differently_is_not_scanned(plan: Planned, fast: Fast, line: str) -> None:
    assert fast(plan(GOOD * 2_000 + line + "\n" + GOOD)) is None


@pytest.mark.parametrize("line", ["null", "[1]", "x", '{"title":1e400}', '{"title":"' + "x" * 20])
def test_what_polars_refuses_raises_when_collected(plan: Planned, fast: Fast, line: str) -> None:
    scan = fast(plan(GOOD * 2_000 + line + "\n" + GOOD))
    assert scan
    with pytest.raises(pl.exceptions.PolarsError):
        scan.records.collect()


def test_a_key_that_comes_late_is_seen(plan: Planned, slow: Slow, fast: Fast) -> None:
    file = plan(GOOD * 2_000 + '{"scientific_title":"b","date":2020}\n')
    scan = fast(file)
    assert scan
    assert rows(scan)[-1] == ("b", None, "2020")
    assert_same(scan, slow(file))


def test_files_of_no_known_key(plan: Planned, slow: Slow, fast: Fast) -> None:
    file = plan('{"x":1}\n{"y":2}\n')
    assert rows(slow(file)) == [(None, None, None)] * 2
    if scan := fast(file):
        assert_same(scan, slow(file))


def test_a_path_is_no_pattern(plan: Planned, slow: Slow, fast: Fast) -> None:
    file = plan(GOOD, name="a [1]*?.json")
    scan = fast(file)
    assert scan
    assert_same(scan, slow(file))


def test_a_scan_has_the_same_schema(plan: Planned, slow: Slow, fast: Fast) -> None:
    file = plan(GOOD + "{}\n")
    scan = fast(file)
    assert scan
    for lazy, eager in zip(scan[:3], slow(file)[:3], strict=True):
        assert lazy.collect().schema == lazy.collect_schema() == eager.collect_schema()


# Generated files.

TEXTS = st.text(alphabet='a" \\\n\té\u2028🙂{}', max_size=5)
VALUES = st.none() | st.booleans() | st.integers(-(2**100), 2**100) | TEXTS
KEYS = st.sampled_from(["title", "id", "date", "scientific_title", "x"])
RECORDS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(records=st.lists(RECORDS, max_size=6), ascii_=st.booleans(), final=st.booleans())
def test_both_readers_agree(
    plan: Planned, slow: Slow, fast: Fast, records: list[dict[str, Any]], *, ascii_: bool, final: bool
) -> None:
    text = "\n".join(json.dumps(record, ensure_ascii=ascii_) for record in records) + "\n" * final
    file = plan(text)
    reading = slow(file)
    assert_complete(reading)
    if scan := fast(file):
        assert_same(scan, reading)


@given(digits=st.integers(-(10**15), 10**15), exponent=st.integers(-30, 3))
def test_both_readers_agree_on_floats(plan: Planned, slow: Slow, fast: Fast, digits: int, exponent: int) -> None:
    file = plan(f'{{"title":"a","id":{digits}e{exponent}}}\n')
    scan = fast(file)
    assert scan
    assert_same(scan, slow(file))


@given(content=st.binary(max_size=25) | st.text(alphabet='{}[],:"\\ae1 \n\r', max_size=30).map(str.encode))
def test_any_bytes_are_accounted_for(plan: Planned, slow: Slow, content: bytes) -> None:
    assert_complete(slow(plan(GOOD.encode() + content)))
