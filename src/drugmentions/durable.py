"""Files that are replaced in one step, flushed to disk, and told from their changed selves."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

import polars as pl
import xxhash

from drugmentions.errors import OutputError
from drugmentions.model import Fingerprint


@contextmanager
def output_errors(path: Path, tmp: Path | None = None) -> Iterator[None]:
    """Turn errors of the system, or of damaged Parquet files, below `path`, or `tmp`, into an OutputError.

    Polars wraps some of the system's in errors of its own. What it says of Parquet it says of our files: readers keep
    its errors in source files to themselves.
    """
    hint = "check that the directory exists, is writable and has free space, or name another with --out"
    where = str(path)
    if tmp:
        hint, where = f"{hint} or --tmp", f"{path} or {tmp}"
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or where}: {error.strerror or error}", hint) from error
    except pl.exceptions.PolarsError as error:
        if "(os error " not in str(error) and not str(error).startswith("parquet: "):
            raise
        raise OutputError(f"{where}: {str(error).rpartition('error: ')[2]}", hint) from error


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on leaving, it is renamed to `path` in one step.

    `durable`: flush it to disk first, and the directory after. Where the block raises, the temporary file goes and
    `path` stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
        if durable:
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """An empty file to write to, in place of one that is there; what is large is flushed to disk meanwhile.

    Polars empties the file of a path that it is given; ext4 flushes what was emptied when it is closed, all at once.
    """
    path.unlink(missing_ok=True)
    ended = Event()

    def flush() -> None:
        flushed = 0
        while not ended.wait(_FLUSH_SECONDS):
            size = os.fstat(file.fileno()).st_size
            if size - flushed >= FLUSH_BYTES:
                os.fsync(file.fileno())
                flushed = size

    with path.open("xb") as file, ThreadPoolExecutor(1) as beside:
        try:
            flushing = beside.submit(flush)
            yield file
        finally:
            ended.set()
        flushing.result()  # raises what went wrong


def remove_left_over(directory: Path) -> None:
    """Remove temporary files of `replacing` whose process is gone, and those of a day ago: numbers come again."""
    for path in directory.glob(".*.tmp"):
        pid = path.name.split(".")[-2]
        with suppress(FileNotFoundError):
            old = time.time() - path.lstat().st_mtime > _DAY
            if pid.isdecimal() and (old or not _is_another(int(pid))):
                path.unlink()


_DAY: Final = 86_400
_FLUSH_SECONDS: Final = 0.1
FLUSH_BYTES: Final = 64 << 20
"""Bytes of a file that grows that are flushed together."""
CHECKSUM: Final = xxhash.xxh3_128
"""Of parts: against damage alone, at the speed of reading."""


def _is_another(pid: int) -> bool:
    """Whether another process of this number runs on this machine."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def sync(path: Path) -> None:
    """Flush a file or a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum(path: Path) -> str:
    """CHECKSUM of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, CHECKSUM).hexdigest()


def fingerprint(status: os.stat_result) -> Fingerprint:
    """What tells a file from its changed self, of what `stat` says."""
    return Fingerprint(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def current_fingerprint(path: str | Path) -> Fingerprint | None:
    """The fingerprint that a file has now; None where there is no such file, or it can't be reached."""
    try:
        return fingerprint(os.stat(path))  # noqa: PTH116  # as fast as a hundred thousand files ask for
    except OSError:
        return None


def can_be_opened(path: str | Path) -> bool:
    """Whether there is a file at a path, not a directory or the like, and the system lets us read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
