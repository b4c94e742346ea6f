"""Recognise what a file holds by its first bytes, the configuration and its name, and how it is to be read.

The configuration decides first, then the file's name and those of the directories around it, then the content. Content
alone says the format.
"""

import csv
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from json import JSONDecoder
from typing import Final, NamedTuple

import polars as pl
import zstandard

from drugmentions.config import Source
from drugmentions.model import EMPTY_FILE, Compression, Format, Kind, SourceFile
from drugmentions.sources.columns import (
    Named,
    count_known,
    find_columns,
    find_keys,
    recognise_kind,
    recognise_source,
)
from drugmentions.sources.locate import LocatedFile

_BLOCK: Final = 1 << 16
"""Bytes that are read of a file, and characters at most that are looked at once it is decompressed."""
_ZSTD_BLOCK: Final = 3 << 16
"""The same where zstd is to give anything: it decompresses blocks of up to 128 KiB, each as a whole."""
_SEPARATORS: Final = ",\t;|"
_READ_ONLY: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PARQUET: Final = b"PAR1"
_UNREAD: Final = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"%PDF": "a PDF document",
    b"\xff\xfe": "UTF-16 text; configure its encoding",
    b"\xfe\xff": "UTF-16 text; configure its encoding",
}
"""First bytes -> what starts so and isn't read."""

_PUBMED: Final = ("pubmed",)
_TRIALS: Final = ("clinical_trial", "clinical-trial", "clinicaltrial", "ctg-studies")
_DRUG_LISTS: Final = ("drugs_", "drugs-", "drug_list", "druglist", "drug_names")
_REQUIRED: Final = {Kind.DRUGS: ("drug", "the drug's name"), Kind.PUBLICATIONS: ("title", "the title")}
_SHOWN: Final = 200
"""Characters of a file's column names that a note quotes."""

_decode_json: Final = JSONDecoder(strict=False).raw_decode


class _Content(NamedTuple):
    """What first bytes say. `names`: columns or keys; `problem`: why there are none, as the file can't be read."""

    format: Format = Format.UNKNOWN
    names: tuple[str, ...] = ()
    separator: str = ","
    problem: str = ""


def detect(located: LocatedFile, sources: Sequence[Source] = (), *, kind: Kind | None = None) -> SourceFile:
    """What a file is, from at most its first 64 KiB; a `note` says why it isn't to be read.

    `kind` beats what configuration, name and content say of it. Raises nothing for a file that can't be read.
    """
    source = _configured(located.file, sources, kind)
    configured = tuple(source.columns.items()) if source else ()
    compression, content = _read_content(located.path, source, configured)
    if source:
        found, origin = Kind(source.kind), source.name
    else:
        found, origin = _recognise(located, content, kind)
    columns = _columns(content, found, configured)
    return SourceFile(
        file=located.file,
        path=located.path,
        kind=found,
        source=origin,
        format=Format.UNKNOWN if found == Kind.UNKNOWN and content.format == Format.CSV else content.format,
        compression=compression,
        fingerprint=located.fingerprint,
        separator=content.separator,
        encoding=source.encoding if source and source.encoding else "utf-8",
        columns=columns,
        dates=list(source.dates) if source else [],
        note=content.problem or _missing(content, found, configured),
    )


# By configuration and name.


def _configured(file: str, sources: Sequence[Source], kind: Kind | None) -> Source | None:
    """The first of the configured sources that has this file."""
    base = file.rpartition("/")[2]
    for source in sources:
        if kind in {None, source.kind} and any(
            fnmatchcase(name, glob) for glob in source.files for name in (file, base)
        ):
            return source
    return None


def _recognise(located: LocatedFile, content: _Content, kind: Kind | None) -> tuple[Kind, str]:
    """Kind and source, of which drug lists have none."""
    by_name = next(_said_by_names(located), None)
    if kind is None:
        kind = by_name[0] if by_name else recognise_kind(content.names)
    if kind != Kind.PUBLICATIONS:
        return kind, ""
    return kind, by_name[1] if by_name and by_name[1] else recognise_source(content.names)


def _said_by_names(located: LocatedFile) -> Iterator[tuple[Kind, str]]:
    """What the file's name says, then those of the directories below the INPUT, nearest first."""
    for name in reversed((located.below or located.file.rpartition("/")[2]).lower().split("/")):
        stem = name.partition(".")[0]
        if any(part in name for part in _PUBMED):
            yield Kind.PUBLICATIONS, "pubmed"
        elif any(part in name for part in _TRIALS):
            yield Kind.PUBLICATIONS, "clinical_trials"
        elif stem in {"drug", "drugs"} or stem.startswith(_DRUG_LISTS):
            yield Kind.DRUGS, ""


def _columns(content: _Content, kind: Kind, configured: Named) -> dict[str, list[str]]:
    find = find_keys if content.format in {Format.JSON, Format.NDJSON} else find_columns
    return find(content.names, kind, configured)


def _missing(content: _Content, kind: Kind, configured: Named) -> str:
    """What the file would have to have, and hasn't."""
    names = "".join(char if char.isprintable() else " " for char in ", ".join(content.names)[: _SHOWN + 1])
    shown = names[:_SHOWN] + "..." if len(names) > _SHOWN else names or "none"
    if kind == Kind.UNKNOWN:
        return f"not recognised: no column for a title or a drug's name (columns: {shown})"
    field, what = _REQUIRED[kind]
    return "" if field in find_columns(content.names, kind, configured) else f"no column for {what} (columns: {shown})"


# By content.


def _read_content(path: str, source: Source | None, configured: Named) -> tuple[Compression, _Content]:
    compression = Compression.NONE
    try:
        block = _read_block(path)
        if block.startswith(_GZIP):
            compression = Compression.GZIP
            block = _gunzip(block)
        elif block.startswith(_ZSTD):
            compression = Compression.ZSTD
            block = _unzstd(block)
        if _is_parquet(block, source):
            return compression, _read_parquet(path, compression)
    except OSError as error:
        return compression, _Content(problem=error.strerror or str(error))
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        return compression, _Content(problem=f"corrupt {compression} data: {error}")
    return compression, _sniff(block, source, configured)


def _read_block(path: str) -> bytes:
    """The first bytes of a file. Raises OSError; never waits, should the file have become a FIFO."""
    descriptor = os.open(path, _READ_ONLY)
    try:
        block = chunk = os.read(descriptor, _BLOCK)
        while chunk and len(block) < (_ZSTD_BLOCK if block.startswith(_ZSTD) else _BLOCK):
            chunk = os.read(descriptor, _BLOCK)
            block += chunk
        return block
    finally:
        os.close(descriptor)


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


def _is_parquet(block: bytes, source: Source | None) -> bool:
    return source.format == "parquet" if source and source.format else block.startswith(_PARQUET)


def _read_parquet(path: str, compression: Compression) -> _Content:
    """Raises OSError."""
    if compression != Compression.NONE:
        return _Content(Format.PARQUET, problem=f"Parquet inside {compression}")
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # a path that Polars would take for a glob, or for no text
            return _Content(Format.PARQUET, tuple(pl.read_parquet_schema(file)))
    except pl.exceptions.PolarsError as error:
        return _Content(problem="corrupt Parquet: " + str(error).partition("\n")[0])


def _sniff(block: bytes, source: Source | None, configured: Named) -> _Content:
    """Recognise text: JSON, lines of JSON, or a table with a header."""
    encoding = source.encoding if source and source.encoding else ""
    given = Format(source.format) if source and source.format else None
    if not encoding and not given:
        what = next((what for start, what in _UNREAD.items() if block.startswith(start)), "")
        if what or b"\0" in block:
            return _Content(problem=what or "binary data")
    text = block.removeprefix(_BOM).decode(encoding or "utf-8", "replace").removeprefix("\ufeff").lstrip("\r\n")
    start = text.lstrip()
    if not start:
        return _Content(problem=EMPTY_FILE)
    if not given and start.startswith("<"):
        return _Content(problem="an HTML page" if "<html" in start[:1024].lower() else "an XML file")
    format_ = given or _format_of(start)
    if format_ == Format.CSV:
        names, separator = _read_header(text, source.separator if source else None, configured)
        return _Content(format_, names, separator)
    return _Content(format_, _read_keys(start, configured))


def _format_of(text: str) -> Format:
    if text.startswith("["):
        return Format.JSON
    if text.startswith("{"):
        return Format.NDJSON if _is_object_a_line(text) else Format.JSON
    return Format.CSV


def _is_object_a_line(text: str) -> bool:
    """Whether the first line is an object: a whole one, or one that ends wrongly but is followed by another."""
    line, newline, rest = text.partition("\n")
    line = line.rstrip()
    end = _scan_object(line, 0)[1]
    return not newline or end == len(line) or (line.endswith("}") and rest.lstrip().startswith("{"))


def _read_keys(text: str, configured: Named) -> tuple[str, ...]:
    """Keys of the objects in a JSON text that may end anywhere, up to the first object that says what they are."""
    keys: dict[str, None] = {}
    at: int | None = text.find("{")
    while at is not None and at >= 0:
        known = len(keys)
        found, end = _scan_object(text, at)
        keys |= dict.fromkeys(found)
        if len(keys) > known and recognise_kind(tuple(keys), configured) != Kind.UNKNOWN:
            break
        at = None if end is None else text.find("{", end)
    return tuple(keys)


def _scan_object(text: str, at: int) -> tuple[list[str], int | None]:
    """Keys of the object that starts at a character, and where it ends; None where it doesn't, or is malformed."""
    keys: list[str] = []
    try:
        at = _skip_blanks(text, at + 1)
        while text[at] != "}":
            key, at = _decode_json(text, at)
            at = _skip_blanks(text, at)
            if text[at] != ":" or not isinstance(key, str):
                return keys, None
            keys.append(key)
            _, at = _decode_json(text, _skip_blanks(text, at + 1))
            at = _skip_blanks(text, at)
            if text[at] == ",":
                at = _skip_blanks(text, at + 1)
            elif text[at] != "}":
                return keys, None
    except (ValueError, IndexError, RecursionError):
        return keys, None
    return keys, at + 1


def _skip_blanks(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _read_header(text: str, separator: str | None, configured: Named) -> tuple[tuple[str, ...], str]:
    """Column names, and the separator that gives the most known ones, then the most."""
    line = text.partition("\n")[0].partition("\r")[0]
    head = text if '"' in line else line  # which may go on in the next line
    tried = [separator] if separator else [sign for sign in _SEPARATORS if sign in head] or [","]
    headers = [(_read_cells(head, sign), sign) for sign in tried]
    return max(headers, key=lambda header: (count_known(header[0], configured), len(header[0])))


def _read_cells(text: str, separator: str) -> tuple[str, ...]:
    """The cells of the first row; none where the csv module finds it impossible."""
    try:
        return tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), ()))
    except csv.Error:
        return ()
