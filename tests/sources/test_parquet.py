"""Parquet: columns as text, and what damage costs."""

import gzip
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from drugmentions.model import Compression, Format, SourceFile
from drugmentions.sources import parquet
from drugmentions.sources.reading import Reading

Planned = Callable[..., SourceFile]
Slow = Callable[..., Reading]
Fast = Callable[..., Reading | None]


@pytest.fixture(scope="module")
def plan(planned: Planned) -> Planned:
    def plan_frame(frame: pl.DataFrame, **options: Any) -> SourceFile:
        return planned(written(frame), Format.PARQUET, **options)

    return plan_frame


def written(frame: pl.DataFrame, **options: Any) -> bytes:
    stream = BytesIO()
    frame.write_parquet(stream, **options)
    return stream.getvalue()


def rows(reading: Reading) -> list[tuple[str | None, ...]]:
    return reading.records.sort("record").select("title", "id", "date").collect().rows()


def both(file: SourceFile, slow: Slow, fast: Fast) -> Reading:
    """What both readers say of a file, as they have to say the same."""
    scan, reading = fast(file), slow(file)
    assert scan
    for lazy, eager in zip(scan[:3], reading[:3], strict=True):
        assert lazy.collect().schema == eager.collect_schema()
        assert lazy.collect().rows() == eager.collect().rows()
    assert scan.read == reading.read
    return scan


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["x", "", None], ["x", None, None]),
        ([1, None, -2], ["1", None, "-2"]),
        ([2**63 - 1, None], ["9223372036854775807", None]),
        ([1.0, 2.5, None, float("nan"), 1e300], ["1", "2.5", None, None, "1e+300"]),
        ([True, False], ["true", "false"]),
        ([date(2020, 3, 1), None], ["2020-03-01", None]),
        ([datetime(2020, 3, 1, 23, 59), None], ["2020-03-01", None]),  # noqa: DTZ001  # with a time zone below
        ([Decimal("1.50")], ["1.50"]),
        ([None, None], [None, None]),
    ],
)
def test_columns_are_text(plan: Planned, slow: Slow, fast: Fast, values: list[Any], text: list[str | None]) -> None:
    frame = pl.DataFrame({"title": ["a"] * len(values), "id": values}, strict=False)
    reading = both(plan(frame), slow, fast)
    assert rows(reading) == [("a", value, None) for value in text]
    assert list(reading.read.values()) == [len(values)]


def test_further_columns_that_are_no_text_count_for_nothing(plan: Planned, slow: Slow, fast: Fast) -> None:
    frame = pl.DataFrame({"title": ["a", ""], "scientific_title": [[1], [2]], "id": ["1", "2"]})
    assert rows(both(plan(frame), slow, fast)) == [("a", "1", None), (None, "2", None)]


def test_more_types(plan: Planned, slow: Slow, fast: Fast) -> None:
    zoned = pl.Series([datetime(2020, 3, 1, 23, 30)], dtype=pl.Datetime("us")).dt.replace_time_zone("Asia/Tokyo")  # noqa: DTZ001
    frame = pl.DataFrame(
        {
            "title": pl.Series(["a"], dtype=pl.Categorical),
            "id": pl.Series(["7"], dtype=pl.Enum(["7", "8"])),
            "date": zoned,
        }
    )
    assert rows(both(plan(frame), slow, fast)) == [("a", "7", "2020-03-01")]


def test_names_and_absent_fields(plan: Planned, slow: Slow, fast: Fast) -> None:
    frame = pl.DataFrame({"scientific_title": ["a"], " TITLE ": ["b"], "record": ["x"], "file": [1]})
    assert rows(both(plan(frame), slow, fast)) == [("b", None, None)]


def test_untitled_records(plan: Planned, slow: Slow, fast: Fast) -> None:
    frame = pl.DataFrame(
        {
            "title": ["a", None, " ", "", '""'],
            "id": [1, 2, None, None, None],
            "authors": [["x"], None, None, ["y"], None],
        }
    )
    reading = both(plan(frame), slow, fast)
    assert reading.untitled.select("record", "raw", "blank").collect().rows() == [
        (2, '{"title":null,"id":"2","authors":null}', False),
        (3, '{"title":" ","id":null,"authors":null}', True),
        (4, '{"title":null,"id":null,"authors":"..."}', False),
        (5, '{"title":"\\"\\"","id":null,"authors":null}', True),
    ]


@pytest.mark.parametrize("values", [[["x"]], [{"a": 1}], [b"x"], [timedelta(1)], [time(1)]])
def test_a_field_of_another_type_costs_the_file(plan: Planned, slow: Slow, fast: Fast, values: list[Any]) -> None:
    file = plan(pl.DataFrame({"title": ["a"], "id": values}))
    assert fast(file) is None
    reading = slow(file)
    ((name, record, reason),) = reading.rejects.select("file", "record", "reason").collect().rows()
    assert (name, record, reading.read) == (file.file, None, {file.file: 1})
    assert reason.startswith("column id holds ")
    assert rows(reading) == []


def test_other_types_that_nobody_asks_for_are_fine(plan: Planned, slow: Slow, fast: Fast) -> None:
    frame = pl.DataFrame({"title": ["a"], "x": [b"\xff"], "y": [{"z": [1]}]})
    assert rows(both(plan(frame), slow, fast)) == [("a", None, None)]


def test_no_rows(plan: Planned, slow: Slow, fast: Fast) -> None:
    reading = both(plan(pl.DataFrame(schema={"title": pl.String})), slow, fast)
    assert list(reading.read.values()) == [0]


def test_more_rows_than_a_slice(plan: Planned, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "SLICE", 7)
    reading = slow(plan(pl.DataFrame({"title": [None if n == 9 else str(n) for n in range(20)]})))
    assert reading.records.collect()["record"].to_list() == list(range(1, 21))
    assert reading.untitled.collect()["record"].to_list() == [10]


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"PAR1" + b"x" * 100, b"PAR1" + b"\xff" * 20 + b"PAR1"])
def test_a_broken_file_is_one_reject(planned: Planned, slow: Slow, fast: Fast, damage: bytes) -> None:
    file = planned(damage, Format.PARQUET)
    assert fast(file) is None
    reading = slow(file)
    assert reading.rejects.collect().rows() == [(file.file, None, None, "damaged Parquet data", None)]
    assert reading.read == {file.file: 1}


def test_damaged_data_cost_a_slice(planned: Planned, slow: Slow, fast: Fast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "SLICE", 100)
    frame = pl.DataFrame({"title": [f"title {n}" for n in range(300)]})
    content = bytearray(written(frame, row_group_size=100, compression="zstd", use_pyarrow=False))
    third = len(content) // 3
    content[third + 40 : third + 60] = b"\xff" * 20
    file = planned(bytes(content), Format.PARQUET)
    scan = fast(file)
    assert scan
    with pytest.raises((pl.exceptions.PolarsError, pl.exceptions.PanicException)):
        scan.records.collect()
    reading = slow(file)
    assert reading.rejects.select("record", "reason").collect().rows() == [
        (101, "damaged Parquet data, rows 101 to 200")
    ]
    assert reading.records.collect()["record"].to_list() == [*range(1, 101), *range(201, 301)]
    assert reading.read == {file.file: 201}


def test_compressed_parquet(planned: Planned, slow: Slow, fast: Fast) -> None:
    content = gzip.compress(written(pl.DataFrame({"title": ["a", "b"]})))
    file = planned(content, Format.PARQUET, compression=Compression.GZIP)
    assert fast(file) is None
    assert rows(slow(file)) == [("a", None, None), ("b", None, None)]
