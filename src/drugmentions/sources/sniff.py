"""Recognise a file's format, and the names of its columns, by its first bytes alone."""

import csv
import io
from collections.abc import Mapping
from json import JSONDecoder
from typing import Final, NamedTuple

import polars as pl

from drugmentions.config import Source
from drugmentions.model import EMPTY_FILE, Compression, Format, Kind
from drugmentions.sources import ctgov_json, ctgov_xml, europepmc, medline, name_lists, pubmed_record
from drugmentions.sources.columns import Named, count_known, recognise_kind
from drugmentions.sources.first_bytes import read_head
from drugmentions.sources.html_pages import HTML_PAGE, is_html
from drugmentions.sources.xml_records import root_of

_SEPARATORS: Final = ",\t;|"
_BOM: Final = b"\xef\xbb\xbf"
_PARQUET: Final = b"PAR1"
_UNQUOTED: Final = (frozenset({"pmid", "title_e"}), frozenset({"rank", "nct number"}))
"""Columns of tables parted by tabs where quotes are text: LitCovid's, the classic ones of ClinicalTrials.gov."""
FIXED: Final[Mapping[Format, tuple[str, ...]]] = {
    Format.PUBMED_XML: pubmed_record.COLUMNS,
    Format.CTGOV_JSON: ctgov_json.COLUMNS,
    Format.CTGOV_XML: ctgov_json.COLUMNS,
    Format.MEDLINE: medline.COLUMNS,
    Format.EUROPEPMC: europepmc.COLUMNS,
    Format.RXNORM: name_lists.COLUMNS,
    Format.NAMES: name_lists.COLUMNS,
}
"""Formats whose columns are always these."""
_IN_ZIP: Final = frozenset({Format.CTGOV_JSON, Format.CTGOV_XML})
"""Formats of which a zip archive may hold any number of files."""
_ROOTS: Final = {
    **dict.fromkeys(pubmed_record.ROOTS | pubmed_record.RECORDS, Format.PUBMED_XML),
    **dict.fromkeys(ctgov_xml.RECORDS, Format.CTGOV_XML),
}
"""Root element of XML -> its format."""
_UNREAD: Final = {
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"%PDF": "a PDF document",
    b"\xff\xfe": "UTF-16 text; configure its encoding",
    b"\xfe\xff": "UTF-16 text; configure its encoding",
}
"""First bytes -> what starts so and isn't read."""

_decode_json: Final = JSONDecoder(strict=False).raw_decode


class Content(NamedTuple):
    """What first bytes say. `names`: columns or keys; `problem`: why there are none, as the file can't be read.

    `why`: what it was recognised by; `source`: whose records these are, where columns don't tell.
    """

    format: Format = Format.UNKNOWN
    names: tuple[str, ...] = ()
    separator: str = ","
    quoted: bool = True
    problem: str = ""
    why: str = ""
    source: str = ""


def sniff(path: str, source: Source | None, configured: Named) -> tuple[Compression, Content]:
    """What wraps a file, and what is in it. Raises nothing for a file that can't be read."""
    head = read_head(path)
    if head.problem:
        return head.compression, Content(problem=head.problem)
    given = Format(source.format) if source and source.format else None
    if given == Format.PARQUET or (not given and head.data.startswith(_PARQUET)):
        return head.compression, _read_parquet(path, head.compression)
    content = _sniff_text(head.data, given, source, configured)
    for start in head.further:
        if content.format in _IN_ZIP:
            break
        other = _sniff_text(start, given, source, configured)
        content = other if other.format in _IN_ZIP else content
    if given:
        content = content._replace(why="format by the configuration")
    if head.compression == Compression.ZIP and not content.problem and content.format not in _IN_ZIP:
        content = Content(problem=f"a zip archive of {content.format}; unpack it")
    return head.compression, content


def _read_parquet(path: str, compression: Compression) -> Content:
    if compression != Compression.NONE:
        return Content(Format.PARQUET, problem=f"Parquet inside {compression}")
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # a path that Polars would take for a glob, or for no text
            return Content(Format.PARQUET, tuple(pl.read_parquet_schema(file)), why="first bytes PAR1")
    except OSError as error:
        return Content(problem=error.strerror or str(error))
    except pl.exceptions.PolarsError as error:
        return Content(problem="corrupt Parquet: " + str(error).partition("\n")[0])


def _sniff_text(data: bytes, given: Format | None, source: Source | None, configured: Named) -> Content:
    """Recognise text: XML, JSON, lines of JSON, or a table with a header."""
    encoding = source.encoding if source and source.encoding else ""
    if not encoding and not given:
        what = next((what for start, what in _UNREAD.items() if data.startswith(start)), "")
        whole = data.rstrip(b"\0") if data.lstrip().startswith(b"<") else data  # XML ends with its root element
        if what or b"\0" in whole:
            return Content(problem=what or "binary data")
    text = data.removeprefix(_BOM).decode(encoding or "utf-8", "replace").removeprefix("\ufeff").lstrip("\r\n")
    start = text.lstrip()
    if not start:
        return Content(problem=EMPTY_FILE)
    if start.startswith("<") and (not given or is_html(start)):
        return _sniff_xml(start)
    return _sniff_records(text, given or _format_of(start), source, configured)


def _sniff_records(text: str, format_: Format, source: Source | None, configured: Named) -> Content:
    """Names of columns or keys; of JSON whose objects have none of ours, the format too."""
    if format_ in FIXED:
        return Content(format_, FIXED[format_], why="its first line")
    if format_ == Format.CSV:
        names, separator = _read_header(text, source.separator if source else None, configured)
        folded = {name.strip().casefold() for name in names}
        quoted = separator != "\t" or not any(columns <= folded for columns in _UNQUOTED)
        return Content(format_, names, separator, quoted=quoted, why="column names in its first line")
    keys = _read_keys(text.lstrip(), configured)
    if (source and source.format) or recognise_kind(keys, configured) != Kind.UNKNOWN:
        return Content(format_, keys, why="keys of its first objects")
    return _sniff_nested(text, format_, keys)


def _sniff_xml(text: str) -> Content:
    root = root_of(text.encode())
    if root.lower() == "html" or is_html(text):
        return Content(problem=HTML_PAGE)
    format_ = _ROOTS.get(root)
    if format_ is None:
        return Content(problem=f"an XML file with the root element <{root}>" if root else "an XML file without a root")
    return Content(format_, FIXED[format_], why=f"root element <{root}>")


def _sniff_nested(text: str, format_: Format, keys: tuple[str, ...]) -> Content:
    """Recognise JSON whose objects have no column of ours."""
    key = next((key for key in (ctgov_json.PROTOCOL, ctgov_json.STUDIES) if key in keys), "")
    is_empty = f'"{ctgov_json.STUDIES}":[]' in "".join(text.split())
    if key and (is_empty or f'"{ctgov_json.PROTOCOL}"' in text):
        return Content(Format.CTGOV_JSON, ctgov_json.COLUMNS, why=f"key {key}")
    if europepmc.RESULT_LIST in keys:
        return Content(Format.EUROPEPMC, europepmc.COLUMNS, why=f"key {europepmc.RESULT_LIST}", source="europepmc")
    if europepmc.ERROR in keys:
        return Content(problem=europepmc.IS_ERROR)
    return Content(format_, keys)


def _format_of(text: str) -> Format:
    if text.startswith("["):
        return Format.JSON
    if text.startswith("{"):
        return Format.NDJSON if _is_object_a_line(text) else Format.JSON
    if text.startswith(medline.FIRST_TAG):
        return Format.MEDLINE
    return Format.RXNORM if name_lists.is_rxnconso(text.partition("\n")[0]) else Format.CSV


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
    """Column names, and the separator that gives the most known ones, then the most.

    They may stand behind lines that begin with #, if then some of them are known.
    """
    first = _read_first_row(text, separator, configured)
    if not text.startswith("#") or count_known(first[0], configured):
        return first
    rows = (text if "\n" in text else text.replace("\r", "\n")).split("\n")
    below = next((at for at, row in enumerate(rows) if not row.startswith("#")), len(rows))
    header = _read_first_row("\n".join(rows[below:]), separator, configured)
    return header if count_known(header[0], configured) else first


def _read_first_row(text: str, separator: str | None, configured: Named) -> tuple[tuple[str, ...], str]:
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
