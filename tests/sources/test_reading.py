"""What all readers share: compression, files that can't be read, and the spool."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from msgspec.structs import replace

from drugmentions.errors import OutputError
from drugmentions.model import REJECT, Compression, Format, SourceFile
from drugmentions.sources import json_text, spool, streams
from drugmentions.sources.reading import Reading, Spool, read_slow
from drugmentions.sources.spool import UNTITLED, records_schema

Planned = Callable[..., SourceFile]
Slow = Callable[..., Reading]
Fast = Callable[..., Reading | None]

CSV = b"title,id\n" + b"".join(b"title %d,%d\n" % (n, n) for n in range(1_000))
NDJSON = b"".join(b'{"title":"title %d","id":%d}\n' % (n, n) for n in range(1_000))
JSON = b"[" + b",\n".join(NDJSON.splitlines()) + b"]"
CONTENTS = {Format.CSV: CSV, Format.NDJSON: NDJSON, Format.JSON: JSON}


def zstd(content: bytes) -> bytes:
    return zstandard.compress(content)


def ids(reading: Reading) -> list[str]:
    return reading.records.sort("record").collect()["id"].to_list()


def rejects(reading: Reading) -> list[tuple[int | None, str]]:
    return reading.rejects.select("record", "reason").collect().rows()


def half(content: bytes) -> int:
    return content.index(b"title 500")


# Compression.


@pytest.mark.parametrize("format_", CONTENTS)
@pytest.mark.parametrize(
    ("compression", "pack"),
    [
        (Compression.GZIP, gzip.compress),
        (Compression.GZIP, lambda content: gzip.compress(content) + b"\0" * 600),
        (
            Compression.GZIP,
            lambda content: gzip.compress(content[:500]) + gzip.compress(b"") + gzip.compress(content[500:]),
        ),
        (Compression.ZSTD, zstd),
        (Compression.ZSTD, lambda content: zstd(content[:500]) + zstd(b"") + zstd(content[500:])),
        (Compression.ZSTD, lambda content: zstandard.ZstdCompressor(write_content_size=False).compress(content)),
    ],
)
def test_compressed_files(  # three fixtures, three values
    planned: Planned, slow: Slow, fast: Fast, format_: Format, compression: Compression, pack: Callable[[bytes], bytes]
) -> None:
    file = planned(pack(CONTENTS[format_]), format_, compression=compression)
    reading = slow(file)
    assert ids(reading) == [str(n) for n in range(1_000)]
    assert rejects(reading) == []
    if scan := fast(file):
        assert ids(scan) == ids(reading)
        assert scan.read == reading.read


@pytest.mark.parametrize("format_", CONTENTS)
@pytest.mark.parametrize(
    ("compression", "pack", "reason"),
    [
        (Compression.GZIP, lambda content: gzip.compress(content)[:-4], "gzip data ends early"),
        (Compression.GZIP, lambda content: gzip.compress(content)[:-600], "gzip data ends early"),
        (Compression.GZIP, lambda content: gzip.compress(content)[:-8] + b"\0" * 8, "corrupt gzip data"),
        (Compression.GZIP, lambda content: gzip.compress(content) + b"garbage", "corrupt gzip data"),
        (
            Compression.GZIP,
            lambda content: gzip.compress(content[: half(content)]) + gzip.compress(b"x")[:5],
            "gzip data ends early",
        ),
        (Compression.ZSTD, lambda content: zstd(content) + zstd(b"x" * 999)[:-3], "zstandard data ends early"),
        (Compression.ZSTD, lambda content: zstd(content) + b"garbage", "corrupt zstandard data"),
    ],
)
def test_damaged_compression_costs_the_rest(  # three fixtures, four values
    planned: Planned,
    slow: Slow,
    fast: Fast,
    format_: Format,
    compression: Compression,
    pack: Callable[[bytes], bytes],
    reason: str,
) -> None:
    file = planned(pack(CONTENTS[format_]), format_, compression=compression)
    assert fast(file) is None
    reading = slow(file)
    kept = ids(reading)
    assert kept == [str(n) for n in range(len(kept))]
    assert len(kept) >= 300
    assert rejects(reading) == [(len(kept) + 1, reason)]
    assert reading.read == {file.file: len(kept) + 1}


@pytest.mark.parametrize("format_", CONTENTS)
def test_what_corrupt_data_yield_comes_first(planned: Planned, slow: Slow, format_: Format) -> None:
    packed = bytearray(gzip.compress(CONTENTS[format_]))
    middle = len(packed) // 2
    packed[middle : middle + 50] = b"\xff" * 50
    reading = slow(planned(bytes(packed), format_, compression=Compression.GZIP))
    assert len(ids(reading)) > 100
    assert ids(reading)[:100] == [str(n) for n in range(100)]


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
@pytest.mark.parametrize("format_", CONTENTS)
def test_what_is_not_compressed_at_all(planned: Planned, slow: Slow, format_: Format, compression: Compression) -> None:
    reading = slow(planned(CONTENTS[format_], format_, compression=compression))
    assert rejects(reading) == [(None, f"corrupt {'gzip' if compression == Compression.GZIP else 'zstandard'} data")]


def test_little_is_unpacked_at_once(planned: Planned) -> None:
    for compression, packed in (
        (Compression.GZIP, gzip.compress(b"\0" * (64 << 20))),
        (Compression.ZSTD, zstd(b"\0" * (64 << 20))),
    ):
        blocks = streams.read_bytes(planned(packed, compression=compression))
        assert max(map(len, blocks)) <= streams.BLOCK


# Files that can't be read.


@pytest.mark.parametrize("format_", [Format.CSV, Format.JSON, Format.NDJSON, Format.PARQUET])
def test_an_unreadable_file_is_one_reject_and_the_others_go_on(
    planned: Planned, slow: Slow, fast: Fast, tmp_path: Path, format_: Format
) -> None:
    missing = planned(b"", format_)
    Path(missing.path).unlink()
    directory = planned(b"", format_)
    Path(directory.path).unlink()
    Path(directory.path).mkdir()
    good = planned(CSV)
    assert fast(missing) is None
    assert fast(directory) is None
    reading = slow(missing, directory, good)
    assert reading.rejects.select("file", "record", "reason").collect().rows() == [
        (missing.file, None, "cannot be read: No such file or directory"),
        (directory.file, None, "cannot be read: Is a directory"),
    ]
    assert reading.read == {missing.file: 1, directory.file: 1, good.file: 1_000}


def test_an_unknown_format_and_an_unknown_encoding(planned: Planned, slow: Slow) -> None:
    reading = slow(planned(b"x", Format.UNKNOWN), planned(CSV, encoding="klingon"))
    assert rejects(reading) == [(None, "unknown format"), (None, "unknown encoding klingon")]


def test_a_path_that_is_no_text(slow: Slow, fast: Fast, planned: Planned, tmp_path: Path) -> None:
    path = str(tmp_path) + "/a\udcff.csv"
    Path(path).write_bytes(CSV)
    file = replace(planned(b""), path=path)
    assert fast(file) is None
    assert len(ids(slow(file))) == 1_000


# The spool.


def test_files_share_a_spool_and_keep_their_names(planned: Planned, slow: Slow) -> None:
    files = [planned(CONTENTS[format_], format_) for format_ in CONTENTS]
    reading = slow(*files)
    assert reading.read == {file.file: 1_000 for file in files}
    counted = reading.records.group_by("file").agg(pl.len(), pl.col("record").n_unique().alias("numbers")).collect()
    assert sorted(counted.rows()) == sorted((file.file, 1_000, 1_000) for file in files)


def test_no_files_at_all(slow: Slow, fields: tuple[str, ...]) -> None:
    records, untitled, refused, read, *_ = slow()
    assert records.collect().schema == records_schema(fields)
    assert untitled.collect().schema == UNTITLED
    assert refused.collect().schema == REJECT
    assert read == {}


def test_many_rows_fill_many_files(
    planned: Planned, fields: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BLOCK", 1_000)
    monkeypatch.setattr(spool, "ROWS", 100)
    body = b"".join(b"title %d\n\n1,2,3\n" % n for n in range(1_000))
    reading = read_slow([planned(b"title,id\n" + body)], fields, tmp_path)
    assert len(list(tmp_path.glob("*/records-*.parquet"))) > 10
    assert reading.records.collect().height == 2_000
    assert reading.untitled.collect()["blank"].sum() == 1_000
    assert reading.rejects.collect().height == 1_000


def test_spools_in_one_directory_do_not_meet(planned: Planned, fields: tuple[str, ...], tmp_path: Path) -> None:
    first = read_slow([planned(CSV)], fields, tmp_path)
    second = read_slow([planned(b"title\na\n")], fields, tmp_path)
    assert (first.records.collect().height, second.records.collect().height) == (1_000, 1)


def test_a_spool_that_cannot_be_written(fields: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't write"):
        Spool(tmp_path / "file", fields)


@pytest.mark.parametrize(("format_", "content"), CONTENTS.items())
def test_a_limit_ends_reading_behind_a_block(
    planned: Planned,
    fields: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_: Format,
    content: bytes,
) -> None:
    for module in (streams, json_text):
        monkeypatch.setattr(module, "BLOCK", 1_000)
    file = planned(content, format_)
    reading = read_slow([file], fields, tmp_path, limit=1)
    assert reading.records.sort("record").collect()["title"][0] == "title 0"
    assert 1 <= reading.records.collect().height < 1_000
    assert read_slow([file], fields, tmp_path).records.collect().height == 1_000
