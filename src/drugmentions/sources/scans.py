"""Which of a file's own columns hold our fields, and the reading of a scan whose columns are known."""

from collections.abc import Container, Mapping, Sequence
from typing import Final

import polars as pl

from drugmentions.model import RAW_LIMIT, REJECT, SourceFile
from drugmentions.sources.spool import ORIGIN, PARSED_DATE, Reading, blank_expr, filled_expr
from drugmentions.text import clean_text_expr

_WHOLE: Final = 2**53
ROW: Final = "\0record"
"""The row index of a scan: a name that no file uses for a column."""
CLEAN: Final = "clean"
"""Of a text prepared by a scan: as `clean_text_expr` gives it."""
DATE: Final = "date"
"""Of a text prepared by a scan: what `parse_date_expr` makes of it once it is clean."""


def prepared_column(kind: str, place: int) -> str:
    """The name under which a scan has the text of the column in a place, prepared: CLEAN or DATE."""
    return f"{kind} {place}"


def polars_path(file: SourceFile) -> str | None:
    """The file's path, or None where Polars can't be told it, as its bytes aren't UTF-8."""
    try:
        file.path.encode()
    except UnicodeEncodeError:
        return None
    return file.path


def column_key(name: str) -> str:
    """What column names are compared by: white space around them and case count for nothing."""
    return name.strip().casefold()


def field_columns(names: Sequence[str], file: SourceFile, fields: Sequence[str]) -> list[list[int]]:
    """Where in `names` each field may stand: its columns that are there, preferred first; of equal names the first.

    The first of them that isn't empty holds the field.
    """
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        positions.setdefault(column_key(name), position)
    wanted = [map(column_key, file.columns.get(field, [])) for field in fields]
    return [list(dict.fromkeys(positions[key] for key in keys if key in positions)) for keys in wanted]


def further_columns(places: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs of a field's number and the place of a column of it behind the first, in their order."""
    return [(number, place) for number, found in enumerate(places) for place in found[1:]]


def tilde_fields(file: SourceFile, fields: Sequence[str]) -> list[int]:
    """The places of the fields in which a tilde stands for the end of a line: titles of AACT's table of studies.

    That table alone has a sponsor in the column `source`.
    """
    is_aact = file.separator == "|" and "source" in file.columns.get("sponsor", ())
    return [place for place, field in enumerate(fields) if is_aact and field in {"title", "official_title"}]


def origin_exprs(file: SourceFile) -> list[pl.Expr]:
    """The columns of ORIGIN of a scan that has the row index ROW."""
    return [
        pl.lit(file.file).alias("file"),
        pl.col(ROW).cast(ORIGIN["record"]).alias("record"),
        pl.lit(None, ORIGIN["line"]).alias("line"),
    ]


def scan_reading(
    file: SourceFile,
    scan: pl.LazyFrame,
    texts: Sequence[tuple[str, pl.Expr]],
    fields: Sequence[str],
    read: dict[str, int],
    opaque: Container[str] = (),
    *,
    prepared: bool = False,
) -> Reading:
    """The reading of a scan with the row index ROW. `texts`: the file's columns, each by its own name, as text.

    `opaque`: the names of those that hold no field. `read`: as `Reading` has it. `prepared`: whether the scan has
    the `prepared_column`s of the places in `texts`.
    """
    found = field_columns([name for name, _ in texts], file, fields)
    picked = [
        _first_filled_expr([texts[place][1] for place in places if texts[place][0] not in opaque]) for places in found
    ]
    tildes = tilde_fields(file, fields)
    for place in tildes:
        picked[place] = picked[place].str.replace_all("~", " ", literal=True)
    ready = _prepared(dict(zip(fields, found, strict=True))) if prepared and not tildes else {}
    distinct = {name: filled_expr(text).alias(name) for name, text in reversed(texts)}
    raw = pl.struct(distinct[name] for name in dict.fromkeys(name for name, _ in texts)).struct.json_encode()
    blank = pl.all_horizontal(blank_expr(text) for _, text in texts)
    origin = origin_exprs(file)
    return Reading(
        scan.select(*origin, **{**dict(zip(fields, picked, strict=True)), **ready}),
        scan.filter(ready.get(fields[0], clean_text_expr(picked[0])).is_null()).select(
            *origin, raw.str.head(RAW_LIMIT).alias("raw"), blank.alias("blank")
        ),
        pl.LazyFrame(schema=REJECT),
        read,
        frozenset(ready),
        is_paced=prepared,
    )


def _prepared(columns: Mapping[str, Sequence[int]]) -> dict[str, pl.Expr]:
    """Fields of one column cleaned, and PARSED_DATE; not a sponsor, of which a part is taken before it is cleaned."""
    single = {field: places[0] for field, places in columns.items() if len(places) == 1 and field != "sponsor"}
    ready = {field: pl.col(prepared_column(CLEAN, place)) for field, place in single.items()}
    return {**ready, PARSED_DATE: pl.col(prepared_column(DATE, single["date"]))} if "date" in single else ready


def _first_filled_expr(texts: Sequence[pl.Expr]) -> pl.Expr:
    filled = [filled_expr(text) for text in texts or (pl.lit(None, pl.String),)]
    return filled[0] if len(filled) == 1 else pl.coalesce(filled)


def text_expr(name: str, dtype: pl.DataType) -> pl.Expr | None:
    """A column as text: dates and times as their ISO date, whole numbers without a point; None for other types."""
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.date().cast(pl.String)
    if dtype.is_float():
        whole = (column == column.round()) & (column.abs() < _WHOLE)
        integer = pl.when(whole).then(column).cast(pl.Int64).cast(pl.String)
        return pl.coalesce(integer, column.fill_nan(None).cast(pl.String))
    if dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Date, pl.Null, pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    return None


def shown_expr(name: str) -> pl.Expr:
    """What stands for a value that isn't text."""
    return pl.when(pl.col(name).is_not_null()).then(pl.lit("..."))
