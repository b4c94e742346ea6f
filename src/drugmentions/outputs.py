"""What an output directory holds, handed out as frames or exported as files."""

from pathlib import Path

import polars as pl

from drugmentions.cache import MENTIONS, REJECTS, Workspace
from drugmentions.durable import output_errors, replacing
from drugmentions.errors import ConfigError, OutputError
from drugmentions.merging import merge
from drugmentions.model import PUBLICATION, SPANS
from drugmentions.text import spreadsheet_safe_expr


def scan_publications(out: Path | str = "out") -> pl.LazyFrame:
    """The cleaned layer of an output directory: every record that could be read, before merging (`PUBLICATION`).

    Reads nothing yet. Raises OutputError where there is no cache.
    """
    parts = Workspace(Path(out)).part_paths("publications")
    empty = pl.LazyFrame(schema=PUBLICATION)
    return pl.concat([empty, *(pl.scan_parquet(part, glob=False).select(PUBLICATION.names()) for part in parts)])


def scan_mentions(out: Path | str = "out") -> pl.LazyFrame:
    """The mentions of an output directory (`MENTION`), sorted as in the graph. Raises OutputError if there are none.

    A file, such as the directory's graph.json, stands for the directory it is in.
    """
    return _scan((Path(out).parent if Path(out).is_file() else Path(out)) / MENTIONS)


def scan_rejects(out: Path | str = "out") -> pl.LazyFrame:
    """The rejected records of an output directory (`REJECT`), by file and record. Raises OutputError without them."""
    return _scan(Path(out) / REJECTS)


def scan_merges(out: Path | str = "out") -> pl.LazyFrame:
    """What was merged into what, overridden or deleted (`MERGES`), by file and record; found anew from the cache."""
    return merge(scan_publications(out)).merges.lazy()


def _scan(path: Path) -> pl.LazyFrame:
    hint = "name an output directory of `drugmentions run`"
    if not path.is_file():
        raise OutputError(f"{path}: no such file", hint)
    table = pl.scan_parquet(path, glob=False)
    try:
        table.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise OutputError(f"{path}: can't be read as Parquet", hint) from error
    return table


_SCANS = {
    "publications": scan_publications,
    "mentions": scan_mentions,
    "rejects": scan_rejects,
    "merges": scan_merges,
}


def export(table: str, out: Path, file: Path) -> int:
    """Write a table of `out` to `file`: Parquet, CSV or NDJSON by its ending. Returns the number of rows.

    table: `publications`, `mentions`, `rejects` or `merges`. In CSV, spans are JSON text, and cells that a spreadsheet
    would run begin with an apostrophe. Raises ConfigError for another ending, OutputError where reading or writing
    fails.
    """
    rows = _SCANS[table](out)
    with output_errors(file):
        if file.suffix not in {".parquet", ".csv", ".ndjson", ".jsonl"}:
            raise ConfigError(
                f"{file}: unknown ending {file.suffix or '(none)'}", "end the file's name in .parquet, .csv or .ndjson"
            )
        with replacing(file) as temporary:
            if file.suffix == ".parquet":
                rows.sink_parquet(temporary)
            elif file.suffix == ".csv":
                schema = rows.collect_schema()
                spans = [_spans_json(name) for name, dtype in schema.items() if dtype == SPANS]
                texts = [spreadsheet_safe_expr(pl.col(name)) for name, dtype in schema.items() if dtype == pl.String]
                rows.with_columns(*spans, *texts).sink_csv(temporary)
            else:
                rows.sink_ndjson(temporary)
    return int(rows.select(pl.len()).collect().item())


def _spans_json(name: str) -> pl.Expr:
    """Spans as a JSON array, for formats without lists."""
    return pl.concat_str(
        pl.lit("["), pl.col(name).list.eval(pl.element().struct.json_encode()).list.join(","), pl.lit("]")
    ).alias(name)
