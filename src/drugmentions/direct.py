"""Write large files past the system's cache of pages, where it can: it is for what is read again soon."""

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from drugmentions.durable import CHECKSUM, FLUSH_BYTES

_PIECE: Final = 4 << 20
"""Bytes that are written at a time; a multiple of every block's size."""
_PIECES: Final = 4
"""Pieces of memory: one takes data while the others are written."""
_DIRECT: Final[int] = getattr(os, "O_DIRECT", 0)
_REFUSALS: Final = {errno.EINVAL, errno.EOPNOTSUPP}
"""How file systems say that they don't write directly, or not this piece."""


class Hash(Protocol):
    """What takes data, and tells its digest."""

    def update(self, data: memoryview, /) -> None:
        """Take some more."""

    def hexdigest(self) -> str:
        """The digest of all so far."""


class DirectFile:
    """A file that is written from its start to its end, by whatever writes to files, and its digest."""

    def __init__(self, descriptor: int, beside: ThreadPoolExecutor, digest: Hash) -> None:
        """`beside`: one thread, which hashes and writes pieces."""
        self._descriptor = descriptor
        self._beside = beside
        self._pieces = deque(mmap(-1, _PIECE) for _ in range(_PIECES))  # at pages' starts, as the system wants them
        self._taken = 0
        self._digest = digest
        self._writing: deque[Future[None]] = deque()
        self._is_direct = bool(_DIRECT)
        self._unflushed = 0

    def write(self, data: bytes) -> int:
        """Take data; raises OSError where what was taken before can't be written."""
        rest = memoryview(data)
        while rest:
            some = rest[: _PIECE - self._taken]
            self._pieces[0][self._taken : self._taken + len(some)] = some
            self._taken += len(some)
            rest = rest[len(some) :]
            if self._taken == _PIECE:
                self._hand_on()
        return len(data)

    def flush(self) -> None:
        """Nothing: what is taken is written when it is a whole piece, or the last one."""

    def finish(self) -> str:
        """Write the last piece; returns the digest of all, in hexadecimal."""
        self.wait()
        self._end_direct()  # which takes whole blocks alone
        self._put(self._pieces[0], self._taken)
        return self._digest.hexdigest()

    def wait(self) -> None:
        """Wait until whole pieces that were taken are written. Raises OSError where one can't be."""
        for writing in tuple(self._writing):  # where something went wrong, others may still hand pieces on
            writing.result()

    def _hand_on(self) -> None:
        self._writing.append(self._beside.submit(self._put, self._pieces[0], _PIECE))
        if len(self._writing) >= _PIECES:
            self._writing[0].result()
            self._writing.popleft()  # kept where it raised
        self._pieces.rotate(-1)
        self._taken = 0

    def _put(self, piece: mmap, size: int) -> None:
        with memoryview(piece) as whole:
            self._digest.update(whole[:size])
            written = 0
            while written < size:
                try:
                    written += os.write(self._descriptor, whole[written:size])
                except OSError as error:
                    if error.errno not in _REFUSALS or not self._is_direct:
                        raise
                    self._end_direct()
            self._unflushed += size
            if self._unflushed >= FLUSH_BYTES and not self._is_direct:  # or all of it waits for the end
                os.fsync(self._descriptor)
                self._unflushed = 0

    def _end_direct(self) -> None:
        """Write by way of the cache from now on."""
        if self._is_direct:
            import fcntl  # noqa: PLC0415  # where there is no such flag, there may be none of this

            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~_DIRECT)
            self._is_direct = False


@contextmanager
def direct_file(path: Path, new_digest: Callable[[], Hash] = CHECKSUM) -> Iterator[DirectFile]:
    """An empty file to write to, in place of one that is there, which is to be finished."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | _DIRECT, 0o666)
    except OSError:
        path.unlink(missing_ok=True)  # some file systems make it, and refuse then
        descriptor = os.open(path, flags, 0o666)
    try:
        with ThreadPoolExecutor(1) as beside:
            file = DirectFile(descriptor, beside, new_digest())
            try:
                yield file
            except (Exception, pl.exceptions.PanicException):
                file.wait()  # raises what went wrong first
                raise
    finally:
        os.close(descriptor)
