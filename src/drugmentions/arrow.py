"""Texts of Polars as arrays for compiled code; needs nanoarrow, of the extra `fast`."""

from collections.abc import Iterator

import nanoarrow
import numpy as np
import polars as pl

from drugmentions.compiled import WORD, Bytes, Pieces, Places, Texts


def texts_of(texts: pl.Series) -> Iterator[tuple[Texts, list[Bytes]]]:
    """Texts where Polars holds them, chunk by chunk, and the memory they stand in; a null is an empty text."""
    for chunk in nanoarrow.c_array_stream(texts.fill_null("")):
        view = chunk.view()
        first, *buffers = (np.frombuffer(view.buffer(nth), np.uint8) for nth in range(1, view.n_buffers - 1))
        views = first.view(np.uint32).reshape(-1, 4)[chunk.offset : chunk.offset + chunk.length]
        yield Texts(views, np.array([buffer.ctypes.data for buffer in buffers], np.int64)), [first, *buffers]


def pieces_of(texts: pl.Series) -> tuple[Pieces, Bytes]:
    """Texts one behind the other, and the memory they stand in."""
    letters, starts = joined(texts)
    letters = np.concatenate([letters, np.zeros(WORD, np.uint8)])
    return Pieces(letters.ctypes.data, starts), letters


def joined(texts: pl.Series) -> tuple[Bytes, Places]:
    """The bytes of all texts, and where each starts and the last one ends."""
    text = texts.str.join("").cast(pl.Binary).item() if len(texts) else b""
    return np.frombuffer(text, np.uint8), running(texts.str.len_bytes())


def running(lengths: pl.Series) -> Places:
    """Running sums, from 0 on."""
    return np.concatenate([np.zeros(1, np.int64), lengths.cast(pl.Int64).cum_sum().to_numpy()])
