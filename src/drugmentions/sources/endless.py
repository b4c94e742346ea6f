"""Tell files with endless lines, of which Polars would hold copies in memory, from files that may be scanned."""

import os
from pathlib import Path
from typing import Final

from drugmentions.model import Compression, Format, SourceFile
from drugmentions.sources.streams import UnreadableError, read_bytes

WINDOW: Final = 8 << 20
"""Every so many bytes there has to be a line's end."""
_LOOK: Final = 1 << 14
"""Bytes that are looked at together; a mapped file would count as memory by the megabytes that each look maps."""


def has_endless_lines(file: SourceFile) -> bool:
    """Whether a file of lines has one that is much longer than `WINDOW`, or can't be read through."""
    if file.format not in {Format.CSV, Format.NDJSON}:
        return False
    return not (_has_short_lines(file.path) if file.compression == Compression.NONE else _unpacks_to_short_lines(file))


def _has_short_lines(path: str) -> bool:
    """By a look at the start of each window: next to nothing is read."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return all(_has_line_end(file.fileno(), start) for start in range(0, size - WINDOW, WINDOW))
    except OSError:
        return False


def _has_line_end(file: int, start: int) -> bool:
    return any(b"\n" in os.pread(file, _LOOK, at) for at in range(start, start + WINDOW, _LOOK))


def _unpacks_to_short_lines(file: SourceFile) -> bool:
    length = 0
    try:
        for block in read_bytes(file):
            last = block.rfind(b"\n")
            length = length + len(block) if last < 0 else len(block) - last
            if length > WINDOW:
                return False
    except UnreadableError:
        return False
    return True
