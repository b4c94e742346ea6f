"""How fast a JSON array is read, by one core and by all: megabytes a second, from file to spooled rows.

usage: read_json.py [--titles 2000000] [--repeat 3]

Writes the titles of corpus.py as an array, a record a line. Ways take turns; of each the fastest counts. `cores` are
what a way kept busy: processor time, that of worker processes too, by time on the clock.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from corpus import Titles, convert

from drugmentions.model import SourceFile
from drugmentions.sources import pieces, workers
from drugmentions.sources.columns import PUBLICATION_FIELDS
from drugmentions.sources.detect import detect
from drugmentions.sources.locate import locate
from drugmentions.sources.reading import read_slow

WORKER = "drugmentions.sources.json_worker"
WAYS = {"one core": 1 << 60, "all cores": pieces.LARGE}


class Took(NamedTuple):
    """Seconds on the clock, and of processor time."""

    clock: float
    processor: float


def took(files: list[SourceFile], large: int) -> Took:
    """What reading takes, if files from `large` bytes on are parted; workers are started anew."""
    pieces.LARGE = large  # type: ignore[misc]  # the switch that there is
    with tempfile.TemporaryDirectory() as scratch:
        begin, before = time.perf_counter(), os.times()
        read_slow(files, PUBLICATION_FIELDS, Path(scratch))
        clock = time.perf_counter() - begin
    if large != WAYS["one core"] and (shared := workers.shared_workers(WORKER)):
        shared.close()  # so that their time is counted
        workers.shared_workers.cache_clear()
    return Took(clock, sum(os.times()[:4]) - sum(before[:4]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        array = convert(Titles(Path(directory) / "pubmed.csv").grow(titles=arguments.titles), "json")
        size = array.stat().st_size
        planned = [detect(found) for found in locate([str(array)], Path("/nowhere")).files]
        timings = [{way: took(planned, large) for way, large in WAYS.items()} for _ in range(arguments.repeat)]
    for way in WAYS:
        best = min(timing[way] for timing in timings)
        rate, cores = size / best.clock / 1e6, best.processor / best.clock
        print(f"{way:10} {rate:6.1f} MB/s  ({size / 1e6:.0f} MB in {best.clock:.2f} s, {cores:.1f} cores)")
