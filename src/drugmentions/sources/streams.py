"""The bytes of a possibly compressed file, as blocks, or as blocks of whole lines, of UTF-8."""

import codecs
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from drugmentions.model import Compression, SourceFile

BLOCK: Final = 256 << 10
LINE_LIMIT: Final = 64 << 20
"""Bytes of a line that are read; a longer one is handed on cut, but longer than this."""
LONG_LINE: Final = f"line longer than {LINE_LIMIT >> 20} MiB"
CANNOT_BE_READ: Final = "cannot be read: "
"""How a reject begins that tells of the system's error, not of the file's content: another time it may be read."""
INVALID_UTF8: Final = "invalid UTF-8"
_MORSEL: Final = 2 << 10  # Zstandard unpacks up to 32 MiB from so little, and can't be told to stop earlier
_CRUMB: Final = 64
_NOT_UTF8: Final = "\udcff"


class UnreadableError(Exception):
    """A file can't be opened, or not be read on. `rest`: what was read of a line that didn't end."""

    def __init__(self, reason: str, rest: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.rest = rest


def read_bytes(file: SourceFile) -> Iterator[bytes]:
    """The file's bytes, unpacked. What a damaged file still yields comes first.

    Raises UnreadableError where it can't be read (on).
    """
    try:
        with Path(file.path).open("rb", buffering=0) as stream:
            yield from _unpackers[file.compression](stream)
    except OSError as error:
        raise UnreadableError(f"{CANNOT_BE_READ}{error.strerror or error}") from error


def read_blocks(file: SourceFile) -> Iterator[bytes]:
    """The file as UTF-8, without a byte order mark; bytes that its encoding doesn't know become invalid UTF-8.

    Raises UnreadableError as `read_bytes`.
    """
    return as_text(read_bytes(file), file.encoding)


def as_text(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Blocks of text as UTF-8 without a byte order mark, as `read_blocks`."""
    return _without_mark(_as_utf8(blocks, encoding))


def read_line_blocks(file: SourceFile) -> Iterator[bytes]:
    r"""The file as `read_blocks`, cut behind line feeds, however long the lines.

    Where a file holds no line feed at all, carriage returns are turned into them. Raises UnreadableError.
    """
    blocks = read_blocks(file)
    if not _has_line_feed(file):
        blocks = (block.replace(b"\r", b"\n") for block in blocks)
    waiting: list[bytes] = []
    try:
        for block in blocks:
            end = block.rfind(b"\n") + 1
            if end:
                yield b"".join((*waiting, block[:end]))
                waiting.clear()
            if sum(map(len, waiting)) <= LINE_LIMIT:
                waiting.append(block[end:])
    except UnreadableError as error:
        raise UnreadableError(error.reason, b"".join(waiting)) from error
    if rest := b"".join(waiting):
        yield rest


def _has_line_feed(file: SourceFile) -> bool:
    try:
        return any(b"\n" in block for block in read_blocks(file))
    except UnreadableError:
        return False


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _gunzipped(stream: BinaryIO) -> Iterator[bytes]:
    """Members one after the other, zeros behind them skipped, as gzip does."""
    member = zlib.decompressobj(wbits=31)
    begun = False
    for packed in _plain(stream):
        data = packed
        while data := data.lstrip(b"\0") if not begun else data:
            saved, begun = member.copy(), True
            try:
                block = member.decompress(data, BLOCK)
            except zlib.error as error:
                yield from _salvaged(saved, data)
                raise UnreadableError("corrupt gzip data") from error
            yield block
            data = member.unconsumed_tail
            if member.eof:
                data, begun, member = member.unused_data, False, zlib.decompressobj(wbits=31)
    while begun and (block := member.decompress(b"", BLOCK)):
        yield block
    if begun:
        raise UnreadableError("gzip data ends early")


def _salvaged(member: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What can be had of data before the place where it is corrupt."""
    try:
        for start in range(0, len(data), _CRUMB):
            yield member.decompress(data[start : start + _CRUMB])
    except zlib.error:
        return


def _unzstandard(stream: BinaryIO) -> Iterator[bytes]:
    """Frames one after the other."""
    frame = None
    while data := stream.read(_MORSEL):
        while data:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            try:
                block = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise UnreadableError("corrupt zstandard data") from error
            yield from (block[start : start + BLOCK] for start in range(0, len(block), BLOCK))
            data = frame.unused_data
            if frame.eof:
                frame = None
    if frame:
        raise UnreadableError("zstandard data ends early")


_unpackers: Final = {
    Compression.NONE: _plain,
    Compression.GZIP: _gunzipped,
    Compression.ZSTD: _unzstandard,
}


def _mark_invalid(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _NOT_UTF8, error.end


codecs.register_error("drugmentions.invalid", _mark_invalid)


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8 by any of its names, a byte order mark or not."""
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")


def _as_utf8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if is_utf8(encoding):
        yield from blocks
        return
    try:
        decoder = codecs.getincrementaldecoder(encoding)("drugmentions.invalid")
    except LookupError as error:
        raise UnreadableError(f"unknown encoding {encoding}") from error
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def _without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks, none of them empty, without a byte order mark in front."""
    head: bytes | None = b""
    for block in blocks:
        if head is None:
            if block:
                yield block
            continue
        head += block
        if len(head) >= len(codecs.BOM_UTF8):
            if rest := head.removeprefix(codecs.BOM_UTF8):
                yield rest
            head = None
    if head:
        yield head
