"""Read JSON arrays by all cores: pieces of a large one are arrays of their own, for worker processes to parse.

A piece begins where a record of the array begins, and ends behind a comma that seems to part two records. It is taken
for what it looks like if, between brackets of its own, it reads to its end. Where a JSON value ends depends on its own
characters alone, so whoever reads the whole array meets the same values, and stands between two records behind them,
too: a comma within a string or a nested value leaves a piece that doesn't end. From such a piece on, and from the last
mark on, the array is read here, value by value.
"""

import io
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import polars as pl

from drugmentions.model import SourceFile
from drugmentions.sources.json_text import TooDeepError, value_end
from drugmentions.sources.json_values import JsonRows
from drugmentions.sources.pieces import Pieces
from drugmentions.sources.spool import Frames, Rows, Spool
from drugmentions.sources.workers import Workers

_SIZE: Final = 4
_HEAD: Final = 1 << 20
_WHITE_SPACE: Final = b" \t\r\n"


def read_pieces(pieces: Pieces, file: SourceFile, rows: JsonRows, spool: Spool, workers: Workers) -> None:
    """Read an array as far as it can be parted: into `spool`, counted by `rows`. What is left is `pieces.rest()`."""
    if not _cut(pieces):
        return
    told = msgspec.msgpack.encode((file, rows.fields))
    for reply in pieces.read(workers, len(told).to_bytes(_SIZE) + told):
        count, tables = msgspec.msgpack.decode(reply, type=tuple[int, list[bytes]])
        behind = {"record": pl.col("record") + rows.count, "line": pl.col("line") + pieces.lines}
        spool.add(Frames(*(pl.read_ipc(io.BytesIO(table)).with_columns(**behind) for table in tables)))
        rows.count += count


def answer(message: bytes, read: Callable[[Iterator[bytes], JsonRows], None]) -> bytes:
    """The rows of a piece, encoded, as `read` reads it. Raises what that raises."""
    begin = _SIZE + int.from_bytes(message[:_SIZE])
    file, fields = msgspec.msgpack.decode(message[_SIZE:begin], type=tuple[SourceFile, list[str]])
    spool = Rows(fields)
    rows = JsonRows(file, fields, spool)
    read(iter((message[begin:],)), rows)
    return msgspec.msgpack.encode((rows.count, [table.write_ipc(None).getvalue() for table in spool.take()]))


def _cut(pieces: Pieces) -> bool:
    """Have the text cut between records; whether it is an array that begins with two that look alike.

    They part where the first two do: behind the same white space, the next begins with the same key as the second.
    """
    while len(pieces.data) < _HEAD and pieces.more():
        pass
    data = pieces.data
    head = len(data) - len(data.lstrip(_WHITE_SPACE)) + 1
    begin = head + len(data[head:]) - len(data[head:].lstrip(_WHITE_SPACE))
    if data[head - 1 : head] != b"[" or data[begin : begin + 1] != b"{":
        return False
    try:
        end = value_end(data, begin)
    except (TooDeepError, ValueError):
        return False
    gap, opened, behind = data[end:].partition(b"{")
    blank, quote, named = behind.partition(b'"')
    key, closed, _ = named.partition(b'"')
    if not end or not closed or gap.strip(_WHITE_SPACE) != b"," or blank.strip(_WHITE_SPACE):
        return False
    mark = b"".join((data[end - 1 : end], gap, opened, blank, quote, key, closed))
    pieces.cut(head, b"]", mark, mark.index(b",") + 1)
    return True
