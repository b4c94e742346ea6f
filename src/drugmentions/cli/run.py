"""`drugmentions run`: read inputs, find mentions, write the graph."""

from typing import TYPE_CHECKING, Annotated

import typer

from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import ConfigFile, Format, Log, LogFormat, Profile, Quiet
from drugmentions.cli.settings import settings

if TYPE_CHECKING:
    from drugmentions.config import Config
    from drugmentions.report import RunReport

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
    full: Annotated[bool, typer.Option("--full", help="Read everything anew, as if there were no cache.")] = False,
    keep_missing: Annotated[
        bool | None, typer.Option("--keep-missing", help="Keep the records of source files that are gone.")
    ] = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Go on where files with over a tenth of the records are gone.")
    ] = False,
    wait: Annotated[
        str | None, typer.Option("--wait", metavar="TIME", help="Wait for another run to end: 30s, 10m, 2h.")
    ] = None,
    if_locked: Annotated[
        str | None, typer.Option("--if-locked", help="fail (exit 75), or skip (exit 0), while another run goes on.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", min=1, help="Use so many cores.", show_default="all it may use"),
    ] = None,
    tmp: Annotated[
        str | None, typer.Option("--tmp", metavar="DIR", help="Put scratch data here.", show_default="OUT/.cache")
    ] = None,
    exit_code_no_new: Annotated[
        int, typer.Option("--exit-code-no-new", metavar="CODE", min=0, max=255, help="Exit so if nothing is new.")
    ] = 0,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """Link every drug to the publications, trials and journals that mention it, in OUT/graph.json.

    OUT holds graph.json, mentions.parquet, rejects.parquet and run.json. Nothing is written to stdout but by --dry-run.
    """
    del quiet, log_format
    chosen = settings(
        config,
        out=out,
        drugs=drugs or None,
        strict=strict,
        max_rejects=max_rejects,
        profile=profile,
        keep_missing=keep_missing,
        wait=wait,
        if_locked=if_locked,
        threads=threads,
        tmp=tmp,
    )
    if dry_run:
        _show_plan(inputs, chosen, output_format, full=full)
        return
    from drugmentions.cli.progress import progress_display
    from drugmentions.errors import LockedError
    from drugmentions.pipeline import run

    try:
        with progress_display() as progress:
            report = run(inputs, chosen, progress, full=full, allow_shrink=allow_shrink)
    except LockedError as error:
        if chosen.run.if_locked != "skip":
            raise
        narrator.note(f"skipped: {error}")
        return
    _narrate(report)
    if report.changes.nothing_new:
        raise typer.Exit(exit_code_no_new)


def _narrate(report: "RunReport") -> None:
    """Say what was found, and what a person may want to look into."""
    counts = report.counts
    for entry in report.ignored[:_SHOWN]:
        narrator.note(f"not read: {entry.file}: {entry.reason}")
    if len(report.ignored) > _SHOWN:
        narrator.note(f"not read: {len(report.ignored) - _SHOWN} more, listed in run.json")
    for file in [file for file in report.files if file.rejects][:_SHOWN]:
        why = file.note or ("" if file.publications else f"`drugmentions rejects {report.config.run.out}` says why")
        narrator.warn(f"{file.file}: {file.rejects} of {file.read} records rejected{why and ': ' + why}")
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
    changes = report.changes
    if changes.nothing_new:
        narrator.note(f"nothing new since the run of {changes.since}")
    elif changes.since and changes.added is not None:
        narrator.note(f"{changes.added} mentions added, {changes.removed} removed since the run of {changes.since}")


def _show_plan(inputs: list[str], config: "Config", output_format: "Format", *, full: bool) -> None:
    """Show each source file, what it was taken for, whether it would be read, and what would be ignored."""
    from pathlib import Path

    import msgspec
    import polars as pl

    from drugmentions.cache import Workspace
    from drugmentions.changes import count_states, file_states
    from drugmentions.cli.render import render
    from drugmentions.plan import plan_run
    from drugmentions.report import read_report

    out = Path(config.run.out)
    planned = plan_run(inputs, config, Workspace(out).load(full=full))
    states = dict(file_states(planned, read_report(out)))
    files = {file.file: file for file in (*planned.drug_lists, *planned.files, *planned.unreadable)}
    schema = {
        "file": pl.String,
        "state": pl.String,
        "kind": pl.String,
        "source": pl.String,
        "format": pl.String,
        "bytes": pl.Int64,
        "note": pl.String,
    }
    rows: list[dict[str, object]] = [
        {
            "file": name,
            "state": states.get(name, ""),
            "kind": file.kind,
            "source": file.source,
            "format": file.format,
            "bytes": file.fingerprint.size,
            "note": file.note,
        }
        for name, file in sorted(files.items())
    ]
    rows += [{"file": name, "state": state} for name, state in states.items() if state == "gone"]
    rows += [{"file": entry.file, "kind": "ignored", "note": entry.reason} for entry in planned.ignored]
    counts = count_states(states.values())
    to_read = [file for batch in planned.batches for file in batch.files]
    document = {
        "batches": len(planned.batches),
        "bytes": sum(file.fingerprint.size for file in to_read),
        "states": msgspec.to_builtins(counts),
        "files": rows,
    }
    narrator.note(
        f"{len(to_read)} files to read ({counts.new} new, {counts.changed} changed), {document['bytes']} bytes"
        f" in {len(planned.batches)} batches; {counts.known} known, {counts.gone} gone, {counts.kept} kept"
    )
    render(pl.DataFrame(rows, schema=schema), document, output_format)
