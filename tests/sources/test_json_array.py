"""JSON arrays: what a record is, what costs a record, and what costs the rest of a file."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.model import RAW_LIMIT, Format, SourceFile
from drugmentions.sources import json_array, json_text, streams
from drugmentions.sources.reading import Reading

Slow = Callable[..., Reading]
Row = tuple[str | None, ...]

SYNTAX, EARLY, DEEP = "JSON syntax error", "file ends within a record", "nested too deeply"
SURPLUS = "text after the end of the JSON value"


@pytest.fixture(scope="module")
def read(planned: Callable[..., SourceFile], slow: Slow) -> Callable[..., Reading]:
    def read_content(content: str | bytes, **options: Any) -> Reading:
        reading = slow(planned(content, Format.JSON, **options))
        assert_complete(reading)
        return reading

    return read_content


def rows(reading: Reading) -> list[Row]:
    return reading.records.sort("record").select("title", "id", "date").collect().rows()


def titles(reading: Reading) -> list[str | None]:
    return reading.records.sort("record").collect()["title"].to_list()


def rejects(reading: Reading) -> list[tuple[int, str, str]]:
    return reading.rejects.sort("record").select("record", "reason", "raw").collect().rows()


def assert_complete(reading: Reading) -> None:
    """Every record that was counted is kept or rejected, and has a number of its own."""
    numbers = reading.records.collect()["record"].to_list() + [record for record, *_ in rejects(reading)]
    assert sorted(numbers) == list(range(1, sum(reading.read.values()) + 1))


# What a record is.


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"title":"a","id":"1","date":"2020"}]', [("a", "1", "2020")]),
        ('\ufeff \n[\n {"title" : "a" } ,\n{"title":"b"}\n]\n\n', [("a", None, None), ("b", None, None)]),
        ('[{"id":7,"title":"a"},{"id":null,"TITLE ":"b"}]', [("a", "7", None), ("b", None, None)]),
        (
            '[{"title":"","scientific_title":"a"},{"scientific_title":"b","title":"c"}]',
            [("a", None, None), ("c", None, None)],
        ),
        ('[{"title":"a\\"}],","x":"{[","id":"\\\\"}]', [('a"}],', "\\", None)]),
        ('[{"title":"\\u00e9\\ud83d\\ude42"},{"title":"\\\\ud800"}]', [("é🙂", None, None), ("\\ud800", None, None)]),
        ('[{"x":[{"title":"b"},{}],"title":"a","y":{"z":{"title":"c"}}}]', [("a", None, None)]),
        ('{"title":"a","id":[1,{"b": "c d"}],"date":{}}', [("a", '[1,{"b":"c d"}]', "{}")]),
        ("[]", []),
        (" [ \n ] ", []),
        ("", []),
        ("\ufeff", []),
        (" \n", []),
        ("[{}, null]", [(None, None, None)] * 2),
    ],
)
def test_records(read: Slow, content: str, expected: list[Row]) -> None:
    reading = read(content)
    assert rows(reading) == expected
    assert rejects(reading) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("12", "12"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("18446744073709551616", "18446744073709551616"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("9" * 5_000, "9" * 5_000),
        ("1.50", "1.5"),
        ("2020.0", "2020"),
        ("1e5", "100000"),
        ("1e-7", "0.0000001"),
        ("1e400", "1e400"),
        ("1E22", "1E22"),
        ("true", "true"),
        ("false", "false"),
    ],
)
def test_numbers_and_constants(read: Slow, number: str, text: str) -> None:
    assert rows(read(f'[{{"title":"a","id":{number}}}]')) == [("a", text, None)]


@pytest.mark.parametrize("end", [",]", " , \n ] \n ", ",]\n\n", "]"])
def test_a_comma_before_the_last_bracket_is_accepted(read: Slow, end: str) -> None:
    reading = read('[{"title":"a"},{"title":"b"}' + end)
    assert titles(reading) == ["a", "b"]
    assert rejects(reading) == []


def test_blank_and_untitled_records(read: Slow) -> None:
    blanks = ["{}", "null", '{"title": null, "x": "  "}', '{"title":"\\"\\"","id":"\\u00a0"}']
    others = ['{"id": 1}', '{"title":"\\\\xc3\\\\x28"}', '{"title":null,"x":[]}', '{"title":"\\"a\\""}']
    reading = read("[" + ",".join(blanks + others) + "]")
    expected = [(4, '{"title":"\\"\\"","id":"\\u00a0"}', True), (5, '{"id":1}', False)]
    found = reading.untitled.sort("record").select("record", "raw", "blank").collect().rows()
    assert [(record, blank) for record, _, blank in found] == [
        (1, True), (2, True), (3, True), (4, True), (5, False), (6, False), (7, False),
    ]  # fmt: skip
    assert found[3:5] == expected
    assert reading.records.collect().height == 8


def test_lines_are_those_where_records_begin(read: Slow) -> None:
    reading = read('[\n{"title":\n"a"},\n\n{"title":"b"}, {"title":"c"},\n5,\n{"title"}]')
    assert reading.records.select("record", "line").collect().rows() == [(1, 2), (2, 5), (3, 5)]
    assert reading.rejects.select("record", "line").collect().rows() == [(4, 6), (5, 7)]


# What costs a record, and nothing more.


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (b"5", "not an object"),
        (b"-1.5e3", "not an object"),
        (b'"a, \\"]"', "not an object"),
        (b"true", "not an object"),
        (b'[{"title":"a"}]', "not an object"),
        (b"[]", "not an object"),
        (b'{"title":"a\xff"}', "invalid UTF-8"),
        (b'{"x":"\xed\xa0\x80"}', "invalid UTF-8"),
        (b'{"\xc3":1}', "invalid UTF-8"),
        (b'{"title":"\\ud800"}', "invalid Unicode escape"),
        (b'{"x":["\\uDC00\\ud800"]}', "invalid Unicode escape"),
    ],
)
def test_a_bad_record_costs_a_record(read: Slow, element: bytes, reason: str) -> None:
    reading = read(b'[{"title":"a"}, ' + element + b' ,{"title":"b"}]')
    assert titles(reading) == ["a", "b"]
    assert rejects(reading) == [(2, reason, element.decode(errors="replace"))]


def test_a_character_that_means_nothing_is_none_of_that(read: Slow) -> None:
    assert titles(read('[{"title":"a\ufdd0"},{"title":"?"}]')) == ["a\ufdd0", "?"]


# What costs the rest of a file.


@pytest.mark.parametrize(
    ("tail", "reason", "raw"),
    [
        (',{"title":}]', SYNTAX, '{"title":}]'),
        (',{"title" "b"},{"title":"c"}]', SYNTAX, '{"title" "b"},{"title":"c"}]'),
        (',{"title":"b",}]', SYNTAX, '{"title":"b",}]'),
        (',{"x":[1,],"title":"b"}]', SYNTAX, '{"x":[1,],"title":"b"}]'),
        (',{"title":NaN}]', SYNTAX, '{"title":NaN}]'),
        (',{"title":Infinity}]', SYNTAX, '{"title":Infinity}]'),
        (',{"title":"b]},{"title":"c"}]', SYNTAX, '{"title":"b]},{"title":"c"}]'),
        (',{"title":"b"]}]', SYNTAX, '{"title":"b"]}]'),
        (",{'title':'b'}]", SYNTAX, "{'title':'b'}]"),
        (',{"title":"a\nb"}]', SYNTAX, '{"title":"a\nb"}]'),
        (',{"title":\xff}]', SYNTAX, '{"title":\xff}]'),
        (",,]", SYNTAX, ",]"),
        (", , ]", SYNTAX, ", ]"),
        (",NaN]", SYNTAX, "NaN]"),
        (",:]", SYNTAX, ":]"),
        (' {"title":"b"}]', SYNTAX, '{"title":"b"}]'),
        ("}]", SYNTAX, "}]"),
        (',{"title":"b"', EARLY, '{"title":"b"'),
        (',{"title":"b', EARLY, '{"title":"b'),
        (',{"title":"b\\', EARLY, '{"title":"b\\'),
        (',{"title":tr', EARLY, '{"title":tr'),
        (',{"x":[{}', EARLY, '{"x":[{}'),
        (",", EARLY, ""),
        ("", EARLY, ""),
        ("] x", SURPLUS, "x"),
        ("]]", SURPLUS, "]"),
        (',] {"title":"b"}', SURPLUS, '{"title":"b"}'),
        ("],", SURPLUS, ","),
    ],
)
def test_what_follows_an_error_is_one_reject(read: Slow, tail: str, reason: str, raw: str) -> None:
    reading = read('[{"title":"a"}' + tail)
    assert titles(reading) == ["a"]
    assert rejects(reading) == [(2, reason, raw)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[,]", SYNTAX),
        ("[", EARLY),
        ("]", SYNTAX),
        ("{", EARLY),
        ("x", SYNTAX),
        ("5 ", "not an object"),
        ('"a" ', "not an object"),
        ("\x00", SYNTAX),
        ('{"title":"a"', EARLY),
        ("<html>", SYNTAX),
        ("[\x00]", SYNTAX),
    ],
)
def test_files_without_a_record(read: Slow, content: str, reason: str) -> None:
    reading = read(content)
    assert rows(reading) == []
    assert [reject[:2] for reject in rejects(reading)] == [(1, reason)]


def test_objects_one_after_the_other_are_no_value(read: Slow) -> None:
    reading = read('{"title":"a"}\n{"title":"b"}')
    assert titles(reading) == ["a"]
    assert rejects(reading) == [(2, SURPLUS, '{"title":"b"}')]


def test_a_reject_holds_the_first_characters_of_the_rest(read: Slow) -> None:
    rest = '{"title":' + "é" * 5_000
    assert rejects(read('[{"title":"a"},' + rest)) == [(2, SYNTAX, rest[:RAW_LIMIT])]


# Depth, length, time.


def nested(opening: str, depth: int, closing: str) -> str:
    return opening * depth + "1" + closing * depth


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
@pytest.mark.parametrize("depth", [100_000, 200_000])
def test_deep_nesting_is_an_error_and_takes_no_time(read: Slow, opening: str, closing: str, depth: int) -> None:
    start = time.process_time()
    reading = read('[{"title":"a"},{"title":"b","x":' + nested(opening, depth, closing) + "}]")
    assert time.process_time() - start < 2
    assert titles(reading) == ["a"]
    assert [reject[:2] for reject in rejects(reading)] == [(2, DEEP)]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_counted_with_the_record(read: Slow, opening: str, closing: str) -> None:
    fits, exceeds = (nested(opening, depth, closing) for depth in (json_text.DEPTH - 1, json_text.DEPTH))
    assert titles(read(f'[{{"title":"a","x":{fits}}}]')) == ["a"]
    assert rows(read(f'[{{"title":"a","id":{fits}}}]')) == [("a", fits, None)]
    assert rejects(read(f'[{{"title":"a","x":{exceeds}}}]'))[0][1] == DEEP


def test_a_deep_top_level(read: Slow) -> None:
    assert rejects(read("[" * 200_000))[0][:2] == (1, DEEP)
    assert rejects(read('{"a":' * 200_000))[0][:2] == (1, DEEP)


@pytest.mark.parametrize(
    "junk", ['{"a":"' + "{" * 50 + '"}', '{"a":"}"}', '{"a":"\\"}"}', '{"a":[' + '{"b":"}{"},' * 90 + "1]}"]
)
def test_brackets_in_strings_cost_little(read: Slow, junk: str) -> None:
    start = time.process_time()
    reading = read("[" + ",".join([junk, '{"title":"a"}'] * 5_000) + "]")
    assert time.process_time() - start < 10
    assert titles(reading) == [None, "a"] * 5_000


@pytest.mark.parametrize("title", ["word " * 2_000_000, '"\\' * 2_000_000])
def test_a_title_of_ten_megabytes(read: Slow, title: str) -> None:
    assert titles(read(json.dumps([{"title": title}, {"title": "b"}]))) == [title, "b"]


def test_a_record_may_have_so_many_bytes(read: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "RECORD_LIMIT", 600_000)
    for size, expected in ((500_000, ["a", "x" * 500_000, "b"]), (600_000, ["a"]), (2_000_000, ["a"])):
        reading = read(json.dumps([{"title": "a"}, {"title": "x" * size}, {"title": "b"}]))
        assert titles(reading) == expected
        assert [reject[1] for reject in rejects(reading)] == ["record longer than 64 MiB"][: len(expected) == 1]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_records_do_not_depend_on_where_blocks_end(read: Slow, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    contents = [
        '[{"title":"é\\"}"},\n 5 , {"x":[{"y":"}"}],"title":"b"}, "s" , \n null,]\n',
        '\ufeff {"title":"a", "x":{"y":[1,2,{}]}}  ',
        '[{"title":"a"}, {"title":"b",}, {}]',
        '[{"title":"a"}, {"title":"b"',
    ]
    expected = [(rows(reading), rejects(reading)) for reading in map(read, contents)]
    monkeypatch.setattr(streams, "BLOCK", size)
    monkeypatch.setattr(json_text, "BLOCK", size)
    monkeypatch.setattr(json_text, "_WINDOW", size)
    assert [(rows(reading), rejects(reading)) for reading in map(read, contents)] == expected


# Generated files.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\{}[],:é\n', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab{"), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.dictionaries(st.sampled_from(["title", "id", "x", '{"', "]"]), VALUES, max_size=4)


def text_of(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(records=st.lists(RECORDS, max_size=5), indent=st.none() | st.just(1), ascii_=st.booleans())
def test_written_records_are_read_back(
    read: Slow, records: list[dict[str, Any]], indent: int | None, *, ascii_: bool
) -> None:
    reading = read(json.dumps(records, indent=indent, ensure_ascii=ascii_))
    assert rejects(reading) == []
    assert rows(reading) == [(text_of(record.get("title")), text_of(record.get("id")), None) for record in records]


@given(content=st.text(alphabet='{}[],:"\\ae1 \n', max_size=30))
def test_any_text_is_accounted_for(read: Slow, content: str) -> None:
    reading = read('[{"title":"a"},' + content)
    assert titles(reading)[0] == "a"


@given(content=st.binary(max_size=20))
def test_any_bytes_are_accounted_for(read: Slow, content: bytes) -> None:
    read(content)
    read(b'[{"title":"' + content + b'"},{"title":"a"}]')


@given(records=st.lists(RECORDS, min_size=1, max_size=4), data=st.data())
def test_whole_records_before_a_cut_are_kept(read: Slow, records: list[dict[str, Any]], data: st.DataObject) -> None:
    text = json.dumps(records)
    cut = data.draw(st.integers(1, len(text) - 1))
    reading = read(text[:cut])
    whole = [len(json.dumps(records[:count])) - 1 for count in range(1, len(records) + 1)]
    assert len(rows(reading)) == sum(end <= cut for end in whole)
    assert len(rejects(reading)) == 1
