"""The configuration that a command works with: flags, environment and file, in that order."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from drugmentions.config import Config, Run, load_config
from drugmentions.errors import ConfigError

_M_MMAP_THRESHOLD: Final = -3
"""A parameter of glibc's `mallopt`: from so many bytes on, a piece of memory is taken for itself, and given back."""
_M_TRIM_THRESHOLD: Final = -1
"""Another: up to so many bytes are kept, by each of its arenas, where they are free at the end of others."""
_LARGE: Final = 4 << 20


def settings(path: Path | None, **flags: object) -> Config:
    """Load the configuration, and put its threads into force; a flag of None wasn't given. Raises ConfigError.

    To be called before Polars is imported, which counts its threads then.
    """
    chosen = load_config(path, os.environ, flags)
    _put_into_force(chosen.run)
    if any(source.dates for source in chosen.source):
        load_config(path, os.environ, flags, check_date=_check_date)  # takes Polars
    return chosen


def _put_into_force(run: Run) -> None:
    """Tell Polars, here and in worker processes, how many threads to use, and where to put what memory can't hold.

    Its allocator keeps freed memory for half a second, in as many arenas as there are cores: a run faults in fewer
    pages than with more of them, and takes less memory at its peak; so it does where no more is read ahead of Parquet
    than each core is given. Python's and numpy's, glibc, would let large pieces lie between others, until nobody else
    fits in; told which are large, it would give others back as soon as they are free, to ask for them again.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy, which the compiled engine takes, would start them all
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{run.threads or cores},dirty_decay_ms:500,muzzy_decay_ms:0")
    os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", str(run.threads or cores))
    with suppress(AttributeError, TypeError):  # another library than glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
    if run.threads:
        os.environ["POLARS_MAX_THREADS"] = str(run.threads)
    if run.tmp:
        os.environ["POLARS_TEMP_DIR"] = run.tmp


def _check_date(date_format: str) -> None:
    from drugmentions.sources.dates import check_date_format

    try:
        check_date_format(date_format)
    except ValueError as error:
        raise ConfigError(str(error), "such as %d/%m/%Y or %B %Y") from error
