"""`drugmentions lexicon check`: what is wrong with a drug list, before it is used."""

from typing import Annotated

import typer

from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import ConfigFile, Format, Log, LogFormat, Profile, Quiet
from drugmentions.cli.settings import settings
from drugmentions.errors import InputError

app = typer.Typer(help="Drug lists.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Drug lists."""


@app.command("check")
def check_command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Drug lists: files, globs or directories.")],
    profile: Profile = None,
    config: ConfigFile = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if anything is found.")] = False,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """Names that are dropped, changed, ambiguous, duplicated or suspicious, and records rejected, with remedies."""
    del quiet, log_format
    from drugmentions.api import check_drug_lists
    from drugmentions.cli.render import render

    checked = check_drug_lists(*files, matching=settings(config, profile=profile).matching)
    findings = checked.findings
    counts = dict(findings["finding"].value_counts(name="names").sort("finding").rows())
    told = ", ".join(f"{count} {finding}" for finding, count in counts.items())
    narrator.note(f"{findings.height} findings in {checked.names} names of {checked.drugs} drugs{told and ': ' + told}")
    document = {
        "drugs": checked.drugs,
        "names": checked.names,
        "rules": checked.rules,
        "counts": counts,
        "findings": findings.to_dicts(),
    }
    render(findings, document, output_format)
    if strict and findings.height:
        raise InputError(f"{findings.height} findings", "mend the list, or leave out --strict")
