"""Scan a delimited file by compiled code: strict about quoting, and cells that cleaning can't change are known."""

import math
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache, partial
from io import BufferedReader
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple
from weakref import finalize

import nanoarrow
import numpy as np
import polars as pl
from nanoarrow.c_array_stream import CArrayStream
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from drugmentions.ahead import in_order
from drugmentions.compiled import Bytes, Words
from drugmentions.sources import date_kernel, line_kernel
from drugmentions.sources.dates import parse_date_expr
from drugmentions.sources.scans import CLEAN, DATE, ROW, prepared_column
from drugmentions.text import clean_text_expr

_BLOCK: Final = 16 << 20
"""Bytes that are cut together; the lines of a file are to be much shorter."""
_SPARE: Final = 1 << 16
"""Bytes of a line that a block may begin with; for longer ones there is another buffer."""
_AFTER: Final = 2 * line_kernel.BLOCK
"""Bytes of a block behind its text."""
_LENT: Final = 160 << 20
"""Bytes of blocks in which texts may stand, and for each core a quarter as many: some more than a run works on."""
_PATIENCE: Final = 5.0
"""Seconds that memory is waited for where so much is lent: while a disk is slow, Polars would let half a gigabyte more
wait. If none comes back until then, someone keeps all texts."""


class _Cells(NamedTuple):
    """The cells of a column in a text, behind which is _AFTER more: see `line_kernel.cut_lines`."""

    text: Bytes
    views: Words
    marks: Bytes


def scan_lines(
    path: str,
    skipped: int,
    separator: str,
    width: int,
    formats: Sequence[str] = (),
    *,
    on_end: Callable[[int], None] = lambda _lines: None,
) -> pl.LazyFrame:
    """The records of a file with so many columns, one a line, in their order, from behind the first `skipped` lines.

    Columns: ROW, UInt32, from 1 on; by its place each column's text, "" where it is absent; and by the name of
    `prepared_column` that text as CLEAN, which is what `clean_text_expr` gives, and as DATE, which is what
    `parse_date_expr` makes of it, by `formats` first. Collecting raises ComputeError where the quoting of a line isn't
    clean (see `line_kernel.cut_lines`), it has too many columns, isn't UTF-8, or can't be read. `on_end` hears how many
    records there are whenever all were read.
    """
    texts = {str(place): pl.String for place in range(width)}
    prepared = {prepared_column(kind, place): pl.String for kind in (CLEAN, DATE) for place in range(width)}

    def frames(
        wanted: list[str] | None, predicate: pl.Expr | None, most: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        names = list(schema) if wanted is None else wanted
        cut = partial(_cut, separator=ord(separator), width=width, names=set(names), formats=formats)
        lines = 0
        with open(path, "rb") as file:  # noqa: PTH123  # paths of sources stay text
            for _ in range(skipped):
                header = file.readline()
            if b"\r" in header.removesuffix(b"\n").removesuffix(b"\r"):
                raise pl.exceptions.ComputeError("a header that isn't one line")
            for frame in in_order(lambda block: cut(*block), _blocks(file), most=pl.thread_pool_size()):
                some = frame if most is None else frame.head(most - lines)
                numbered = some.with_columns(pl.col(ROW) + lines).select(names)
                lines += frame.height
                yield numbered if predicate is None else numbered.filter(predicate)
                if most is not None and lines >= most:
                    return
        on_end(lines)

    schema = {ROW: pl.UInt32, **texts, **prepared}
    return register_io_source(frames, schema=schema)


@cache
def can_scan() -> bool:
    """Whether that works here: what it takes is compiled, or loaded, now."""
    cell, date = "a text that no view holds", prepared_column(DATE, 1)
    text = f'"{cell}",1 March 2020\n'.encode()
    lent = np.frombuffer(bytearray(text + bytes(_AFTER)), np.uint8)
    try:
        cut = _cut(lent, len(text), separator=ord(","), width=2, names={"0", date}, formats=())
        return cut.select("0", date).rows() == [(cell, "2020-03-01")]
    except Exception:  # noqa: BLE001  # whatever it is, Polars reads the same
        return False


class _Memory:
    """Memory for blocks of some bytes, taken again once no text stands in it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left: float = _LENT + pl.thread_pool_size() * _LENT // 4
        self._free: SimpleQueue[bytearray] = SimpleQueue()

    def lend(self) -> bytearray:
        """Some that isn't lent; once much is, it waits until some is free, if that ever happens."""
        try:
            return self._free.get(self._left <= 0, _PATIENCE)
        except Empty:
            self._left = self._left - self._size if self._left > 0 else math.inf
            return bytearray(self._size)

    def array(self, memory: bytearray) -> Bytes:
        """What was lent, as it is to be used; it is free once nothing holds on to this."""
        lent = np.frombuffer(memory, np.uint8)
        finalize(lent, self._free.put, memory).atexit = False
        return lent


def _blocks(file: BufferedReader) -> Iterator[tuple[Bytes, int]]:
    """Whole lines, and where they end in the memory that they are lent."""
    rest, usual = b"", _BLOCK + _SPARE
    pool = _Memory(usual + _AFTER)
    while True:
        size = len(rest) + _BLOCK
        memory = pool.lend() if size <= usual else bytearray(size + _AFTER)
        lent = pool.array(memory) if size <= usual else np.frombuffer(memory, np.uint8)
        lent[: len(rest)] = np.frombuffer(rest, np.uint8)
        read = file.readinto(lent[len(rest) : size].data)
        size = len(rest) + read
        if rest and not read:
            lent[size], size = ord("\n"), size + 1
        stop = memory.rfind(b"\n", 0, size) + 1
        rest = lent[stop:size].tobytes()
        if stop:
            yield lent, stop
        del lent
        if not read:
            break


def _cut(
    lent: Bytes, stop: int, *, separator: int, width: int, names: Container[str], formats: Sequence[str]
) -> pl.DataFrame:
    """The columns `names` of the lines in some memory, where their texts stay; ROW counts from 1 on."""
    lent[stop : stop + _AFTER] = ord("x")
    text, padded = lent[:stop], lent[: (stop // line_kernel.BLOCK + 2) * line_kernel.BLOCK]
    whole = nanoarrow.c_array_from_buffers(nanoarrow.large_binary(), 1, [None, np.array([0, stop]), text], null_count=0)
    pl.Series(whole).cast(pl.String)  # raises where it isn't UTF-8
    kinds = {place: [kind for kind in (CLEAN, DATE) if prepared_column(kind, place) in names] for place in range(width)}
    places = [place for place in range(width) if kinds[place] or str(place) in names]
    count = line_kernel.count_lines(text)
    rows = np.full(width, -1, np.int64)
    rows[places] = np.arange(len(places))
    views, marks = [np.empty(2 * count, np.uint64) for _ in places], np.empty((len(places), count), np.uint8)
    at = np.array([some.ctypes.data for some in views], np.int64)
    room = np.empty(line_kernel.ROOM // 8, np.uint64)
    if line_kernel.cut_lines(padded, text.ctypes.data, separator, rows, at, marks, room) != count:
        raise pl.exceptions.ComputeError("lines that are not to be cut")
    frame = {ROW: pl.int_range(1, count + 1, dtype=pl.UInt32, eager=True)}
    for row, place in enumerate(places):
        cells = _Cells(lent, views[row], marks[row])
        frame[str(place)] = texts = _texts(cells)
        if kinds[place]:
            frame[prepared_column(CLEAN, place)] = texts = _cleaned(texts, cells)
        if DATE in kinds[place]:
            frame[prepared_column(DATE, place)] = _dates(texts, cells, formats)
    return pl.DataFrame(frame)


def _texts(cells: _Cells) -> pl.Series:
    """The texts of cells."""
    texts = _series(cells.views, cells.text)
    doubled = (cells.marks & line_kernel.DOUBLED) != 0
    return _replaced(texts, texts, doubled, lambda text: text.str.replace_all('""', '"', literal=True))


def _series(views: Words, *text: Bytes) -> pl.Series:
    """Views as Polars has them, and what they are of, unless all are short enough to hold their texts themselves."""
    buffers = [None, views, *text, np.array([part.size for part in text], np.int64)]
    array = nanoarrow.c_array_from_buffers(nanoarrow.string_view(), len(views) // 2, buffers, null_count=0)
    # moved, as nanoarrow's copy of an array lacks the last buffer of these
    moved = CArrayStream.from_c_arrays([array], nanoarrow.c_schema(nanoarrow.string_view()), move=True, validate=False)
    return pl.Series(moved)


def _cleaned(texts: pl.Series, cells: _Cells) -> pl.Series:
    """Texts of cells, cleaned where that may change them; null where they are empty."""
    return _replaced(texts, texts, cells.marks != 0, clean_text_expr)


def _dates(cleaned: pl.Series, cells: _Cells, formats: Sequence[str]) -> pl.Series:
    """Cleaned texts of cells as dates."""
    dates, known = np.zeros(2 * len(cleaned), np.uint64), np.zeros(len(cleaned), np.bool_)
    if not formats:
        date_kernel.iso_dates(cells.text.ctypes.data, cells.views.ctypes.data, date_kernel.CALENDAR, dates, known)
    return _replaced(_series(dates), cleaned, ~known, partial(parse_date_expr, formats=formats))


def _replaced(
    texts: pl.Series, by: pl.Series, where: NDArray[np.bool_], change: Callable[[pl.Expr], pl.Expr]
) -> pl.Series:
    """Texts, but `change` of others in some rows."""
    rows = np.flatnonzero(where)
    if not len(rows):
        return texts
    changed = by.gather(rows).to_frame("text").select(change(pl.col("text"))).to_series()
    return texts.clone().scatter(rows, changed)
