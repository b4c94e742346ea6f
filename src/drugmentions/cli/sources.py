"""`drugmentions sources`: which formats are read, and what files are taken for."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import ConfigFile, Format, Log, LogFormat, OutputFormat, Quiet
from drugmentions.cli.settings import settings

app = typer.Typer(help="Which formats are read, and what files are taken for.", no_args_is_help=True)


@app.command("list")
def list_command(output_format: Format = None, quiet: Quiet = False, log_format: Log = LogFormat.TEXT) -> None:
    """The formats that are read: what each holds, its source, and what it is recognised by."""
    del quiet, log_format
    import polars as pl

    from drugmentions.cli.render import render
    from drugmentions.sources.catalogue import FORMATS

    rows = [entry._asdict() for entry in FORMATS]
    render(pl.DataFrame(rows), {"formats": rows}, output_format)


@app.command("detect")
def detect_command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, directories and globs.")],
    config: ConfigFile = None,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """What each file is taken for, and why, with its first record as it would be read: for when a count looks wrong."""
    del quiet, log_format
    import sys
    import tempfile
    from pathlib import Path

    import msgspec
    import polars as pl

    from drugmentions.cli.render import render
    from drugmentions.sources.locate import locate
    from drugmentions.sources.preview import preview

    chosen = settings(config)
    found = locate(paths, Path(chosen.run.out))
    for refused in found.refused:
        narrator.note(f"not read: {refused.file}: {refused.reason}")
    with tempfile.TemporaryDirectory(prefix="drugmentions-") as scratch:
        previews = [msgspec.to_builtins(preview(located, chosen.source, Path(scratch))) for located in found.files]
    once = output_format is OutputFormat.TABLE or (output_format is None and sys.stdout.isatty())
    rows = [
        ("" if once and number else entry["file"], *item)
        for entry in previews
        for number, item in enumerate(_items(entry))
    ]
    table = pl.DataFrame(rows, schema=dict.fromkeys(("file", "item", "value"), pl.String), orient="row")
    render(table, {"files": previews}, output_format)


def _items(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What there is to say of a file, an item a row."""
    for item in ("kind", "source", "format", "compression", "why", "note"):
        if entry[item] and entry[item] != "none":
            yield item, entry[item]
    for field, name in entry["columns"].items():
        yield f"column of {field}", name
    for name, value in (entry["first"] or {}).items():
        yield f"first record: {name}", str(value)
