"""A progress display on stderr, for terminals alone: files, rows a second, time left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from drugmentions.cli.narrate import narrator, printable
from drugmentions.upkeep import Progress as Observer


class _Narrating(Observer):
    """Says what a person should know, and nothing of what goes on."""

    def warning(self, message: str) -> None:
        narrator.warn(message)


class _Display(_Narrating):
    """Shows a run's progress: bytes of batches done, of files the number, and how fast publications are searched."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("plan", total=None, files="", speed="")
        self._files = self._done = self._rows = 0

    def planned(self, files: int, size: int) -> None:
        self._files = files
        self._progress.update(self._task, total=max(size, 1), files=f"0/{files} files")

    def rows(self, count: int) -> None:
        self._rows += count
        elapsed = self._progress.tasks[0].elapsed or 0
        self._progress.update(self._task, speed=f"{self._rows / max(elapsed, 0.001):,.0f} rows/s")

    def batch_done(self, files: int, size: int) -> None:
        self._done += files
        self._progress.update(self._task, advance=size, files=f"{self._done}/{self._files} files")

    def step(self, name: str) -> None:
        self._progress.update(self._task, description=printable(name)[-40:])


@contextmanager
def progress_display() -> Iterator[Observer]:
    """A run's observer: a live display where stderr is a terminal, else a silent one."""
    if narrator.quiet or narrator.as_json or not sys.stderr.isatty():
        yield _Narrating()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[files]}"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Display(progress)
