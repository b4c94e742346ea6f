"""How fast PubMed XML is read, by one core and by all: megabytes of XML a second, from file to spooled rows.

usage: read_pubmed.py FILE... [--repeat 3]

FILE: pubmed24n0001.xml.gz or the like (pubmed_corpus.py writes some). Ways take turns; of each the fastest counts.
"""

import argparse
import gzip
import tempfile
import time
from pathlib import Path

from drugmentions.model import SourceFile
from drugmentions.sources import pieces
from drugmentions.sources.columns import PUBLICATION_FIELDS
from drugmentions.sources.detect import detect
from drugmentions.sources.locate import locate
from drugmentions.sources.reading import read_slow

WAYS = {"one core": 1 << 60, "all cores": pieces.LARGE}


def seconds(files: list[SourceFile], large: int) -> float:
    """What reading takes, if files from `large` bytes on are parted."""
    pieces.LARGE = large  # type: ignore[misc]  # the switch that there is
    with tempfile.TemporaryDirectory() as scratch:
        begin = time.perf_counter()
        read_slow(files, PUBLICATION_FIELDS, Path(scratch))
        return time.perf_counter() - begin


def unpacked(path: str) -> int:
    """Bytes of XML in a file."""
    if not path.endswith(".gz"):
        return Path(path).stat().st_size
    with gzip.open(path) as file:
        return sum(map(len, iter(lambda: file.read(1 << 20), b"")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    planned = [detect(found) for found in locate(arguments.files, Path("/nowhere")).files]
    size = sum(unpacked(file.path) for file in planned)
    timings = [{way: seconds(planned, large) for way, large in WAYS.items()} for _ in range(arguments.repeat)]
    for way in WAYS:
        best = min(timing[way] for timing in timings)
        print(f"{way:10} {size / best / 1e6:6.1f} MB/s  ({size / 1e6:.0f} MB in {best:.2f} s)")
