"""What every reader hands over (`Reading`), and where slow readers put their rows meanwhile (`Spool`)."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from drugmentions.errors import OutputError
from drugmentions.model import RAW_LIMIT, REJECT
from drugmentions.text import clean_text_expr

ORIGIN: Final = {"file": pl.String, "record": pl.UInt32, "line": pl.UInt64}
"""Where a record stands. `record`: 1-based, a header not counted. `line`: 1-based, its first; null where unknown."""

PARSED_DATE: Final = "parsed"
"""What `parse_date_expr` makes of the date, in records that have it already."""

UNTITLED: Final = pl.Schema({**ORIGIN, "raw": pl.String, "blank": pl.Boolean})
"""One row per record without its main field, `fields[0]`."""

_DOUBTFUL: Final = pl.Schema([*UNTITLED.items(), ("main", pl.String)])

ROWS: Final = 50_000
TEXT: Final = 32 << 20
WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The characters that are White_Space in Unicode."""
STRING: Final = r'"(?:[^"\\]|\\.)*"'
"""A JSON string, for regular expressions of Polars."""
SUSPECT: Final = frozenset(WHITE_SPACE + '"\\')
"""A text that `clean_text_expr` makes null is empty or begins with one of these."""


class Reading(NamedTuple):
    """The records of some files, lazily; neither frame promises an order.

    `records`: one row per record that could be read, blank and untitled ones included: ORIGIN, then the fields, String,
    absent and empty ones null.
    `untitled`: UNTITLED, those among them whose cleaned `fields[0]` is null. `raw`: the record as JSON under its own
    column names, at most RAW_LIMIT characters; `blank`: whether all that it holds, mapped or not, is empty, white space
    or `""`.
    `rejects`: REJECT, what the reader refused.
    `read`: records by file; of each file it is the rows of `records` plus those of `rejects`.
    Where compiled code reads, it is counted while `records` or `untitled` are collected.
    `clean`: fields whose texts in `records` are as `clean_text_expr` gives them; and PARSED_DATE, if there is such a
    column. `is_paced`: whether few `records` wait in memory, however slowly they are taken.
    """

    records: pl.LazyFrame
    untitled: pl.LazyFrame
    rejects: pl.LazyFrame
    read: dict[str, int]
    clean: frozenset[str] = frozenset()
    is_paced: bool = False


def records_schema(fields: Sequence[str]) -> pl.Schema:
    """The schema of `Reading.records`."""
    return pl.Schema({**ORIGIN, **dict.fromkeys(fields, pl.String)})


def is_blank(text: str | None) -> bool:
    """Whether a value says nothing; `blank_expr` is the same for columns."""
    return text is None or text.strip(WHITE_SPACE) in ("", '""')


def blank_expr(text: pl.Expr) -> pl.Expr:
    """Whether a value says nothing; `is_blank` is the same for one value."""
    return text.is_null() | text.str.strip_chars(WHITE_SPACE).is_in(["", '""'])


def filled_expr(text: pl.Expr) -> pl.Expr:
    """The text, null where it is empty."""
    return pl.when(text != "").then(text)


def compact_expr(text: pl.Expr) -> pl.Expr:
    """JSON without the white space between its values, at most RAW_LIMIT characters."""
    return text.str.replace_all(rf"({STRING})|[ \t\r\n]+", "$1").str.head(RAW_LIMIT)


class Frames(NamedTuple):
    """What `Reading` has of the same names, of some records, as frames."""

    records: pl.DataFrame
    untitled: pl.DataFrame
    rejects: pl.DataFrame


class Rows:
    """Rows of slow readers in memory. Readers append to the lists themselves, which is what costs least.

    `rows`: (file, record, line, then the fields);
    `doubtful`: (file, record, line, raw, blank, main field) of records whose main field may be null once cleaned; raw
    is JSON, as it may be cut and made compact later.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.rows: list[tuple[str | int | None, ...]] = []
        self.doubtful: list[tuple[str, int, int | None, str, bool, str | None]] = []
        self._rejects: list[tuple[str, int | None, int | None, str, str | None]] = []
        self._schema = records_schema(fields)

    def reject(self, file: str, record: int | None, line: int | None, reason: str, raw: str | None) -> None:
        """Keep what couldn't be read of a file, and why; cuts `raw`, where surrogates may stand for invalid bytes."""
        if raw is not None:
            raw = raw[:RAW_LIMIT].encode(errors="surrogateescape").decode(errors="replace")
        self._rejects.append((file, record, line, reason, raw))

    def take(self) -> Frames:
        """All that was collected; from then on nothing is."""
        texts = [filled_expr(pl.col(field)) for field in self._schema if field not in ORIGIN]
        untitled = _frame(self.doubtful, _DOUBTFUL).filter(clean_text_expr(pl.col("main")).is_null())
        frames = Frames(
            _frame(self.rows, self._schema).with_columns(texts),
            untitled.with_columns(raw=compact_expr(pl.col("raw"))).drop("main"),
            _frame(self._rejects, REJECT),
        )
        self.rows.clear()
        self.doubtful.clear()
        self._rejects.clear()
        return frames


class Spool(Rows):
    """Rows of slow readers, kept in memory up to ROWS rows or TEXT bytes of input, then in numbered Parquet files.

    Readers take the file's blocks through `metered`. The files lie in a new directory under `directory`. Raises
    OutputError where they can't be written.
    `limit`: records after which the blocks of a file come to an end, as if it were cut there; 0: none.
    """

    def __init__(self, directory: Path, fields: Sequence[str], *, limit: int = 0) -> None:
        super().__init__(fields)
        self.read: Counter[str] = Counter()
        self._added: list[Frames] = []
        self._size = 0
        self.limit = limit
        self._written: dict[str, list[Path]] = {"records": [], "untitled": [], "rejects": []}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.directory = Path(tempfile.mkdtemp(prefix="spool-", dir=directory))
        except OSError as error:
            raise _unwritable(directory, error) from error

    def add(self, frames: Frames) -> None:
        """Keep what was collected elsewhere."""
        self._added.append(frames)

    def metered(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks of a file that become rows, with room made before each."""
        for block in blocks:
            if self.limit and len(self.rows) >= self.limit:
                return
            self.make_room()
            self._size += len(block)
            yield block

    def make_room(self) -> None:
        """Write the rows out, once they are many."""
        if self._size >= TEXT or max(len(self.rows), len(self.doubtful), len(self._rejects)) >= ROWS:
            self._flush()

    def reading(self) -> Reading:
        """All that was collected, as scans of the files."""
        self._flush()
        return Reading(
            self._scan("records", self._schema),
            self._scan("untitled", UNTITLED),
            self._scan("rejects", REJECT),
            dict(self.read),
        )

    def _flush(self) -> None:
        self.add(self.take())
        for table, frames in zip(Frames._fields, zip(*self._added, strict=True), strict=True):
            self._write(table, pl.concat(frames))
        self._added.clear()
        self._size = 0

    def _write(self, table: str, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        path = self.directory / f"{table}-{len(self._written[table]):06}.parquet"
        try:
            frame.write_parquet(path, compression="lz4")
        except OSError as error:
            raise _unwritable(path, error) from error
        self._written[table].append(path)

    def _scan(self, table: str, schema: pl.Schema) -> pl.LazyFrame:
        paths = self._written[table]
        return pl.scan_parquet(paths, glob=False) if paths else pl.LazyFrame(schema=schema)


def _frame(rows: Sequence[tuple[object, ...]], schema: pl.Schema) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pl.DataFrame(
        [
            pl.Series(name, values, dtype, strict=True)
            for (name, dtype), values in zip(schema.items(), columns, strict=True)
        ]
    )


def _unwritable(path: Path, error: OSError) -> OutputError:
    hint = "free some space, or name another directory with --tmp"
    return OutputError(f"can't write {path}: {error.strerror or error}", hint)
