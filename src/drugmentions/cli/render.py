"""Results on stdout: as a table for people, or as JSON, NDJSON or CSV for programs."""

import os
import sys
from typing import TYPE_CHECKING, Any

import orjson
import typer

from drugmentions.cli.narrate import printable
from drugmentions.cli.options import OutputFormat
from drugmentions.errors import OutputError

if TYPE_CHECKING:
    import polars as pl


def render(
    rows: "pl.DataFrame",
    document: object,
    output_format: OutputFormat | None,
    default: OutputFormat = OutputFormat.JSON,
) -> None:
    """Write `document` as JSON, or `rows` in any other format; unless said, a table on a terminal, else `default`."""
    chosen = output_format or (OutputFormat.TABLE if sys.stdout.isatty() else default)
    if chosen is OutputFormat.JSON:
        write_bytes(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
    elif chosen is OutputFormat.NDJSON:
        write_bytes(rows.write_ndjson().encode())
    elif chosen is OutputFormat.CSV:
        write_bytes(csv_bytes(_flat(rows)))
    else:
        _write_table(_flat(rows))


def csv_bytes(rows: "pl.DataFrame", *, header: bool = True) -> bytes:
    """Rows as CSV, in UTF-8; what a spreadsheet would run as a formula begins with an apostrophe."""
    import polars.selectors as cs

    from drugmentions.text import spreadsheet_safe_expr

    return rows.with_columns(spreadsheet_safe_expr(cs.string())).write_csv(include_header=header).encode()


def write_bytes(data: bytes) -> None:
    """Write to stdout, in UTF-8 whatever the locale. Ends the command quietly where nobody reads on.

    Raises OutputError where stdout can't be written.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # what is still buffered goes nowhere: the interpreter flushes at its end, and would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit from None
        raise OutputError(f"standard output: {error.strerror}", "write to a place with free space") from error


def _flat(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Lists as text, their entries parted by `|`."""
    import polars as pl
    import polars.selectors as cs

    return rows.with_columns(cs.list().cast(pl.List(pl.String)).list.join("|"))


def _write_table(rows: "pl.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows.columns:
        numeric = rows[name].dtype.is_numeric()
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows.rows():
        table.add_row(*(Text(_cell(value)) for value in row))
    with console.capture() as captured:
        console.print(table)
    write_bytes(captured.get().encode())


def _cell(value: Any) -> str:  # noqa: ANN401  a cell is of any type
    return "" if value is None else printable(str(value)).replace("\n", " ")
