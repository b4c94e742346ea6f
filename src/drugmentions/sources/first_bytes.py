"""What wraps a file's bytes, and the first of those that it wraps."""

import io
import os
import zlib
from typing import Final, NamedTuple

import zstandard

from drugmentions.model import Compression
from drugmentions.sources.streams import UnreadableError
from drugmentions.sources.zip_entries import EMPTY, LOCAL, read_entries

_BLOCK: Final = 1 << 16
"""Bytes that are read of a file, and characters at most that are looked at once it is decompressed."""
_ZSTD_BLOCK: Final = 3 << 16
"""The same where zstd is to give anything: it decompresses blocks of up to 128 KiB, each as a whole."""
_ZIP_BLOCK: Final = 16 << 16
"""The same of an archive, as what its first files are doesn't say what the others are."""
_ZIP_FILES: Final = 16
"""Files of an archive that are looked at."""
_READ_ONLY: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Head(NamedTuple):
    """The first bytes of a file, unwrapped; `problem`: why there are none; `further`: those of others in an archive."""

    compression: Compression
    data: bytes = b""
    problem: str = ""
    further: tuple[bytes, ...] = ()


def read_head(path: str) -> Head:
    """At most 64 KiB of what a file holds. Raises nothing for a file that can't be read."""
    compression = Compression.NONE
    try:
        block = _read_block(path)
        if block.startswith(_GZIP):
            compression = Compression.GZIP
            block = _gunzip(block)
        elif block.startswith(_ZSTD):
            compression = Compression.ZSTD
            block = _unzstd(block)
        elif block.startswith((LOCAL, EMPTY)):
            compression = Compression.ZIP
            return Head(compression, *_unzip(block))
    except OSError as error:
        return Head(compression, problem=error.strerror or str(error))
    except UnreadableError as error:
        return Head(compression, problem=error.reason)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        return Head(compression, problem=f"corrupt {compression} data: {error}")
    return Head(compression, block)


def _read_block(path: str) -> bytes:
    """The first bytes of a file. Raises OSError; never waits, should the file have become a FIFO."""
    descriptor = os.open(path, _READ_ONLY)
    try:
        block = chunk = os.read(descriptor, _BLOCK)
        while chunk and len(block) < _wanted(block):
            chunk = os.read(descriptor, _BLOCK)
            block += chunk
        return block
    finally:
        os.close(descriptor)


def _wanted(block: bytes) -> int:
    """How many bytes of a file that begins so are read."""
    if block.startswith(LOCAL):
        return _ZIP_BLOCK
    return _ZSTD_BLOCK if block.startswith(_ZSTD) else _BLOCK


def _gunzip(block: bytes) -> bytes:
    """Start of what one or more gzip members hold. Raises zlib.error or EOFError where there is none."""
    text = b""
    while block.startswith(_GZIP) and len(text) < _BLOCK:
        member = zlib.decompressobj(wbits=31)
        text += member.decompress(block, _BLOCK - len(text))
        if not member.eof and not text:
            raise EOFError("it ends early")
        block = member.unused_data
    return text


def _unzstd(block: bytes) -> bytes:
    """Start of what zstd frames hold. Raises ZstdError or EOFError where there is none."""
    with zstandard.ZstdDecompressor().stream_reader(block, read_across_frames=True) as reader:
        text = reader.read(_BLOCK)
    if not text:
        frame = zstandard.ZstdDecompressor().decompressobj()
        frame.decompress(block)
        if not frame.eof:
            raise EOFError("it ends early")
    return text


def _unzip(block: bytes) -> tuple[bytes, str, tuple[bytes, ...]]:
    """Starts of the files in an archive that can be read, as in Head. Raises UnreadableError where there is none."""
    starts: list[bytes] = []
    problem: UnreadableError | None = None
    try:
        for entry in read_entries(io.BytesIO(block)):
            text = b""
            try:
                while len(text) < _BLOCK and (piece := next(entry.blocks, b"")):
                    text += piece
            except UnreadableError as error:
                problem = problem or error
            if text:
                starts.append(text[:_BLOCK])
            if len(starts) == _ZIP_FILES:
                break
    except UnreadableError as error:
        problem = problem or error
    if problem and not starts:
        raise problem
    return (starts[0] if starts else b""), "", tuple(starts[1:])
