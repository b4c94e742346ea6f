"""What a run leaves for the next one: parts under OUT/.cache, the manifest that names them, and records kept for good.

Nothing here is trusted unseen. A file whose fingerprint is the recorded one is taken as it is; any other is compared
with its recorded digest before anything parses it, and what doesn't check counts as not there.
"""

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
from filelock import FileLock, Timeout

from drugmentions.durable import (
    checksum,
    current_fingerprint,
    digest,
    remove_left_over,
    replacing,
    sync,
)
from drugmentions.errors import OutputError
from drugmentions.failpoints import failpoint
from drugmentions.manifest import VERSION, ListFile, State, Store, Stored, manifest_rows, with_files, without_files
from drugmentions.model import Part, Parts

GRAPH: Final = "graph.json"
MENTIONS: Final = "mentions.parquet"
REJECTS: Final = "rejects.parquet"
OUTPUTS: Final = (GRAPH, MENTIONS, REJECTS)
"""The published files that run.json vouches for."""
RUN: Final = "run.json"
LOCK: Final = ".lock"
KEPT: Final = "kept"

_ENTRY: Final = ".entry.json"
_STATE: Final = "drugmentions"


class Output(msgspec.Struct, frozen=True):
    """Size (bytes) and digest of a published file, as run.json holds them."""

    bytes: int
    sha256: str


class _Reported(msgspec.Struct):
    """What is needed of a run.json."""

    made_of: str = ""


class Workspace:
    """The cache of one output directory: `parts`, kept between runs, and `scratch`, a run's own.

    `tmp`: a directory that is there, to hold `scratch`, each output directory's apart; None: the cache holds it.
    """

    def __init__(self, out: Path, tmp: Path | None = None) -> None:
        self.out = out
        self.tmp = tmp
        self.cache = out / ".cache"
        self.parts = self.cache / "parts"
        self.kept = out / KEPT
        self.manifest = self.cache / "manifest.parquet"
        self._sums = self.cache / "manifest.sha256"
        self.scratch = self.cache / "scratch" if tmp is None else tmp / _name_for(out)
        self._opened = 0
        self._written: set[Path] = set()

    @contextmanager
    def opened(self) -> Iterator["Workspace"]:
        """Make the directories, and a scratch one that is gone at the end; remove what killed runs left behind.

        Raises OutputError where `tmp` can't be used.
        """
        self.parts.mkdir(parents=True, exist_ok=True)
        scratch = self.scratch
        if self.tmp is None:
            scratch.mkdir(exist_ok=True)
        else:
            _make_our_own(scratch)
        for path in scratch.iterdir():
            with suppress(Timeout, OSError), FileLock(path / LOCK, timeout=0):  # its run is gone
                shutil.rmtree(path, ignore_errors=True)
        for directory in (self.out, self.cache, self.parts, self.kept):
            remove_left_over(directory)
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=scratch))
        self._opened = self.scratch.stat().st_ctime_ns
        try:
            with FileLock(self.scratch / LOCK):
                yield self
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = scratch
            if self.tmp:
                with suppress(OSError):
                    scratch.rmdir()

    @contextmanager
    def scratch_dir(self, name: str) -> Iterator[Path]:
        """A new directory below `scratch`, gone when it is left."""
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    # What is there.

    def load(self, *, full: bool = False) -> Store:
        """What earlier runs left that can be used; nothing but kept records where `full`.

        Raises OutputError where kept records are damaged in a way that may lose some.
        """
        state, lists = (None if full else self._read_manifest()) or (None, ())
        published = state.parts if state else ()
        kept = sorted(self._read_entries(self.kept, strict=True), key=_newest)
        recent = [] if full else sorted(self._read_entries(self.parts), key=_newest)
        # what the manifest says of a kept batch is newer than its entry, which says nothing of later matching
        known = {entry.parts.batch.name: entry for entry in (*kept, *published, *recent)}
        in_kept = {entry.parts.batch.name: entry for entry in kept}
        usable, damaged = [], []
        for name in dict.fromkeys(entry.parts.batch.name for entry in (*recent, *kept, *published)):
            current = known[name].version == VERSION
            checked = self._checked(known[name].parts) if current or name in in_kept else None
            if checked is None and name in in_kept:  # the cache's copy of what is kept may be all that is damaged
                checked = self._checked(in_kept[name].parts)
            if checked is not None:
                usable.append(checked if current else _as_outdated(checked))
            elif name in in_kept:
                damaged.append(self._absolute(known[name].parts))
        return Store(
            parts=tuple(usable),
            published=frozenset(entry.parts.batch.name for entry in published),
            kept=frozenset(in_kept),
            damaged=tuple(damaged),
            lists=lists,
            recognised_by=state.recognised_by if state else "",
            lexicon_of=state.lexicon_of if state else "",
            lexicon=state.lexicon if state else "",
            terms=self._check(state.terms) if state and state.terms else None,
            made_of=state.made_of if state else "",
            outputs=state.outputs if state else {},
            drugs=self._check(state.drugs) if state and state.drugs else None,
        )

    def _checked(self, parts: Parts) -> Parts | None:
        """Parts with those files that check; None where publications or rejects don't."""
        publications, rejects = self._check(parts.publications), self._check(parts.rejects)
        if publications is None or rejects is None:
            return None
        mentions = self._check(parts.mentions) if parts.mentions else None
        return msgspec.structs.replace(parts, publications=publications, rejects=rejects, mentions=mentions)

    def _absolute(self, parts: Parts) -> Parts:
        path = str(self.out / parts.publications.path)
        return msgspec.structs.replace(parts, publications=msgspec.structs.replace(parts.publications, path=path))

    def _check(self, part: Part) -> Part | None:
        """The part with its path made whole, and its present fingerprint; None where it isn't what it was."""
        path = self.out / part.path
        present = current_fingerprint(path)
        if present == part.fingerprint:
            return msgspec.structs.replace(part, path=str(path))
        if present is None or present.size != part.fingerprint.size or checksum(path) != part.checksum:
            return None
        return Part(str(path), part.checksum, present)

    def _read_manifest(self) -> tuple[State, tuple[ListFile, ...]] | None:
        """The manifest, None where there is none that checks. Its digest is compared before Polars parses it."""
        try:
            if digest(self.manifest) not in self._accepted_sums():
                return None
            metadata = pl.read_parquet_metadata(self.manifest)
            state = msgspec.json.decode(metadata[_STATE], type=State)
            rows = pl.read_parquet(self.manifest, glob=False)
        except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
            return None
        if state.version != VERSION:
            return None
        return with_files(state, rows)

    def _accepted_sums(self) -> list[str]:
        try:
            return self._sums.read_text().split()
        except (OSError, ValueError):
            return []

    def _read_entries(self, directory: Path, *, strict: bool = False) -> Iterator[Stored]:
        """Entries of batches that runs left; `strict`: raise OutputError for one that doesn't check."""
        for path in sorted(directory.glob(f"*{_ENTRY}")):
            try:
                sha256, _, body = path.read_bytes().partition(b"\n")
                if sha256.decode("latin-1") == hashlib.sha256(body).hexdigest():
                    yield msgspec.json.decode(body, type=Stored)
                    continue
            except (OSError, msgspec.DecodeError):
                pass
            if strict:
                raise kept_damaged(path)

    # What is left for the next run.

    def write_table(self, name: str, rows: pl.DataFrame) -> Part:
        """Leave a table for the next run, named by what it holds."""
        table = BytesIO()
        rows.write_parquet(table, compression="lz4")
        path = self.parts / f"{hashlib.sha256(table.getbuffer()).hexdigest()[:32]}.{name}.parquet"
        with replacing(path, durable=False) as temporary:
            temporary.write_bytes(table.getbuffer())
        return seal(path)

    def write_entry(self, parts: Parts, directory: Path | None = None) -> None:
        """Leave word of a batch that is done, for the run after one that was killed."""
        body = msgspec.json.encode(self._as_stored(parts))
        entry = (directory or self.parts) / f"{parts.batch.name}{_ENTRY}"
        self._written |= {entry, *_paths(parts)}
        with replacing(entry) as temporary:
            temporary.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        failpoint("batch-done")

    def keep(self, parts: Parts) -> Parts:
        """Copy a batch's publications and rejects to OUT/kept, for good, if they aren't there yet."""
        if self.is_kept(parts):
            return parts
        self.kept.mkdir(exist_ok=True)
        copies = {name: self._copied(getattr(parts, name)) for name in ("publications", "rejects")}
        kept = msgspec.structs.replace(parts, **copies)
        self.write_entry(kept, self.kept)
        return kept

    def is_kept(self, parts: Parts) -> bool:
        """Whether a batch's publications and rejects lie in OUT/kept."""
        return Path(parts.publications.path).parent == self.kept

    def _copied(self, part: Part) -> Part:
        target = self.kept / Path(part.path).name
        with replacing(target) as temporary:
            shutil.copyfile(part.path, temporary)
        return seal(target)

    def _as_stored(self, parts: Parts) -> Stored:
        files = {name: self._relative(getattr(parts, name)) for name in ("publications", "rejects", "mentions")}
        return Stored(VERSION, time.time_ns(), msgspec.structs.replace(parts, **files))

    def _relative(self, part: Part | None) -> Part | None:
        return msgspec.structs.replace(part, path=os.path.relpath(part.path, self.out)) if part else None

    def write_manifest(self, store: Store) -> None:
        """Name what is in force, in one step."""
        state = State(
            version=VERSION,
            parts=tuple(self._as_stored(without_files(parts)) for parts in store.parts),
            recognised_by=store.recognised_by,
            lexicon_of=store.lexicon_of,
            lexicon=store.lexicon,
            terms=self._relative(store.terms),
            made_of=store.made_of,
            outputs=store.outputs,
            drugs=self._relative(store.drugs),
        )
        with replacing(self.manifest) as temporary:
            rows = manifest_rows(store)
            rows.write_parquet(temporary, metadata={_STATE: msgspec.json.encode(state).decode()})
            with replacing(self._sums) as sums:  # one of the two fits at any moment
                sums.write_text("\n".join([*self._accepted_sums()[-1:], digest(temporary)]))
        failpoint("manifest-replaced")

    def collect(self, store: Store) -> None:
        """Remove what the manifest doesn't name: parts of earlier runs, and entries, which it has taken in.

        What came since this run began, and isn't its own, stays: it is of a run that slipped past the lock.
        """
        named = {path for parts in store.parts for path in _paths(parts)}
        named |= {Path(part.path) for part in (store.terms, store.drugs) if part}
        named |= {self.kept / f"{parts.batch.name}{_ENTRY}" for parts in store.parts if self.is_kept(parts)}
        directories = [self.parts, self.kept] if self.kept.is_dir() else [self.parts]
        for path in (path for directory in directories for path in directory.iterdir()):
            with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                if path not in named and (path in self._written or path.lstat().st_ctime_ns < self._opened):
                    path.unlink()
        failpoint("collected")

    def _reported(self) -> str:
        """What the published outputs were made of, as run.json says."""
        try:
            return msgspec.json.decode((self.out / RUN).read_bytes(), type=_Reported).made_of
        except (OSError, msgspec.DecodeError, RecursionError):
            return ""

    def part_paths(self, kind: str) -> list[str]:
        """Paths of the parts in force, of `publications`, `mentions` or `rejects`. Raises OutputError without any."""
        state = self._read_manifest()
        if state is None:
            hint = "run `drugmentions run` to make the output anew"
            raise OutputError(f"{self.manifest}: no such file, or damaged", hint)
        if state[0].made_of != self._reported():
            hint = "run `drugmentions run` again, and it is mended"
            raise OutputError(f"{self.manifest}: not of the run that {RUN} tells of, which was killed", hint)
        checked = [(getattr(stored.parts, kind), self._check(getattr(stored.parts, kind))) for stored in state[0].parts]
        for part, present in checked:
            if present is None:
                raise OutputError(f"{self.out / part.path}: missing or damaged", "`drugmentions run` makes it anew")
        return [present.path for _, present in checked if present]


def _name_for(out: Path) -> str:
    """What an output directory's scratch is called among those of others: only whoever holds its lock is there."""
    return f"drugmentions-{hashlib.sha256(os.fsencode(out.resolve())).hexdigest()[:16]}"


def _make_our_own(directory: Path) -> None:
    """Make a directory in one that others may share. Raises OutputError where that can't be, or isn't ours."""
    hint = "--tmp names a directory that exists, is writable and has free space"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise OutputError(f"{directory.parent}: {error.strerror}", hint) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise OutputError(f"{directory}: belongs to somebody else", hint)


def seal(path: Path, known: str = "") -> Part:
    """Flush a part that was written, and say what it is. `known`: its checksum, if it was made already."""
    sync(path)
    present = current_fingerprint(path)
    if present is None:
        raise OutputError(f"{path}: gone as soon as it was written", "keep other programs out of OUT/.cache")
    return Part(str(path), known or checksum(path), present)


def kept_damaged(path: Path) -> OutputError:
    """What to say of kept records that don't check."""
    return OutputError(
        f"{path}: damaged, and it may hold records of source files that are gone",
        "restore it from a backup, or remove OUT/kept to go on without what it holds",
    )


def _newest(entry: Stored) -> int:
    return -entry.written


def _as_outdated(parts: Parts) -> Parts:
    """Parts whose files no source file equals: of use for files that are gone alone."""
    files = tuple(file.unstable() for file in parts.batch.files)
    return msgspec.structs.replace(parts, batch=msgspec.structs.replace(parts.batch, files=files))


def describe_output(path: Path) -> Output:
    """Size and SHA-256 of a file."""
    return Output(path.stat().st_size, digest(path))


def _paths(parts: Parts) -> set[Path]:
    return {Path(part.path) for part in (parts.publications, parts.rejects, parts.mentions) if part}
