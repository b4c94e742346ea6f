"""Step one, plan: inputs -> source files with fingerprints -> batches; reads no more than first bytes."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from drugmentions.config import Config
from drugmentions.model import Batch, Kind, SourceFile
from drugmentions.sources.database import plan_queries
from drugmentions.sources.detect import detect
from drugmentions.sources.locate import locate

LARGE: Final = 4 << 20
"""Bytes from which a file is a batch of its own, read by the fast reader; smaller ones share batches."""
BATCH_BYTES: Final = 64 << 20
BATCH_FILES: Final = 10_000


class Ignored(msgspec.Struct, frozen=True):
    """Something that was met and isn't read, and why."""

    file: str
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """What a run is going to read. `unreadable`: source files that can't be read at all, each one reject."""

    drug_lists: tuple[SourceFile, ...]
    batches: tuple[Batch, ...]
    unreadable: tuple[SourceFile, ...]
    ignored: tuple[Ignored, ...]


def plan(inputs: Sequence[str], config: Config, out: Path) -> Plan:
    """Find and recognise the source files below `inputs`, and group publications into batches.

    Drug lists named by the configuration replace those found in `inputs`. Raises NoInputError for an input that doesn't
    exist. The result depends on the files alone, not on the order of `inputs`.
    """
    found = locate(inputs, out)
    files = [detect(at, config.source) for at in found.files]
    files += plan_queries(config.source)
    ignored = [Ignored(refused.file, refused.reason) for refused in found.refused]
    ignored += [Ignored(file.file, file.note) for file in files if file.kind == Kind.UNKNOWN]
    lists = [file for file in files if file.kind == Kind.DRUGS]
    if config.run.drugs:
        named, refused_lists = plan_drug_lists(config.run.drugs, config)
        paths = {file.path for file in named}
        ignored += [Ignored(file.file, "replaced by --drugs") for file in lists if file.path not in paths]
        ignored += refused_lists
        files, lists = [file for file in files if file.path not in paths], named
    publications = [file for file in files if file.kind == Kind.PUBLICATIONS]
    return Plan(
        drug_lists=tuple(file for file in lists if not file.note),
        batches=tuple(_batches(file for file in publications if not file.note)),
        unreadable=tuple(file for file in [*lists, *publications] if file.note),
        ignored=tuple(sorted(ignored, key=lambda entry: entry.file)),
    )


def plan_drug_lists(paths: Iterable[str], config: Config) -> tuple[list[SourceFile], list[Ignored]]:
    """Recognise files that are named as drug lists; a `note` says which can't be read. Also: what is no file at all."""
    found = locate(paths, Path())
    lists = [detect(at, config.source, kind=Kind.DRUGS) for at in found.files]
    return lists, [Ignored(refused.file, refused.reason) for refused in found.refused]


def _batches(files: Iterable[SourceFile]) -> Iterable[Batch]:
    """Group files that are conformed alike: large ones alone, small ones in order of name up to a batch's limits."""

    def alike(file: SourceFile) -> tuple[str, list[str]]:
        return file.source, file.dates

    for _, group in groupby(sorted(files, key=lambda file: (*alike(file), file.file)), key=alike):
        shared: list[SourceFile] = []
        size = 0
        for file in group:
            if file.fingerprint.size >= LARGE:
                yield _batch([file])
                continue
            if shared and (len(shared) == BATCH_FILES or size + file.fingerprint.size > BATCH_BYTES):
                yield _batch(shared)
                shared, size = [], 0
            shared.append(file)
            size += file.fingerprint.size
        if shared:
            yield _batch(shared)


def _batch(files: list[SourceFile]) -> Batch:
    """Name a batch by the hash of what makes it."""
    return Batch(sha256(repr(files).encode("utf-8", "surrogatepass")).hexdigest()[:32], tuple(files))
