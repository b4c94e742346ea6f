"""Read NDJSON, a record a line: by a lazy scan where it is clean, else line by line, where a bad line costs a line."""

import glob
from collections.abc import Sequence
from itertools import chain, islice
from typing import Final

import orjson
import polars as pl

from drugmentions.model import REJECT, SourceFile
from drugmentions.sources.json_values import JsonRows, RefusedError, candidate_keys, parse
from drugmentions.sources.scans import ROW, origin_exprs, polars_path
from drugmentions.sources.spool import STRING, Reading, Spool, compact_expr, filled_expr
from drugmentions.sources.streams import LINE_LIMIT, LONG_LINE, UnreadableError, is_utf8, read_line_blocks
from drugmentions.text import clean_text_expr

_SAMPLE: Final = 1_000
_BLANK: Final = r"(?:\s|\\[tnrf]|\\u(?i:000[9abcd]|0020|0085|00a0|1680|200[0-9a]|202[89f]|205f|3000))*"
_BLANK_VALUE: Final = rf'(?:null|"{_BLANK}(?:\\"\\"{_BLANK})?")'
_MEMBER: Final = rf"\s*{STRING}\s*:\s*{_BLANK_VALUE}\s*"
_BLANK_RECORD: Final = rf"^\s*(?:null|\{{\s*(?:{_MEMBER}(?:,{_MEMBER})*)?\}})\s*$"


# By a lazy scan.


def open_fast(file: SourceFile, fields: Sequence[str]) -> Reading | None:
    """The reading of a file that has an object on every line and no escaped surrogates; else None.

    Which keys hold our fields is learnt from the first lines and from `SourceFile.columns`: another spelling, by case
    or outer blanks, that occurs later only, is not seen. Of equal keys in a record the first holds (line by line, the
    last), and of two shortest texts of a float the greater. What Polars refuses raises PolarsError when collected.
    """
    path = polars_path(file)
    keys = _sample_keys(file)
    if path is None or keys is None or not is_utf8(file.encoding):
        return None
    wanted = [candidate_keys(file.columns.get(field, ()), keys) for field in fields]
    used = set(chain(*wanted))
    try:
        read, is_clean, any_unseen = _look_through(path, used, used - keys)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None
    if not is_clean:
        return None
    if not any_unseen:
        wanted = [[name for name in names if name in keys] for names in wanted]
    return _reading(file, path, fields, wanted, read)


def _sample_keys(file: SourceFile) -> set[str] | None:
    """The keys of the first lines; None where one of them isn't an object."""
    keys: set[str] = set()
    try:
        for line in islice(chain.from_iterable(map(_split, read_line_blocks(file))), _SAMPLE):
            keys.update(orjson.loads(line).keys())
    except (UnreadableError, orjson.JSONDecodeError, AttributeError):
        return None
    return keys


def _look_through(path: str, used: set[str], unseen: set[str]) -> tuple[int, bool, bool]:
    """Count the lines; whether Polars reads them all, and as we do; whether some of `unseen` may occur after all.

    It makes something else of an escaped surrogate that is alone, and writes nested values with blanks.
    """
    line = pl.col("line")
    nested = "|".join(map(pl.escape_regex, sorted(used)))
    odd = line.str.contains(rf'\\u[dD][89a-fA-F]|"(?:{nested})"\s*:\s*[\[{{]')
    bad = odd | line.str.contains("\r", literal=True) | (line.str.strip_chars() == "")
    quoted = sorted(f'"{name}"' for name in unseen)
    met = line.str.contains_any(quoted, ascii_case_insensitive=True) if quoted else pl.lit(value=False)
    asked = pl.scan_lines(path, glob=False).select(
        pl.len(), (bad.any() | line.first().str.starts_with("\ufeff")).alias("bad"), met.any().alias("met")
    )
    count, is_bad, any_met = asked.collect(engine="streaming").row(0)
    return count, not is_bad, any_met


def _reading(file: SourceFile, path: str, fields: Sequence[str], keys: Sequence[Sequence[str]], read: int) -> Reading:
    """`keys`: of each field those that may hold it, preferred first."""
    schema = dict.fromkeys(chain(*keys), pl.String)
    scan = pl.scan_ndjson(glob.escape(path), schema=schema, row_index_name=ROW, row_index_offset=1)
    texts = [pl.coalesce(pl.lit(None, pl.String), *(filled_expr(pl.col(key)) for key in names)) for names in keys]
    untitled = scan.filter(clean_text_expr(texts[0]).is_null()).select(ROW)
    lines = pl.scan_lines(path, glob=False, row_index_name=ROW, row_index_offset=1)
    origin = origin_exprs(file)
    return Reading(
        scan.select(*origin, *(text.alias(field) for field, text in zip(fields, texts, strict=True))),
        lines.join(untitled, on=ROW, how="semi").select(
            *origin, raw=compact_expr(pl.col("line")), blank=pl.col("line").str.contains(_BLANK_RECORD)
        ),
        pl.LazyFrame(schema=REJECT),
        {file.file: read},
    )


# Line by line.


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file line by line; raises UnreadableError where nothing of it can be read."""
    rows = JsonRows(file, fields, spool)
    try:
        for block in spool.metered(read_line_blocks(file)):
            _keep_lines(block, rows)
    except UnreadableError as error:
        if not rows.count and not error.rest:
            raise
        rows.reject(error.reason, error.rest, rows.count + 1)
    spool.read[file.file] += rows.count


def _keep_lines(block: bytes, rows: JsonRows) -> None:
    for line in _split(block):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            _keep_odd(line, rows)
        else:
            if len(line) > LINE_LIMIT:
                rows.reject(LONG_LINE, line, rows.count + 1)
            else:
                rows.keep(record, line, rows.count + 1)


def _split(block: bytes) -> list[bytes]:
    return block.removesuffix(b"\n").split(b"\n")


def _keep_odd(line: bytes, rows: JsonRows) -> None:
    """Keep a line that is empty or that orjson refuses, or reject it."""
    if len(line) > LINE_LIMIT:
        rows.reject(LONG_LINE, line, rows.count + 1)
        return
    try:
        record = parse(line) if line.strip() else None
    except RefusedError as error:
        rows.reject(error.reason, line, rows.count + 1)
    else:
        rows.keep(record, line, rows.count + 1)
