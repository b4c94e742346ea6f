"""Options and arguments that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from drugmentions.cli.narrate import narrator


class OutputFormat(StrEnum):
    """How a command's result is written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class LogFormat(StrEnum):
    """How notes and errors are written."""

    TEXT = "text"
    JSON = "json"


def _set_quiet(value: bool) -> bool:
    narrator.quiet = value
    return value


def _set_log_format(value: LogFormat) -> LogFormat:
    narrator.as_json = value == LogFormat.JSON
    return value


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_set_quiet, is_eager=True, help="No notes and no progress on stderr.")
]
Log = Annotated[
    LogFormat,
    typer.Option("--log-format", callback=_set_log_format, is_eager=True, help="How notes and errors are written."),
]
Format = Annotated[
    OutputFormat | None,
    typer.Option("--format", "-f", show_default="table on a terminal, else json", help="How the result is written."),
]
Out = Annotated[Path, typer.Argument(metavar="[OUT]", help="An output directory of `drugmentions run`.")]
GraphPath = Annotated[Path, typer.Argument(metavar="[PATH]", help="A graph.json, or an output directory.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The configuration; ./drugmentions.toml is read unless said.")
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", show_default="default", help="Rules of matching: plain, default or strict."),
]
