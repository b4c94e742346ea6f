"""Files written past the system's cache: what was taken stands in them, whatever the system refuses or does by half."""

import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from drugmentions import direct
from drugmentions.direct import direct_file
from drugmentions.durable import checksum

PIECE = 1 << 14
O_DIRECT = getattr(os, "O_DIRECT", 0)
SIZES = [0, 1, 4_095, 4_096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5 * PIECE + 4_097]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_PIECE", PIECE)


def data_of(size: int) -> bytes:
    return (bytes(range(256)) + b"...") * (size // 259) + bytes(size % 259)


def check_written(path: Path, data: bytes, by: int = 999) -> None:
    with direct_file(path) as file:
        for at in range(0, len(data), by):
            assert file.write(data[at : at + by]) == len(data[at : at + by])
        file.flush()
        found = file.finish()
    assert path.read_bytes() == data
    assert found == checksum(path)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("by", [999, 4_096, 3 * PIECE])
def test_what_was_taken_is_written(size: int, by: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"there before")
    check_written(tmp_path / "x", data_of(size), by)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no file system in memory")
def test_a_file_system_in_memory_is_written_to_alike() -> None:
    path = Path(f"/dev/shm/drugmentions-test-{os.getpid()}")
    try:
        check_written(path, data_of(3 * PIECE + 5))
    finally:
        path.unlink()


def test_what_is_written_is_written_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = []

    def write(descriptor: int, data: memoryview) -> int:
        import fcntl

        flags.append(fcntl.fcntl(descriptor, fcntl.F_GETFL) & O_DIRECT)
        return written(descriptor, data)

    written = os.write
    try:
        os.close(os.open(tmp_path / "y", os.O_WRONLY | os.O_CREAT | O_DIRECT))
    except OSError:
        pytest.skip("this file system has no direct writing")
    monkeypatch.setattr(os, "write", write)
    check_written(tmp_path / "x", data_of(2 * PIECE + 7))
    assert flags == [O_DIRECT, O_DIRECT, 0]


def refused_at_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & O_DIRECT:
            opened(path, os.O_WRONLY | os.O_CREAT)
            raise OSError(errno.ENOTSUP, "no direct writing here")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)


def refused_at_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    written = os.write

    def refuse(descriptor: int, data: memoryview) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & O_DIRECT:
            raise OSError(errno.EINVAL, "no direct writing here")
        return written(descriptor, data)

    monkeypatch.setattr(os, "write", refuse)


def done_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: written(descriptor, data[: len(data) // 2 + 1]))


def unknown_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_DIRECT", 0)


@pytest.mark.parametrize("way", [refused_at_opening, refused_at_writing, done_by_half, unknown_to_the_system])
def test_where_it_cannot_it_writes_as_usual(
    way: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way(monkeypatch)
    check_written(tmp_path / "x", data_of(4 * PIECE + 5))


def full(_descriptor: int, _data: memoryview) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_by_who_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"), direct_file(tmp_path / "x") as file:
        for _ in range(9):
            file.write(bytes(PIECE))
    with pytest.raises(OSError, match="No space left"), direct_file(tmp_path / "x") as file:
        file.write(b"few")
        file.finish()


def test_a_full_disk_is_told_where_polars_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", full)
    rows = pl.LazyFrame({"n": range(1 << 16)})
    with pytest.raises(OSError, match="No space left"), direct_file(tmp_path / "x") as file:
        rows.sink_parquet(file, compression="uncompressed")  # type: ignore[call-overload]
        file.finish()


def test_what_else_goes_wrong_is_told_though_others_still_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = os.write

    def slow(descriptor: int, data: memoryview) -> int:
        time.sleep(0.001)
        return written(descriptor, data)

    monkeypatch.setattr(os, "write", slow)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ZeroDivisionError), direct_file(tmp_path / "x") as file:
            writing = pool.submit(file.write, bytes(99 * PIECE))
            while (tmp_path / "x").stat().st_size < 9 * PIECE:
                time.sleep(0.001)
            raise ZeroDivisionError
        assert isinstance(writing.exception(), RuntimeError)  # nobody is there to write it


def test_what_goes_through_the_cache_is_flushed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    unknown_to_the_system(monkeypatch)
    monkeypatch.setattr(direct, "FLUSH_BYTES", 3 * PIECE)
    monkeypatch.setattr(os, "fsync", flushed.append)
    check_written(tmp_path / "x", data_of(10 * PIECE))
    assert len(flushed) == 3
