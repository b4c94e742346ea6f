"""Processes that each turn a piece of bytes into another, asked over pipes, so that all cores read one file.

They are started as programs of their own, neither forked (Polars has threads) nor by multiprocessing (which would run
an unguarded script that calls us once more). A worker ends when its pipe does, however its owner came to an end.
"""

import atexit
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import IO, Final, cast

import polars as pl

MOST: Final = 4
"""Workers beyond which one that hands out pieces can't feed more."""
_LENGTH: Final = struct.Struct(">Q")


class WorkFailedError(Exception):
    """A worker is gone: what it was asked is to be done elsewhere."""


class Workers:
    """Some processes that run a module. `count`: how many pieces they work on at a time."""

    def __init__(self, module: str, count: int) -> None:
        """Raises OSError where a process can't be started."""
        self.count = count
        self._asked: SimpleQueue[tuple[Future[bytes], bytes] | None] = SimpleQueue()
        self._processes = [_start(module) for _ in range(count)]
        for process in self._processes:
            # no executor: interrupted as it starts a thread, it loses that, and the program waits for it as it ends
            Thread(target=self._serve, args=(process,), daemon=True).start()

    def submit(self, piece: bytes) -> "Future[bytes]":
        """Hand out a piece. The future gives what it became, empty where the worker failed at it.

        It raises WorkFailedError where there is no worker any more.
        """
        future: Future[bytes] = Future()
        self._asked.put((future, piece))
        return future

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.communicate()
            self._asked.put(None)

    def _serve(self, process: "subprocess.Popen[bytes]") -> None:
        while asked := self._asked.get():
            future, piece = asked
            try:
                _send(cast("IO[bytes]", process.stdin), piece)
                future.set_result(_receive(cast("IO[bytes]", process.stdout)))
            except (OSError, EOFError, ValueError):
                future.set_exception(WorkFailedError())


@cache
def shared_workers(module: str) -> Workers | None:
    """Workers for the whole life of this process, one per core; None where there is one core, or none will start.

    Polars has found out how many cores we may use: what affinity, the container or POLARS_MAX_THREADS leaves of them.
    """
    count = min(pl.thread_pool_size(), MOST)
    if count < 2:
        return None
    try:
        workers = Workers(module, count)
    except OSError:
        return None
    atexit.register(workers.close)
    return workers


def serve(work: Callable[[bytes], bytes]) -> None:
    """Be a worker: answer pieces on stdin with what `work` makes of them, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            piece = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            made = work(piece)
        except Exception:  # noqa: BLE001  # whatever it is, the owner does this piece itself, and meets it there
            made = b""
        try:
            _send(sys.stdout.buffer, made)
        except BrokenPipeError:
            os._exit(0)  # the owner is gone, and what is buffered for it can go nowhere


def _start(module: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", module]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # our own module


def _send(pipe: IO[bytes], piece: bytes) -> None:
    pipe.write(_LENGTH.pack(len(piece)))
    pipe.write(piece)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    """Raises EOFError where the pipe ended."""
    header = pipe.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        raise EOFError
    (size,) = _LENGTH.unpack(header)
    piece = pipe.read(size)
    if len(piece) < size:
        raise EOFError
    return piece
