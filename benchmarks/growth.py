"""How does what a run costs grow with the titles, the names, the files, and the share of titles that mention drugs?

usage: growth.py [--sizes 100000 300000 1000000 3000000] [--terms 7 100 1000 10000 100000]
                 [--files 1 10 100 1000 10000 100000] [--shares 0 0.01 0.1 0.5 1] [--titles 1000000]
                 [--engine default] [--repeat 1] [--work DIR] [--json FILE] [--plot FILE.svg]

titles   one CSV of so many titles, 10,000 names
names    the same TITLES, lexicons of so many names; all titles' drugs are among the first seven, so that every lexicon
         finds the same mentions
files    the same titles, a tenth of TITLES, in so many CSV files, 10,000 names
share    TITLES of which so many mention drugs, 10,000 names

ratio: the time of the axis's first point by this one's; where titles grow, by title. 1: the cost doesn't grow (with the
titles: it grows in proportion), below 1: it does. cpu_ratio: likewise of processor time; memory_ratio: of peaks, never
by title. --plot draws the rows.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from corpus import Titles, write_drugs
from measuring import Results, Row, Runs, Timing, best_of, figures, options, work_directory
from plot import draw

USUAL, FEW = 10_000, 7
Point = tuple[str, float, Path, Path]
"""Axis, place on it, drug list, titles (a file or a directory)."""


def by_titles(work: Path, sizes: list[int]) -> Iterator[Point]:
    drugs, titles = write_drugs(work / "drugs.csv", USUAL), Titles(work / "pubmed.csv")
    for size in sorted(sizes):
        yield "titles", size, drugs, titles.grow(titles=size)


def by_names(work: Path, terms: list[int], count: int) -> Iterator[Point]:
    titles = Titles(work / "pubmed.csv", drawn=FEW).grow(titles=count)
    for size in terms:
        yield "names", size, write_drugs(work / f"drugs-{size}.csv", size), titles


def by_files(work: Path, files: list[int], count: int) -> Iterator[Point]:
    drugs = write_drugs(work / "drugs.csv", USUAL)
    titles = Titles(work / "pubmed.csv").grow(titles=count)
    for number in files:
        yield "files", number, drugs, split(titles, number, count)


def by_share(work: Path, shares: list[float], count: int) -> Iterator[Point]:
    drugs = write_drugs(work / "drugs.csv", USUAL)
    for share in shares:
        yield "share", share, drugs, Titles(work / "pubmed.csv", share=share).grow(titles=count)


def split(titles: Path, files: int, count: int) -> Path:
    """The titles in so many CSV files, a thousand a directory; returns the directory above."""
    directory = titles.with_name("files")
    shutil.rmtree(directory, ignore_errors=True)
    with titles.open(encoding="utf-8") as file:
        header = next(file)
        for number in range(files):
            path = directory / f"{number // 1000:03}" / f"pubmed_{number:06}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = count * (number + 1) // files - count * number // files
            path.write_text(header + "".join(islice(file, lines)), encoding="utf-8")
    return directory


class Growth:
    """Rows of points, each compared with the first of its axis and engine."""

    def __init__(self, runs: Runs, engines: list[str], repeat: int) -> None:
        self.runs, self.engines, self.repeat = runs, engines, repeat
        self.results = Results(str(__doc__).partition("\n")[0], ["axis", "at", "engine"])
        self.first: dict[tuple[str, str], tuple[float, float, float]] = {}

    def add(self, axis: str, at: float, drugs: Path, titles: Path) -> None:
        """Measure one point; engines take turns."""
        ways = {engine: partial(self.runs.run, engine, drugs, titles) for engine in self.engines}
        for engine, timing in best_of(self.repeat, ways).items():
            self.results.add(self.row(axis, at, engine, timing))

    def row(self, axis: str, at: float, engine: str, timing: Timing) -> Row:
        """What is shown of a point."""
        counts: dict[str, Any] = timing.report["counts"]
        units = at if axis == "titles" else 1
        costs = (timing.seconds / units, timing.cpu / units, timing.peak)
        ratios = [first / cost for first, cost in zip(self.first.setdefault((axis, engine), costs), costs, strict=True)]
        return {
            "axis": axis,
            "at": at,
            "engine": engine,
            "titles": counts["records"],
            "mentions": counts["mentions"],
            **figures(timing),
            "us_title": round(timing.seconds / counts["records"] * 1e6, 2),
            **{f"{kind}ratio": round(ratio, 2) for kind, ratio in zip(("", "cpu_", "memory_"), ratios, strict=True)},
        }


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 300_000, 1_000_000, 3_000_000])
    parser.add_argument("--terms", type=int, nargs="*", default=[FEW, 100, 1_000, 10_000, 100_000])
    parser.add_argument("--files", type=int, nargs="*", default=[1, 10, 100, 1_000, 10_000, 100_000])
    parser.add_argument("--shares", type=float, nargs="*", default=[0, 0.01, 0.1, 0.5, 1])
    parser.add_argument("--titles", type=int, default=1_000_000)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    with work_directory(arguments.work) as work:
        runs = Runs(work)
        runs.warm_up(arguments.engine)
        growth = Growth(runs, arguments.engine, arguments.repeat)
        for points in (
            by_titles(work, arguments.sizes),
            by_names(work, arguments.terms, arguments.titles),
            by_files(work, arguments.files, arguments.titles // 10),
            by_share(work, arguments.shares, arguments.titles),
        ):
            for point in points:
                growth.add(*point)
        growth.results.write(arguments.json)
    if arguments.plot:
        draw(growth.results.rows, arguments.plot)


if __name__ == "__main__":
    main()
