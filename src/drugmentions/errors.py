"""Every error that drugmentions raises on purpose, and the exit code of each.

    DrugmentionsError                 1   failed
    ├── ConfigError                   2   usage or configuration
    ├── InputError                    3   what was asked of the input can't be had
    │   ├── NoInputError                  no input, or none that can be read
    │   ├── NoDrugsError                  no drug list, or none with a usable name
    │   ├── UnknownDrugError              a drug that the graph doesn't know
    │   ├── TooManyRejectsError           more rejects than --strict or --max-rejects allow
    │   ├── ShrunkError                   files that held many of the known records are gone
    │   └── UnstableInputError            a drug list changes while it is read
    ├── OutputError                   4   output or cache can't be written or read
    ├── MissingExtraError             5   an optional dependency is missing
    ├── LockedError                   75  another run holds the lock
    └── AccountingError               1   records read and records kept don't add up: a bug, nothing is published

Each carries a one-line `hint`: what to do about it.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The process's exit codes; their meaning is part of the command line's contract."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INPUT = 3
    OUTPUT = 4
    MISSING_EXTRA = 5
    LOCKED = 75
    NOTHING_NEW = 99
    INTERRUPTED = 130
    TERMINATED = 143


class DrugmentionsError(Exception):
    """Base of all; `hint` says what to do."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(DrugmentionsError):
    """A wrong option, configuration key or value."""

    exit_code = ExitCode.USAGE


class InputError(DrugmentionsError):
    """What was asked of the input can't be had."""

    exit_code = ExitCode.INPUT


class NoInputError(InputError):
    """No input file, or none that can be read."""


class NoDrugsError(InputError):
    """No drug list, or none with a usable name."""


class UnknownDrugError(InputError):
    """A drug, or a journal, that the graph doesn't know."""


class TooManyRejectsError(InputError):
    """More rejected records than `--strict` or `--max-rejects` allow."""


class ShrunkError(InputError):
    """Source files that held more than a tenth of the known records are gone."""


class UnstableInputError(InputError):
    """A drug list changes while it is read."""


class OutputError(DrugmentionsError):
    """An output or cache file can't be written, or can't be read back."""

    exit_code = ExitCode.OUTPUT


class MissingExtraError(DrugmentionsError):
    """An optional dependency is missing."""

    exit_code = ExitCode.MISSING_EXTRA


class LockedError(DrugmentionsError):
    """Another run holds the lock of the output directory."""

    exit_code = ExitCode.LOCKED


class AccountingError(DrugmentionsError):
    """Records read and records kept don't add up: a bug of ours, so nothing is published."""
