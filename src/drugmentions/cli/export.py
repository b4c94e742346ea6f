"""`drugmentions export`: publications, mentions, rejects or merges as a file for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from drugmentions.cli.damage import tells_damage
from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import Log, LogFormat, Out, Quiet


class Table(StrEnum):
    """What can be exported."""

    PUBLICATIONS = "publications"
    MENTIONS = "mentions"
    REJECTS = "rejects"
    MERGES = "merges"


@tells_damage
def export_command(
    table: Annotated[Table, typer.Argument(help="publications: every record that could be read, before merging.")],
    file: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write; .parquet, .csv or .ndjson says the format.")
    ],
    out: Out = Path("out"),
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """Write one of a run's tables to a file: Parquet, CSV or NDJSON by the file's ending."""
    del quiet, log_format
    from drugmentions.outputs import export

    rows = export(table, out, file)
    narrator.note(f"{rows} {table} -> {file}")
