"""The configuration that a command works with: flags, environment and file, in that order."""

import os
from pathlib import Path

from drugmentions.config import Config, load_config
from drugmentions.errors import ConfigError


def settings(path: Path | None, **flags: object) -> Config:
    """Load the configuration; a flag of None wasn't given. Raises ConfigError."""
    return load_config(path, os.environ, flags, check_date=_check_date)


def _check_date(date_format: str) -> None:
    from drugmentions.sources.dates import check_date_format

    try:
        check_date_format(date_format)
    except ValueError as error:
        raise ConfigError(str(error), "such as %d/%m/%Y or %B %Y") from error
