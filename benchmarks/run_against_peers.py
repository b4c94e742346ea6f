"""How fast is a whole run beside other ways to find the same names in the same titles, in one session?

usage: run_against_peers.py [--titles 2000000] [--share 0.4] [--terms 1000 10000 100000] [--ways loop join ...]
                            [--engine default] [--repeat 1] [--work DIR] [--json FILE]

share: of titles that mention drugs; a quarter of them mention two.

peers.py says what each way does and what it leaves out. The run of the first engine, then those of the others, then
each way, once, as processes of their own; then all again. The fastest time of each counts; what took longer than 20
seconds isn't repeated. Ways that would take very long are given the first titles only, so times are by title. Their
start is in it: a second of pandas', five of spaCy's, eight of Spark's.

ratio: the way's time a title by the first engine's: that many times as long as the run it takes; cpu_ratio: likewise of
processor time. What isn't installed is left out, and named.
"""

import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from corpus import SHARE, Titles, head, write_drugs
from measuring import HERE, Results, Runs, Timing, best_of, figures, measure, options, work_directory
from peers import NEEDS, WAYS

PAIRS = {"pandas": 20_000_000, "ripgrep": 2_000_000_000}  # titles times names, at most
MOST = {"spacy": 200_000}  # titles, at most
NAMES = {"ripgrep": 10_000}  # at most: of more it can't make one expression
PROGRAMS = {"ripgrep": "rg", "spark": "java"}
PATIENCE = 20


def missing(way: str) -> str | None:
    """What a way needs and isn't there."""
    if way in NEEDS and find_spec(NEEDS[way]) is None:
        return f"the package {NEEDS[way]}"
    if way in PROGRAMS and shutil.which(PROGRAMS[way]) is None:
        return f"the program {PROGRAMS[way]}"
    return None


def measure_way(way: str, drugs: Path, titles: Path) -> Timing:
    return measure([sys.executable, HERE / "peers.py", way, drugs, titles])


def capped(way: str, titles: int, terms: int) -> int:
    """How many titles a way is given."""
    return min(titles, MOST.get(way, titles), PAIRS.get(way, titles * terms) // terms)


class SideBySide:
    """Runs and ways over the same titles, with one lexicon after the other."""

    def __init__(self, runs: Runs, engines: list[str], ways: list[str], repeat: int) -> None:
        self.runs, self.engines, self.ways, self.repeat = runs, engines, ways, repeat
        self.results = Results(
            str(__doc__).partition("\n")[0],
            ["names", "way", "titles"],
            sorted({NEEDS[way] for way in ways if way in NEEDS}),
        )

    def add(self, terms: int, titles: Titles) -> None:
        """Measure with a lexicon of so many names."""
        drugs = write_drugs(self.runs.work / "drugs.csv", terms)
        ways = [way for way in self.ways if terms <= NAMES.get(way, terms)]
        counts = {way: capped(way, titles.count, terms) for way in ways}
        files = {count: titles.path if count == titles.count else head(titles.path, count) for count in counts.values()}
        measured: dict[tuple[str, int], Callable[[], Timing]] = {
            (f"run {engine}" if engine != "default" else "run", titles.count): partial(
                self.runs.run, engine, drugs, titles.path
            )
            for engine in self.engines
        }
        for way, count in counts.items():
            measured[way, count] = partial(measure_way, way, drugs, files[count])
        first: tuple[float, float] | None = None
        for (way, count), timing in best_of(self.repeat, measured, PATIENCE).items():
            each, cpu = timing.seconds / count, timing.cpu / count
            first = first or (each, cpu)
            self.results.add(
                {
                    "names": terms,
                    "way": way,
                    "titles": count,
                    "found": timing.report["counts"]["mentions"] if timing.report else int(timing.said),
                    **figures(timing),
                    "us_title": round(each * 1e6, 2),
                    "ratio": round(each / first[0], 3),
                    "cpu_ratio": round(cpu / first[1], 3),
                }
            )


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--share", type=float, default=SHARE)
    parser.add_argument("--terms", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    arguments = parser.parse_args()
    for way in arguments.ways:
        if lacking := missing(way):
            sys.stderr.write(f"{way} is left out: {lacking} is missing\n")
    ways = [way for way in arguments.ways if not missing(way)]
    with work_directory(arguments.work) as work:
        runs = Runs(work)
        runs.warm_up(arguments.engine)
        titles = Titles(work / "pubmed.csv", share=arguments.share)
        titles.grow(titles=arguments.titles)
        side_by_side = SideBySide(runs, arguments.engine, ways, arguments.repeat)
        for terms in arguments.terms:
            side_by_side.add(terms, titles)
        side_by_side.results.write(arguments.json)


if __name__ == "__main__":
    main()
