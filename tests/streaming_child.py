"""A run in a process of its own that tells the peak of its memory in each step.

usage: streaming_child.py BROKEN INPUT OUT ENGINE

BROKEN: a step that is made to hold all rows, or `nothing`. Memory is the process's own, without mapped files, in bytes.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from drugmentions import assemble, cache, extract, run, sorted_runs
from drugmentions.graph import writing

STEPS = {"part-written": "match", "batch-done": "assemble"}
"""The step that begins where a run passes a failpoint."""


class Peaks(threading.Thread):
    """Looks at the process's memory every other millisecond."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.step = "extract"
        self.peaks: Counter[str] = Counter()

    def run(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            size = int(status.partition("RssAnon:")[2].split()[0]) << 10
            self.peaks[self.step] = max(self.peaks[self.step], size)
            time.sleep(0.002)

    def pass_by(self, name: str) -> None:
        self.step = STEPS.get(name, self.step)


def collecting(stage: Any) -> Any:
    """The same stage, which holds all that it gives."""

    def collected(*arguments: Any, **options: Any) -> Any:
        given = stage(*arguments, **options)
        return given.collect().lazy() if isinstance(given, pl.LazyFrame) else list(given)

    return collected


def main(broken: str, inputs: str, out: str, engine: str) -> None:
    for module, name, step in (
        (extract, "conform", "extract"),
        (extract, "search", "match"),
        (assemble, "merged_mentions", "assemble"),
    ):
        if step == broken:
            setattr(module, name, collecting(getattr(module, name)))
    # So that little is in flight.
    extract.ROW_GROUP, writing.BUCKET, writing._ROW_GROUP = 1_000, 4_000, 1_000  # type: ignore[misc]
    sorted_runs.RUN, sorted_runs.GROUP = 4_000, 200  # type: ignore[misc]
    if engine == "compiled":
        from drugmentions.sources import line_scan  # of an extra

        line_scan._BLOCK = 1 << 20  # type: ignore[misc]
    peaks = Peaks()
    extract.failpoint = cache.failpoint = peaks.pass_by  # type: ignore[attr-defined]
    peaks.start()
    run(inputs, out=out, engine=engine)
    sys.stdout.write(json.dumps(peaks.peaks))


if __name__ == "__main__":
    main(*sys.argv[1:])
