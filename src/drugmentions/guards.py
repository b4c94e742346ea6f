"""What keeps an unattended run from harm: one at a time, enough space, and no inputs that vanished unnoticed."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from filelock import FileLock, Timeout

from drugmentions.cache import LOCK
from drugmentions.durable import can_be_opened, output_errors
from drugmentions.errors import LockedError, OutputError, ShrunkError
from drugmentions.manifest import Store
from drugmentions.model import Compression, Format, Kind
from drugmentions.plan import Plan
from drugmentions.report import FileReport, RunReport

SHRINK: Final = 0.1
"""The share of known records that may vanish with their files."""
_STILL_THERE: Final = ("not recognised", "replaced by")
"""How reasons begin for which a file that is there isn't read."""
_UNPACKED: Final = 3
"""Bytes that a byte of a compressed file holds, at least, as a rule."""
_LEFT: Final = 0.25
"""Bytes that parts take for each byte read, at least, as a rule: two thirds to one and a third were measured."""


@contextmanager
def locked(out: Path, wait: float) -> Iterator[None]:
    """Hold OUT/.lock, waiting at most so many seconds for it; the kernel frees it when its holder dies.

    Makes `out` if it isn't there, and takes it away again where the block raises before anything else is in it. Raises
    LockedError, OutputError.
    """
    with output_errors(out):
        made = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK, timeout=wait)
        try:
            lock.acquire(poll_interval=0.2)
        except Timeout:
            waited = f" after waiting {wait:g} s" if wait else ""
            hint = "wait for it with --wait 10m, or let this run pass with --if-locked skip"
            raise LockedError(f"another run holds {out / LOCK}{waited}", hint) from None
    try:
        yield
    except BaseException:
        if made and {entry.name for entry in out.iterdir()} == {LOCK}:
            with suppress(OSError):
                (out / LOCK).unlink()
                out.rmdir()
        raise
    finally:
        lock.release()


def check_shrink(previous: RunReport | None, planned: Plan, store: Store) -> None:
    """Raise ShrunkError where files that vanished hold more than `SHRINK` of the records that were known.

    A file that is there under another name, or is there but isn't an input any more, hasn't vanished; one behind a link
    that is refused has.
    """
    known = _known_records(previous, store)
    present = {file.file for file in planned.files}
    moved = {(file.fingerprint.size, file.fingerprint.mtime) for file in planned.files}
    refused = {entry.file for entry in planned.ignored if not entry.reason.startswith(_STILL_THERE)}
    vanished = [
        file
        for file in known
        if file.read
        and file.file not in present
        and (file.bytes, file.modified) not in moved
        and (_is_refused(file.file, refused) or not can_be_opened(file.file))
    ]
    lost, total = (sum(file.read for file in files) for files in (vanished, known))
    if lost > total * SHRINK:
        at_hand = {file.file for parts in store.parts for file in parts.batch.files}
        keep = "; --keep-missing keeps their records" if {file.file for file in vanished} <= at_hand else ""
        raise ShrunkError(
            f"{len(vanished)} known files are gone or can't be read, {vanished[0].file} among them: "
            f"{lost} of {total} records ({lost / total:.0%})",
            f"see that every folder is mounted; --allow-shrink goes on without them{keep}",
        )


class _Known(NamedTuple):
    file: str
    read: int
    bytes: int
    modified: int


def _known_records(previous: RunReport | None, store: Store) -> list[_Known]:
    """The files of publications of the last run, as its report says; where that is lost, as the manifest does."""
    if previous:
        files = [file for file in previous.files if file.kind == Kind.PUBLICATIONS]
        return [_Known(file.file, file.read, file.bytes, file.modified) for file in files]
    return [
        _Known(file.file, count.read, file.fingerprint.size, file.fingerprint.mtime)
        for parts in store.parts
        if parts.batch.name in store.published
        for file, count in zip(parts.batch.files, parts.counts, strict=True)
    ]


def _is_refused(file: str, refused: set[str]) -> bool:
    """Whether the walk refused a file, or a directory above it."""
    places = [file, *(str(parent) for parent in PurePosixPath(file).parents)]
    return any(place in refused for place in places)


def check_queries(previous: RunReport | None, files: Sequence[FileReport]) -> None:
    """Raise ShrunkError where queries that failed gave more than `SHRINK` of the records that were known."""
    if previous is None:
        return
    failed = {file.file for file in files if file.format == Format.QUERY and file.rejects and not file.publications}
    known = [file for file in previous.files if file.kind == Kind.PUBLICATIONS]
    lost = sum(file.publications for file in known if file.file in failed)
    total = sum(file.publications for file in known)
    if lost > total * SHRINK:
        raise ShrunkError(
            f"failed: {', '.join(sorted(failed))}; {lost} of {total} known records came from there",
            "see that the database can be reached, and that the query is right; --allow-shrink goes on without it",
        )


def check_space(out: Path, planned: Plan, previous: RunReport | None) -> None:
    """Raise OutputError where the disk of `out` can't hold what is surely going to be written. Sizes in bytes."""
    new = sum(
        file.fingerprint.size * (1 if file.compression == Compression.NONE else _UNPACKED)
        for batch in planned.batches
        for file in batch.files
    )
    beside = sum(output.bytes for output in previous.outputs.values()) if previous else 0
    needed = int(new * _LEFT) + beside
    free = shutil.disk_usage(out).free
    if new and needed > free:
        raise OutputError(
            f"{out}: {needed >> 20} MiB needed at least, {free >> 20} MiB free",
            "free some space, or name another directory with --out",
        )
