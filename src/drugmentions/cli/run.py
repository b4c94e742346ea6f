"""`drugmentions run`: read inputs, find mentions, write the graph."""

from typing import TYPE_CHECKING, Annotated

import typer

from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import ConfigFile, Format, Log, LogFormat, Profile, Quiet
from drugmentions.cli.settings import settings

if TYPE_CHECKING:
    from drugmentions.config import Config
    from drugmentions.pipeline import RunReport

_SHOWN = 5
"""Files or entries named in a note before the rest is only counted."""


def run_command(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Directories, files and globs: drug lists and publications.")
    ],
    out: Annotated[str | None, typer.Option("--out", "-o", help="The output directory.", show_default="./out")] = None,
    drugs: Annotated[
        list[str] | None, typer.Option("--drugs", help="A drug list, in place of those found in INPUT; repeatable.")
    ] = None,
    config: ConfigFile = None,
    strict: Annotated[bool | None, typer.Option("--strict", help="Fail if any record is rejected.")] = None,
    max_rejects: Annotated[
        str | None, typer.Option("--max-rejects", metavar="N|P%", help="Fail if more records are rejected.")
    ] = None,
    profile: Profile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be read, and read nothing.")] = False,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """Link every drug to the publications, trials and journals that mention it, in OUT/graph.json.

    OUT holds graph.json, mentions.parquet, rejects.parquet and run.json. Nothing is written to stdout but by --dry-run.
    """
    del quiet, log_format
    chosen = settings(config, out=out, drugs=drugs or None, strict=strict, max_rejects=max_rejects, profile=profile)
    if dry_run:
        _show_plan(inputs, chosen, output_format)
        return
    from drugmentions.cli.progress import progress_display
    from drugmentions.pipeline import run

    with progress_display() as progress:
        report = run(inputs, chosen, progress)
    _narrate(report)


def _narrate(report: "RunReport") -> None:
    """Say what was found, and what a person may want to look into."""
    counts = report.counts
    for entry in report.ignored[:_SHOWN]:
        narrator.note(f"not read: {entry.file}: {entry.reason}")
    if len(report.ignored) > _SHOWN:
        narrator.note(f"not read: {len(report.ignored) - _SHOWN} more, listed in run.json")
    for file in [file for file in report.files if file.rejects][:_SHOWN]:
        narrator.warn(
            f"{file.file}: {file.rejects} of {file.read} records rejected{': ' + file.note if file.note else ''}"
        )
    for file in [file for file in report.files if file.unread_dates][:_SHOWN]:
        narrator.warn(f"{file.file}: {file.unread_dates} dates not understood, left empty")
    if report.lexicon.unusable:
        narrator.warn(f"{report.lexicon.unusable} drug names without a letter or of one character match nothing")
    if report.lexicon.suspicious:
        narrator.warn(
            f"{report.lexicon.suspicious} drug names may be no drug's (a word, a target, a class):"
            " `drugmentions lexicon check` lists them, --profile strict drops them"
        )
    narrator.note(
        f"{counts['mentions']} mentions of {report.lexicon.drugs} drugs in {counts['publications']} publications"
        f" ({counts['files']} files, {counts['records']} records, {counts['merged']} merged,"
        f" {counts['rejects']} rejected)"
        f" -> {report.config.run.out}/graph.json"
    )


def _show_plan(inputs: list[str], config: "Config", output_format: "Format") -> None:
    """Show each source file, what it was taken for, and what would be ignored."""
    import polars as pl

    from drugmentions.cli.render import render
    from drugmentions.pipeline import plan_run

    planned = plan_run(inputs, config)
    files = [*planned.drug_lists, *(file for batch in planned.batches for file in batch.files), *planned.unreadable]
    rows = [
        {
            "file": f.file,
            "kind": f.kind,
            "source": f.source,
            "format": f.format,
            "bytes": f.fingerprint.size,
            "note": f.note,
        }
        for f in sorted(files, key=lambda file: file.file)
    ]
    rows += [{"file": entry.file, "kind": "ignored", "note": entry.reason} for entry in planned.ignored]
    schema = {
        "file": pl.String,
        "kind": pl.String,
        "source": pl.String,
        "format": pl.String,
        "bytes": pl.Int64,
        "note": pl.String,
    }
    render(pl.DataFrame(rows, schema=schema), {"batches": len(planned.batches), "files": rows}, output_format)
