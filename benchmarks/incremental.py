"""Time what a second run costs beside the first: nothing new, a new file, changed terms, a hundred thousand files.

usage: incremental.py [--titles 2000000] [--terms 10000] [--files 100000] [--work DIR] [--json FILE]

Each run is a process of its own over one directory and one output directory. `ratio`: the time of a run that does all
of the same work anew (`--full`), by this one's, greater is faster.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus import write_corpus
from measuring import Timing, machine, measure

SHOWN = ["plan", "lexicon", "extract", "assemble"]


class Nights:
    """One directory of sources that changes, and the runs over it, timed."""

    def __init__(self, directory: Path) -> None:
        self.inputs = directory / "in"
        self.out = directory / "out"
        self.rows: list[dict[str, Any]] = []

    def run(self, *options: str) -> Timing:
        """Run with some options more."""
        command = [sys.executable, "-m", "drugmentions", "run", str(self.inputs), "-o", str(self.out), "-q", *options]
        return measure(command)

    def night(self, name: str, *, full: bool = False) -> None:
        """Run, then anew if `full`, and note how the two compare."""
        timing = self.run()
        seconds = json.loads((self.out / "run.json").read_bytes())["seconds"]
        anew = self.run("--full").seconds if full else None
        row = {
            "run": name,
            "seconds": round(timing.seconds, 2),
            "ratio": round(anew / timing.seconds, 1) if anew else None,
            "peak_mib": round(timing.peak),
            **{step: seconds.get(step) for step in SHOWN if step in seconds},
        }
        self.rows.append(row)
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)


def large(work: Path, titles: int, terms: int) -> list[dict[str, Any]]:
    """Nights over two large files."""
    drugs, corpus = write_corpus(work / "corpus", titles, terms)
    _, more = write_corpus(work / "more", max(titles // 100, 1), terms, seed=2)
    nights = Nights(work / "large")
    nights.inputs.mkdir(parents=True)
    shutil.copy(drugs, nights.inputs / "drugs.csv")
    shutil.copy(corpus, nights.inputs / "pubmed.csv")
    nights.night("first")
    nights.night("nothing new", full=True)
    shutil.copy(more, nights.inputs / "pubmed_more.csv")
    nights.night("1% more titles", full=True)
    append(nights.inputs / "drugs.csv", "".join(f"X,{word}\n" for word in ("pneumonias", "zq newname", "xyzzyol")))
    nights.night("three terms more", full=True)
    append(nights.inputs / "drugs.csv", "X,patients\n")
    nights.night("a term of many titles more", full=True)
    return nights.rows


def append(file: Path, text: str) -> None:
    with file.open("a") as stream:
        stream.write(text)


def small(work: Path, files: int) -> list[dict[str, Any]]:
    """Nights over many files of two titles each."""
    nights = Nights(work / "small")
    nights.inputs.mkdir(parents=True)
    (nights.inputs / "drugs.csv").write_text("drug\nETHANOL\nATROPINE\n")
    for number in range(files):
        directory = nights.inputs / f"{number // 1000:04}"
        directory.mkdir(exist_ok=True)
        write_small(directory / f"pubmed_{number}.csv", number)
    nights.night(f"{files} small files")
    nights.night(f"{files} small files, nothing new", full=True)
    write_small(nights.inputs / "0000/pubmed_0.csv", files + 1)
    nights.night(f"{files} small files, one changed", full=True)
    return nights.rows


def write_small(path: Path, number: int) -> None:
    rows = f"{2 * number},Title {number} on ethanol,2020,J{number % 100}\n{2 * number + 1},Nothing {number},2020,J\n"
    path.write_text("id,title,date,journal\n" + rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--terms", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="drugmentions-bench-"))
    tasks: list[Callable[[], list[dict[str, Any]]]] = [
        lambda: large(work, arguments.titles, arguments.terms),
        lambda: small(work, arguments.files),
    ]
    rows = [row for task in tasks for row in task()]
    shutil.rmtree(work)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
