"""Read delimited text (CSV, TSV): by a lazy scan where it is clean, else row by row, where a bad row costs a row."""

import csv
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple

import orjson
import polars as pl

from drugmentions.model import Compression, SourceFile
from drugmentions.sources.csv_lines import Lines, split_line, strict_reader
from drugmentions.sources.scans import ROW, field_columns, further_columns, polars_path, scan_reading, tilde_fields
from drugmentions.sources.spool import SUSPECT, Reading, Spool, is_blank
from drugmentions.sources.streams import INVALID_UTF8, LINE_LIMIT, LONG_LINE, is_utf8, read_line_blocks

Row = list[str | None]
_USUAL = ",;\t|"


class _Header(NamedTuple):
    """The file's column names. `before`: lines that precede the header; `height`: lines that it has itself."""

    names: tuple[str, ...]
    before: int
    height: int


# By a lazy scan.


def open_fast(
    file: SourceFile, fields: Sequence[str], *, compiled: Callable[[], bool] = lambda: False
) -> Reading | None:
    """The reading of a file whose quoting is clean, with a cell never longer than its line; else None.

    Polars splits such a file as RFC 4180 says, and others it may misread without a word: hence one pass over the lines
    now. What is left to refuse, a row with too many fields, raises PolarsError when the scan is collected. `compiled`:
    whether compiled code may read it; asked where it can. Then all is seen when it is collected.
    """
    if not is_utf8(file.encoding) or len(file.separator) != 1 or not file.separator.isascii():
        return None
    header = _find_header(Lines(read_line_blocks(file)), file)
    path = polars_path(file)
    if header is None or header.height > 1 or path is None:
        return None
    texts = [(name, pl.col(str(place))) for place, name in enumerate(header.names)]
    if file.quoted and file.separator in _USUAL and file.compression == Compression.NONE and compiled():
        reading = _read_by_compiled_code(path, header, file, fields, texts)
        if reading:
            return reading
    try:
        read = _count_clean(path, header, file)
        if read is None:
            return None
        scan = _scan(path, header, file)
        scan.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None
    return scan_reading(file, scan, texts, fields, {file.file: read})


def _read_by_compiled_code(
    path: str, header: _Header, file: SourceFile, fields: Sequence[str], texts: Sequence[tuple[str, pl.Expr]]
) -> Reading | None:
    """The reading by compiled code, if that works here; collecting it checks the quoting, and counts the records."""
    try:
        from drugmentions.sources.line_scan import can_scan, scan_lines  # noqa: PLC0415  # of an extra
    except Exception:  # noqa: BLE001  # whatever it is, Polars reads the same
        return None
    if not can_scan():
        return None
    read = {file.file: 0}
    count = partial(read.__setitem__, file.file)
    scan = scan_lines(path, header.before + 1, file.separator, len(header.names), file.dates, on_end=count)
    return scan_reading(file, scan, texts, fields, read, prepared=True)


def _scan(path: str, header: _Header, file: SourceFile) -> pl.LazyFrame:
    """One row per record: ROW, then the columns named by their places."""

    def numbered(names: list[str]) -> list[str]:
        if len(names) != len(header.names):
            raise pl.exceptions.ShapeError("the header is read differently")
        return [str(place) for place in range(len(names))]

    return pl.scan_csv(
        path,
        separator=file.separator,
        quote_char='"' if file.quoted else None,
        infer_schema=False,
        skip_lines=header.before,
        with_column_names=numbered,
        row_index_name=ROW,
        row_index_offset=1,
        glob=False,
    )


def _count_clean(path: str, header: _Header, file: SourceFile) -> int | None:
    """How many records there are, or None where a line's quoting isn't clean, or a cell holds a line's end."""
    line, sign = pl.col("line"), rf"\x{{{ord(file.separator):x}}}"
    cell = rf'(?:[^"\r{sign}]*|"(?:[^"\r]|"")*")'
    odd = line.str.contains(r'["\r]' if file.quoted else r"\r")
    clean = pl.when(odd).then(line).otherwise(pl.lit("")).str.contains(rf"^{cell}(?:{sign}{cell})*$")
    unclean = ~clean if file.quoted else odd
    body = pl.scan_lines(path, glob=False).slice(header.before + 1)
    asked = body.select(pl.len(), unclean.any().alias("unclean"), line.last().alias("last")).collect(engine="streaming")
    count, is_unclean, last = asked.row(0)
    if is_unclean:
        return None
    # without a final line feed, Polars takes one separator too many for the line's end
    is_too_long = last and len(split_line(last, file) or ()) > len(header.names)
    return None if is_too_long else int(count)


# Row by row.


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file row by row; raises UnreadableError where nothing of it can be read."""
    lines = Lines(spool.metered(read_line_blocks(file)))
    header = _find_header(lines, file)
    if header is None:
        if lines.broken:
            raise lines.broken
        return
    lines.start = lines.at
    rows = _Rows(file, fields, header, lines, spool)
    rows.read()
    if lines.broken:
        rows.count += 1
        raw = lines.broken.rest.decode(errors="replace")
        spool.reject(file.file, rows.count, lines.base + len(lines.lines) + 1, lines.broken.reason, raw)
    spool.read[file.file] += rows.count


class _Rows:
    """The rows of one file on their way into a spool. `count`: records met so far."""

    def __init__(self, file: SourceFile, fields: Sequence[str], header: _Header, lines: Lines, spool: Spool) -> None:
        self.count = 0
        self._file = file
        self._name = file.file
        self._width = len(header.names)
        self._distinct = [(name, header.names.index(name)) for name in dict.fromkeys(header.names)]
        # A row is given a null behind its last field: there stand the fields that the file lacks.
        found = field_columns(header.names, file, fields)
        places = [columns[0] if columns else self._width for columns in found]
        self._further = further_columns(found)
        self._tilde_fields = tilde_fields(file, fields)
        self._pick = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
        self._lines = lines
        self._spool = spool
        self._rows = spool.rows

    def read(self) -> None:
        """Read on to the end, over whatever fails."""
        while True:
            try:
                self._read_well()
            except csv.Error:
                self._read_first_line()
            else:
                return

    def _read_well(self) -> None:
        """Read up to the end, or the first record that can't be parsed: it raises csv.Error and isn't counted yet."""
        lines, width, keep = self._lines, self._width, self._keep
        for row in strict_reader(lines, self._file):
            if lines.at - lines.start > 1 and lines.overrun():
                raise csv.Error
            self.count += 1
            if len(row) == width and not lines.careful:
                keep(row)  # type: ignore[arg-type]  # a row is nobody else's, so a null may be added to it
            else:
                self._keep_sound(row)
            lines.start = lines.at

    def _read_first_line(self) -> None:
        """Make a record of a bad one's first line alone: its fields, if it leaves no quote open."""
        self.count += 1
        row = split_line(self._lines.take_first(), self._file)
        if row is None:
            self._reject("unclosed quote")
        else:
            self._keep_sound(row)
        self._lines.start = self._lines.at

    def _keep_sound(self, row: Sequence[str]) -> None:
        """Keep a row whose text and length are fine or can be mended, else reject it."""
        if self._lines.careful and (reason := _fault(self._lines)):
            self._reject(reason)
            return
        surplus = len(row) - self._width
        if surplus > 0 and not all(map(is_blank, row)):
            self._reject(f"{len(row)} fields where the header has {self._width}")
        else:
            self._keep([*row[: self._width], *[None] * -surplus])

    def _keep(self, row: Row) -> None:
        number = self._lines.base + self._lines.start + 1
        row.append(None)
        values = self._pick(row)
        if self._further or self._tilde_fields:
            values = self._mended(list(values), row)
        main = values[0]
        if not main or main[0] in SUSPECT:
            raw = orjson.dumps({name: row[place] or None for name, place in self._distinct}).decode()
            blank = all(map(is_blank, row))
            self._spool.doubtful.append((self._name, self.count, number, raw, blank, main))
        self._rows.append((self._name, self.count, number, *values))

    def _mended(self, values: Row, row: Row) -> Row:
        """The fields with what further columns give, and without tildes where these end lines."""
        for field, place in self._further:
            values[field] = values[field] or row[place]
        for field in self._tilde_fields:
            values[field] = (values[field] or "").replace("~", " ")
        return values

    def _reject(self, reason: str) -> None:
        self._spool.reject(self._name, self.count, self._lines.number, reason, self._lines.taken)


def _fault(lines: Lines) -> str:
    """What is wrong with the record's lines as such."""
    encoded = [line.encode(errors="surrogateescape") for line in lines.lines[lines.start : lines.at]]
    if any(len(line) > LINE_LIMIT for line in encoded):
        return LONG_LINE
    try:
        b"".join(encoded).decode()
    except UnicodeDecodeError:
        return INVALID_UTF8
    return ""


# The header.


def _find_header(lines: Lines, file: SourceFile) -> _Header | None:
    """The first line that isn't empty, and no comment before column names that we know; None where there is none."""
    for line in lines:
        if line.strip() and not (line.startswith("#") and _names_nothing(line, file)):
            break
        lines.start = lines.at
    else:
        return None
    lines.at = lines.start
    try:
        names = next(strict_reader(lines, file))
    except csv.Error:
        line = lines.take_first()
        names = split_line(line, file) or line.split(file.separator)
    known = (name.encode(errors="surrogateescape").decode(errors="replace").strip() for name in names)
    return _Header(tuple(known), lines.base + lines.start, lines.at - lines.start)


def _names_nothing(line: str, file: SourceFile) -> bool:
    """Whether a line holds none of the column names that the file is to have."""
    names = split_line(line, file) or ()
    return not any(field_columns(names, file, tuple(file.columns)))
