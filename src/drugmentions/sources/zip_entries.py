"""The files in a zip archive, one after the other as they stand there, in bounded memory.

The table of contents at the archive's end isn't needed, so one that is cut gives what it still holds, and half a
million entries take no memory. Nothing is written anywhere, so an entry's name can do no harm.
Source: APPNOTE.TXT, the .ZIP file format specification, 4.3.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from drugmentions.model import Compression, SourceFile
from drugmentions.sources.streams import BLOCK, UnreadableError, as_text, read_blocks

LOCAL: Final = b"PK\x03\x04"
_CENTRAL: Final = b"PK\x01\x02"
EMPTY: Final = b"PK\x05\x06"
_SIGNATURES: Final = (LOCAL, _CENTRAL, EMPTY, b"PK\x06\x06")
_DESCRIPTOR: Final = b"PK\x07\x08"
_HEADER: Final = struct.Struct("<HHHHHIIIHH")
_ENCRYPTED: Final = 1
_SIZES_FOLLOW: Final = 8
_STORED: Final = 0
_DEFLATED: Final = 8
_ZIP64: Final = 0xFFFF_FFFF
_LARGEST_DESCRIPTOR: Final = 24
_READ: Final = 16 << 10  # little, as every entry copies what is left of it

ENDS_EARLY: Final = "zip archive ends early"
CORRUPT: Final = "corrupt zip archive"


class ZipEntry(NamedTuple):
    """A file in an archive. Taking its `blocks` raises UnreadableError where it can't be read (on)."""

    name: str
    blocks: Iterator[bytes]


class _Local(NamedTuple):
    """What stands before an entry's data. `size`: packed, in bytes; None where that follows the data."""

    name: str
    flags: int
    method: int
    size: int | None


def read_texts(file: SourceFile) -> Iterator[ZipEntry]:
    """The texts that a file holds, as UTF-8: itself, under an empty name, or the files in a zip archive.

    Raises UnreadableError where an archive can't be read (on).
    """
    if file.compression != Compression.ZIP:
        yield ZipEntry("", read_blocks(file))
        return
    try:
        with Path(file.path).open("rb", buffering=0) as stream:
            for name, blocks in read_entries(stream):
                yield ZipEntry(name, as_text(blocks, file.encoding))
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error


def read_entries(stream: BinaryIO) -> Iterator[ZipEntry]:
    """The entries of an archive; directories and hidden names are passed over. What isn't taken of one is skipped.

    Raises UnreadableError where there is no telling where the next one begins.
    """
    packed = _Packed(stream)
    while (signature := packed.take(len(LOCAL))) == LOCAL:
        local = _read_local(packed)
        blocks = _unpack(packed, local)
        hidden = _is_hidden(local.name)
        if not hidden:
            yield ZipEntry(local.name, blocks)
        try:
            for _ in blocks:
                pass
        except UnreadableError:
            if hidden and packed.lost:
                raise
        if packed.lost:
            return
        if local.size is None:
            _skip_descriptor(packed)
    if signature not in _SIGNATURES:
        raise UnreadableError(CORRUPT)


def _is_hidden(name: str) -> bool:
    """Whether an entry is a directory, or what an operating system adds of its own."""
    return name.endswith("/") or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


class _Packed:
    """The archive's bytes from a moving place on. `lost`: the place of the next entry isn't known."""

    def __init__(self, stream: BinaryIO) -> None:
        self.data = b""
        self.lost = False
        self._stream = stream

    def more(self) -> bool:
        """Read on by a block; whether there was more."""
        block = self._stream.read(_READ)
        self.data += block
        return bool(block)

    def take(self, size: int) -> bytes:
        """The next bytes. Raises UnreadableError where there aren't so many."""
        while len(self.data) < size:
            if not self.more():
                self.lost = True
                raise UnreadableError(ENDS_EARLY)
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def _read_local(packed: _Packed) -> _Local:
    _, flags, method, _, _, _, size, _, name_length, extra_length = _HEADER.unpack(packed.take(_HEADER.size))
    name = packed.take(name_length).decode(errors="replace")
    extra = packed.take(extra_length)
    if flags & _SIZES_FOLLOW:
        return _Local(name, flags, method, None)
    return _Local(name, flags, method, _zip64_size(extra) if size == _ZIP64 else size)


def _zip64_size(extra: bytes) -> int | None:
    """The packed size in an extra field: behind the size unpacked, in the block numbered 1."""
    while len(extra) >= 4:
        number, length = struct.unpack_from("<HH", extra)
        if number == 1 and length >= 16:
            return int(struct.unpack_from("<QQ", extra, 4)[1])
        extra = extra[4 + length :]
    return None


def _unpack(packed: _Packed, local: _Local) -> Iterator[bytes]:
    """The data of an entry, behind which the archive then is. Raises UnreadableError."""
    if local.flags & _ENCRYPTED:
        problem = "is encrypted"
    elif local.method not in (_STORED, _DEFLATED):
        problem = "is packed in a way that isn't read"
    elif local.method == _STORED and local.size is None and not local.name.endswith("/"):
        problem = "doesn't say where it ends"
    else:
        yield from _inflated(packed, local.size) if local.method == _DEFLATED else _stored(packed, local.size or 0)
        return
    packed.lost = local.size is None
    for _ in _stored(packed, local.size or 0):
        pass
    raise UnreadableError(f"zip entry {problem}")


def _stored(packed: _Packed, size: int) -> Iterator[bytes]:
    while size:
        piece = packed.take(min(size, max(len(packed.data), 1)))
        size -= len(piece)
        yield piece


def _following(packed: _Packed) -> Iterator[bytes]:
    """All that follows, a piece at a time, which isn't kept."""
    while packed.data or packed.more():
        piece, packed.data = packed.data, b""
        yield piece
    packed.take(1)


def _inflated(packed: _Packed, size: int | None) -> Iterator[bytes]:
    """Data of so many bytes, unpacked; of as many as it takes where that is None."""
    deflated = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces = _following(packed) if size is None else _stored(packed, size)
    try:
        for piece in pieces:
            data, full = piece, True
            while not deflated.eof and (data or full):
                block = deflated.decompress(data, BLOCK)
                data, full = deflated.unconsumed_tail, len(block) == BLOCK
                if block:
                    yield block
            if deflated.eof and size is None:
                packed.data = deflated.unused_data
                return
    except zlib.error as error:
        packed.lost = size is None
        for _ in pieces if size else ():
            pass
        raise UnreadableError("corrupt zip entry") from error
    if not deflated.eof:
        raise UnreadableError("corrupt zip entry")


def _skip_descriptor(packed: _Packed) -> None:
    """Skip the sizes behind an entry: with a signature or without, of four bytes or eight. Raises UnreadableError."""
    while len(packed.data) < _LARGEST_DESCRIPTOR + len(LOCAL) and packed.more():
        pass
    lengths = (16, 24) if packed.data.startswith(_DESCRIPTOR) else (12, 20)
    for length in lengths:
        if packed.data[length : length + len(LOCAL)] in _SIGNATURES:
            packed.take(length)
            return
    raise UnreadableError(ENDS_EARLY if len(packed.data) < _LARGEST_DESCRIPTOR else CORRUPT)
