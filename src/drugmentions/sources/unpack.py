"""Make large files of lines such that Polars scans them in bounded memory: unpacked, and without endless lines."""

import mmap
import shutil
from pathlib import Path
from typing import Final

import msgspec

from drugmentions.model import Compression, Format, SourceFile
from drugmentions.sources.streams import UnreadableError, read_bytes

WINDOW: Final = 8 << 20
"""Every so many bytes there has to be a line's end: Polars holds a line, and some copies of it, in memory."""
_SHARE: Final = 4
"""What is unpacked may take one part in so many of the free disk."""


def unpacked(file: SourceFile, scratch: Path) -> SourceFile | None:
    """The file as one that may be scanned; None where it may not, and is to be read row by row.

    A compressed file of lines is unpacked into the new directory `scratch`: Polars would hold all of it in memory. A
    file that holds no lines, like Parquet, is as it is. Raises OSError where `scratch` can't be written.
    """
    if file.format not in {Format.CSV, Format.NDJSON}:
        return file
    if file.compression != Compression.NONE:
        path = scratch / "unpacked"
        if not _unpack(file, path):
            path.unlink(missing_ok=True)
            return None
        file = msgspec.structs.replace(file, path=str(path), compression=Compression.NONE)
    return file if _has_lines(file.path) else None


def _unpack(file: SourceFile, path: Path) -> bool:
    """Write what a file holds to `path`; false where it is damaged, or too large."""
    left = shutil.disk_usage(path.parent).free // _SHARE
    try:
        with path.open("wb") as stream:
            for block in read_bytes(file):
                left -= stream.write(block)
                if left < 0:
                    return False
    except UnreadableError:
        return False
    return True


def _has_lines(path: str) -> bool:
    """Whether no line is much longer than `WINDOW`, by a look at the start of each window."""
    try:
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            starts = range(0, len(text) - WINDOW, WINDOW)
            return all(text.find(b"\n", start, start + WINDOW) >= 0 for start in starts)
    except (OSError, ValueError):
        return False
