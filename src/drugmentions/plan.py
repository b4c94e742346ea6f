"""Step one, plan: inputs -> source files with fingerprints -> batches; reads no more than first bytes of new files."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from drugmentions.cache import kept_damaged
from drugmentions.config import Config
from drugmentions.durable import can_be_opened
from drugmentions.errors import NoDrugsError, NoInputError
from drugmentions.manifest import VERSION, Store
from drugmentions.model import Batch, Kind, Parts, SourceFile
from drugmentions.sources.database import plan_queries
from drugmentions.sources.detect import detect
from drugmentions.sources.locate import LocatedFile, locate

LARGE: Final = 4 << 20
"""Bytes from which a file is a batch of its own, read by the fast reader; smaller ones share batches."""
BATCH_BYTES: Final = 64 << 20
BATCH_FILES: Final = 10_000
MANY: Final = 16
"""Batches that are less than half full before they are put together."""
_TICK: Final = 20_000_000
_COARSE_TICK: Final = 2_000_000_000
"""Nanoseconds, at most, between two times that a file system tells apart; some count whole seconds."""


class Ignored(msgspec.Struct, frozen=True):
    """Something that was met and isn't read, and why."""

    file: str
    reason: str


class Carried(msgspec.Struct, frozen=True):
    """Files of earlier runs that needn't be read again: the batch that they are to be, and the parts that hold them."""

    batch: Batch
    parts: tuple[Parts, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the parts are those of the batch already."""
        return len(self.parts) == 1 and self.parts[0].batch == self.batch


class Plan(msgspec.Struct, frozen=True):
    """What a run is going to read.

    batches: to be extracted. carried: what earlier runs have left of files that are what they were, or, where kept, are
    gone. unreadable: source files that can't be read at all, each one reject. missing: names of the kept files that are
    gone.
    """

    drug_lists: tuple[SourceFile, ...]
    batches: tuple[Batch, ...]
    unreadable: tuple[SourceFile, ...]
    ignored: tuple[Ignored, ...]
    carried: tuple[Carried, ...] = ()
    missing: frozenset[str] = frozenset()

    @property
    def files(self) -> list[SourceFile]:
        """The files of publications that can be read, carried ones too."""
        return [file for of in (*self.batches, *(one.batch for one in self.carried)) for file in of.files]


def plan(inputs: Sequence[str], config: Config, out: Path, store: Store | None = None) -> Plan:
    """Find and recognise the source files below `inputs`, and group publications into batches.

    Drug lists named by the configuration replace those found in `inputs`. Raises NoInputError for an input that doesn't
    exist, OutputError where records of files that are gone are damaged. What is planned depends on the files and on the
    records kept alone, not on the order of `inputs`; what `store` holds of it is carried.
    """
    store = store or Store()
    found = locate(inputs, out)
    _settle(found.files)
    known = _known_files(store, config)
    files = [*(_recognise(at, known, config) for at in found.files), *plan_queries(config.source)]
    ignored = [Ignored(refused.file, refused.reason) for refused in found.refused]
    ignored += [Ignored(file.file, file.note) for file in files if file.kind == Kind.UNKNOWN]
    lists = [file for file in files if file.kind == Kind.DRUGS]
    if config.run.drugs:
        named, refused_lists = plan_drug_lists(config.run.drugs, config)
        paths = {file.path for file in named}
        ignored += [Ignored(file.file, "replaced by --drugs") for file in lists if file.path not in paths]
        ignored += refused_lists
        files, lists = [file for file in files if file.path not in paths], named
    out_of_reach = {file.file for file in files if file.note and not can_be_opened(file.path)}
    missing = _missing(store, {file.file for file in files} - out_of_reach, keep=config.run.keep_missing)
    ignored += [
        Ignored(file.file, f"{file.note}; what was read before is kept") for file in files if file.file in missing
    ]
    publications = [file for file in files if file.kind == Kind.PUBLICATIONS and file.file not in missing]
    readable = {file.file: file for file in publications if not file.note}
    carried = list(_carried(store, readable | missing))
    taken = {file.file for one in carried for file in one.batch.files}
    return Plan(
        drug_lists=tuple(file for file in lists if not file.note),
        batches=tuple(_batches(file for file in readable.values() if file.file not in taken)),
        unreadable=tuple(file for file in [*lists, *publications] if file.note),
        ignored=tuple(sorted(ignored, key=lambda entry: entry.file)),
        carried=tuple(carried),
        missing=frozenset(missing),
    )


def plan_run(inputs: Sequence[str], config: Config, store: Store | None = None) -> Plan:
    """Plan, and see that there is something to do. Raises NoInputError or NoDrugsError."""
    planned = plan(inputs, config, Path(config.run.out), store)
    if not planned.files and not any(file.kind == Kind.PUBLICATIONS for file in planned.unreadable):
        raise NoInputError(
            f"no publications or trials found in {', '.join(inputs) or 'nothing'}{_why_ignored(planned)}",
            "name a directory that holds CSV, JSON, NDJSON or Parquet files with a column `title`",
        )
    if not planned.drug_lists:
        raise NoDrugsError(
            f"no drug list found in {', '.join(inputs)}{_why_unreadable(planned, Kind.DRUGS)}",
            "add a CSV file with a column `drug` (drugs.csv), or name one with --drugs",
        )
    return planned


def _why_ignored(planned: Plan) -> str:
    return "".join(f"\n  {entry.file}: {entry.reason}" for entry in planned.ignored[:5])


def _why_unreadable(planned: Plan, kind: Kind) -> str:
    return "".join(f"\n  {file.file}: {file.note}" for file in planned.unreadable if file.kind == kind)


def plan_drug_lists(paths: Iterable[str], config: Config) -> tuple[list[SourceFile], list[Ignored]]:
    """Recognise files that are named as drug lists; a `note` says which can't be read. Also: what is no file at all."""
    found = locate(paths, Path())
    lists = [detect(at, config.source, kind=Kind.DRUGS) for at in found.files]
    return lists, [Ignored(refused.file, refused.reason) for refused in found.refused]


def recognised_by(config: Config) -> str:
    """What recognising files depends on beside the files: changed, every file is looked at again."""
    return sha256(msgspec.json.encode((VERSION, config.source, config.run.drugs))).hexdigest()


def _known_files(store: Store, config: Config) -> Mapping[str, SourceFile]:
    """Files as earlier runs recognised them, if these would be recognised alike today."""
    if store.recognised_by != recognised_by(config):
        return {}
    known = {file.file: file for parts in reversed(store.parts) for file in parts.batch.files}
    return known | {entry.file.file: entry.file for entry in store.lists}


def _recognise(located: LocatedFile, known: Mapping[str, SourceFile], config: Config) -> SourceFile:
    file = known.get(located.file)
    if file and file.fingerprint == located.fingerprint and file.path == located.path:
        return file
    return detect(located, config.source)


def _settle(files: Iterable[LocatedFile]) -> None:
    """Wait until no file can be changed any more without its time of change telling so; a few milliseconds, if at all.

    Clocks of file systems tick: what is changed twice within a tick has one fingerprint, whichever state was read.
    """
    newest = max((located.fingerprint.ctime for located in files), default=0)
    tick = _TICK if newest % 1_000_000_000 else _COARSE_TICK
    left = newest + tick - time.time_ns()
    if 0 < left <= tick:
        time.sleep(left / 1e9)


# What is carried.


def _missing(store: Store, present: set[str], *, keep: bool) -> dict[str, SourceFile]:
    """Files that are gone and still count, by name: those in OUT/kept, and any that a run published if `keep`.

    Raises OutputError where such a file's records don't check.
    """
    missing: dict[str, SourceFile] = {}
    for parts in store.parts:
        if parts.batch.name in store.kept or (keep and parts.batch.name in store.published):
            for file in parts.batch.files:
                if file.file not in present:
                    missing.setdefault(file.file, file)
    for parts in store.damaged:
        if not {file.file for file in parts.batch.files} <= present:
            raise kept_damaged(Path(parts.publications.path))
    return missing


def _carried(store: Store, wanted: Mapping[str, SourceFile]) -> Iterator[Carried]:
    """Assign the wanted files to the first parts that hold them just so; put parts together where many are small."""
    left = dict(wanted)
    small: list[tuple[Parts, list[SourceFile]]] = []
    for parts in store.parts:
        live = [file for file in parts.batch.files if left.get(file.file) == file]
        for file in live:
            del left[file.file]
        size = sum(max(file.fingerprint.size, 0) for file in live)
        if live and size < BATCH_BYTES // 2 and len(live) < BATCH_FILES // 2:
            small.append((parts, live))
        elif live:
            yield _carry([(parts, live)])
    if len(small) < MANY:
        yield from (_carry([one]) for one in small)
    else:
        yield from map(_carry, _put_together(small))


def _put_together(small: list[tuple[Parts, list[SourceFile]]]) -> Iterator[list[tuple[Parts, list[SourceFile]]]]:
    """Cut a list of small parts into groups, each within a batch's limits."""
    group: list[tuple[Parts, list[SourceFile]]] = []
    size = count = 0
    for parts, live in small:
        more = sum(max(file.fingerprint.size, 0) for file in live)
        if group and (size + more > BATCH_BYTES or count + len(live) > BATCH_FILES):
            yield group
            group, size, count = [], 0, 0
        group.append((parts, live))
        size, count = size + more, count + len(live)
    yield group


def _carry(group: list[tuple[Parts, list[SourceFile]]]) -> Carried:
    files = sorted((file for _, live in group for file in live), key=lambda file: file.file)
    if len(group) == 1 and len(files) == len(group[0][0].batch.files):
        return Carried(group[0][0].batch, (group[0][0],))
    return Carried(make_batch(files), tuple(parts for parts, _ in group))


# What is to be read.


def _batches(files: Iterable[SourceFile]) -> Iterable[Batch]:
    """Group files that are conformed alike: large ones and queries alone, small ones by name up to a batch's limits."""

    def alike(file: SourceFile) -> tuple[str, list[str]]:
        return file.source, file.dates

    for _, group in groupby(sorted(files, key=lambda file: (*alike(file), file.file)), key=alike):
        shared: list[SourceFile] = []
        size = 0
        for file in group:
            if file.fingerprint.size >= LARGE or file.query:
                yield make_batch([file])
                continue
            if shared and (len(shared) == BATCH_FILES or size + file.fingerprint.size > BATCH_BYTES):
                yield make_batch(shared)
                shared, size = [], 0
            shared.append(file)
            size += file.fingerprint.size
        if shared:
            yield make_batch(shared)


def make_batch(files: list[SourceFile]) -> Batch:
    """Name a batch by the hash of what makes it."""
    return Batch(sha256(msgspec.json.encode((VERSION, files))).hexdigest()[:32], tuple(files))
