"""`drugmentions rejects`: the records that a run couldn't read."""

from pathlib import Path
from typing import Annotated

import typer

from drugmentions.cli.damage import tells_damage
from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import Format, Log, LogFormat, Out, Quiet

_SHOWN = 100


@tells_damage
def rejects_command(
    out: Out = Path("out"),
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many records; 0: all.")] = _SHOWN,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The rejected records of the last run, counted by file and reason, with the text of each."""
    del quiet, log_format
    import polars as pl

    from drugmentions.cli.render import render
    from drugmentions.outputs import scan_rejects

    rejects = scan_rejects(out)
    counts = rejects.group_by("file", "reason").agg(records=pl.len()).sort("file", "reason").collect()
    total = int(counts["records"].sum())
    shown = (rejects.head(limit) if limit else rejects).collect()
    if shown.height < total:
        narrator.note(f"{shown.height} of {total} rejected records shown; --limit 0 shows all")
    render(shown, {"total": total, "counts": counts.to_dicts(), "rejects": shown.to_dicts()}, output_format)
