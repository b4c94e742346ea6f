"""Look through the lines of a delimited file by compiled code: their quoting, and which cells cleaning may change."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from drugmentions.ahead import in_order
from drugmentions.sources import line_kernel

_BLOCK: Final = 8 << 20
"""Bytes that are looked at together; the lines of a file are to be much shorter."""
_MOST: Final = 4_000_000
"""Untidy cells that are remembered, at 16 bytes each: of more, none is."""
_WORD: Final = 8


class Checked(NamedTuple):
    """What was seen of lines whose quoting is clean.

    lines: how many. last: the last one, if it has no end, else nothing. untidy: by the number of a column, from 0 on, a
    Boolean a line, behind one for none: whether its cell may be untidy; columns without such cells are left out. None
    where there are too many.
    """

    lines: int
    last: str
    untidy: dict[int, pl.Series] | None


def check_lines(path: str, skipped: int, separator: str) -> Checked | None:
    """Look at the lines behind the first `skipped` ones; None where their quoting isn't clean. Raises OSError."""
    count, entered, last = 0, 0, b""
    cells = [pl.DataFrame(schema={"line": pl.Int64, "column": pl.Int64})]
    for lines, found, last in in_order(
        lambda block: _check(*block, ord(separator)), _blocks(path, skipped), most=pl.thread_pool_size()
    ):
        if lines == line_kernel.UNCLEAN or last.endswith(b"\r"):
            return None
        entered += found.height
        if entered <= _MOST:
            cells.append(found.with_columns(pl.col("line") + count))
        count += lines
    untidy = _by_column(pl.concat(cells), count) if entered <= _MOST else None
    return Checked(count, last.decode(errors="replace"), untidy)


def _blocks(path: str, skipped: int) -> Iterator[tuple[bytearray, int, bytes]]:
    """Some whole lines, so many bytes of a larger buffer; and the last line, where it has no end."""
    with open(path, "rb") as file:  # noqa: PTH123  # paths of sources stay text
        for _ in range(skipped):
            file.readline()
        rest = b""
        while True:
            block = bytearray(rest).ljust(len(rest) + _BLOCK + _WORD)
            size = len(rest) + file.readinto(memoryview(block)[len(rest) : -_WORD])
            if size == len(rest):
                break
            stop = block.rfind(b"\n", 0, size) + 1
            rest = bytes(block[stop:size])
            if stop:
                yield block, stop, b""
        if rest:
            yield bytearray(rest + b"\n").ljust(len(rest) + 2 * _WORD), len(rest) + 1, rest


def _check(block: bytearray, stop: int, unended: bytes, separator: int) -> tuple[int, pl.DataFrame, bytes]:
    """How many lines there are, their untidy cells (`line, column`), and `unended`."""
    block[stop : stop + _WORD] = b"x" * _WORD
    text = np.frombuffer(block, np.uint8, stop)
    words = np.frombuffer(block, np.uint64, -(-stop // _WORD))
    room = stop // 256
    while True:
        lines, columns = np.empty(room, np.int64), np.empty(room, np.int64)
        count, entered = line_kernel.check_lines(text, words, separator, lines, columns)
        if entered <= room:
            return count, pl.DataFrame({"line": lines[:entered], "column": columns[:entered]}), unended
        room = entered


def _by_column(cells: pl.DataFrame, count: int) -> dict[int, pl.Series]:
    masks = {}
    for (column,), lines in cells.partition_by("column", as_dict=True).items():
        mask = np.zeros(count + 1, np.bool_)
        mask[lines["line"].to_numpy() + 1] = True
        masks[int(column)] = pl.Series(mask)
    return masks
