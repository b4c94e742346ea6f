"""The command line: each command parses, calls and renders. What is slow to import is imported inside."""

from typing import Annotated

import typer

from drugmentions.cli import adhoc, config, export, lexicon, match, rejects, run, sources, status

app = typer.Typer(
    name="drugmentions",
    help="Find which publications, trials and journals mention our drugs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 no inputs, no drugs, unknown drug or too many "
    "rejects, 4 output, 5 an extra is missing, 75 another run holds the lock, 130/143 interrupted.",
)
app.command("run")(run.run_command)
app.add_typer(adhoc.app, name="adhoc")
app.command("match")(match.match_command)
app.add_typer(lexicon.app, name="lexicon")
app.command("export")(export.export_command)
app.command("rejects")(rejects.rejects_command)
app.command("status")(status.status_command)
app.add_typer(sources.app, name="sources")
app.add_typer(config.app, name="config")


def _show_version(value: bool) -> None:
    if value:
        from drugmentions import __version__

        typer.echo(f"drugmentions {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find which publications, trials and journals mention our drugs."""
