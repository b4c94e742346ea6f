"""Where a run keeps what it makes: parts under OUT/.cache, and outputs that are replaced in one step."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from drugmentions.errors import OutputError
from drugmentions.model import Parts

GRAPH: Final = "graph.json"
MENTIONS: Final = "mentions.parquet"
REJECTS: Final = "rejects.parquet"
RUN: Final = "run.json"


class Output(msgspec.Struct, frozen=True):
    """Size (bytes) and digest of a published file, as run.json holds them."""

    bytes: int
    sha256: str


MANIFEST_SCHEMA: Final = pl.Schema(
    {
        "file": pl.String,
        "batch": pl.String,
        "publications": pl.String,
        "mentions": pl.String,
        "rejects": pl.String,
        **dict.fromkeys(("read", "kept", "deletions", "refused", "blanks", "unread_dates"), pl.Int64),
    }
)
"""One row per source file: its batch, the names of the parts that hold its records, and what became of these."""


class Workspace:
    """The cache of one output directory: `parts`, kept between runs, and `scratch`, empty before and after one."""

    def __init__(self, out: Path) -> None:
        self.parts = out / ".cache" / "parts"
        self.scratch = out / ".cache" / "scratch"
        self.manifest = out / ".cache" / "manifest.parquet"

    @contextmanager
    def opened(self) -> Iterator["Workspace"]:
        """Make the directories, and empty the scratch one before and after."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.parts.mkdir(parents=True, exist_ok=True)
        self.scratch.mkdir()
        try:
            yield self
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    @contextmanager
    def scratch_dir(self, name: str) -> Iterator[Path]:
        """A new directory below `scratch`, gone when it is left."""
        path = self.scratch / name
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def write_manifest(self, parts: Sequence[Parts]) -> None:
        """Name the parts that are in force, in one step, and collect those that aren't."""
        rows = [
            {
                "file": count.file,
                "batch": part.batch,
                "publications": Path(part.publications).name,
                "mentions": Path(part.mentions).name,
                "rejects": Path(part.rejects).name,
                "read": count.read,
                "kept": count.publications,
                "deletions": count.deletions,
                "refused": count.rejects,
                "blanks": count.blanks,
                "unread_dates": count.unread_dates,
            }
            for part in parts
            for count in part.counts
        ]
        with replacing(self.manifest) as temporary:
            pl.DataFrame(rows, schema=MANIFEST_SCHEMA).write_parquet(temporary)
        named = {row[kind] for row in rows for kind in ("publications", "mentions", "rejects")}
        for path in self.parts.iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)

    def part_paths(self, kind: str) -> list[Path]:
        """Paths of the parts in force, of `publications`, `mentions` or `rejects`. Raises OutputError without any."""
        try:
            names = pl.read_parquet(self.manifest, glob=False)[kind].unique(maintain_order=True)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise OutputError(
                f"{self.manifest}: can't be read ({error})", "run `drugmentions run` to make the output anew"
            ) from error
        return [self.parts / name for name in names]


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors on writing below `path` into an OutputError; Polars wraps some in errors of its own."""
    hint = "check that the directory exists, is writable and has free space, or name another with --out"
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or path}: {error.strerror or error}", hint) from error
    except pl.exceptions.PolarsError as error:
        if "(os error " not in str(error):
            raise
        raise OutputError(f"{path}: {str(error).rpartition('error: ')[2]}", hint) from error


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on leaving, it is renamed to `path` in one step.

    `durable`: flush it to disk first, and the directory after. Where the block raises, the temporary file goes and
    `path` stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
        if durable:
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file or a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def describe_output(path: Path) -> Output:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return Output(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
