"""`drugmentions config show`: the configuration in force."""

import typer

from drugmentions.cli.options import ConfigFile, Log, LogFormat, Quiet
from drugmentions.cli.settings import settings

app = typer.Typer(help="The configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The configuration."""


@app.command("show")
def show_command(config: ConfigFile = None, quiet: Quiet = False, log_format: Log = LogFormat.TEXT) -> None:
    """Print the configuration in force, from file, environment and defaults, as TOML; passwords are left out."""
    del quiet, log_format
    from drugmentions.cli.render import write_bytes
    from drugmentions.config import config_as_toml, without_passwords

    write_bytes(config_as_toml(without_passwords(settings(config))).encode())
