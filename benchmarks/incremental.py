"""What does a second run cost beside the first: nothing new, a new file, changed terms, a hundred thousand files?

usage: incremental.py [--titles 2000000] [--terms 10000] [--files 100000] [--engine default] [--work DIR] [--json FILE]

Each run is a process of its own over one directory and one output directory. ratio: the time of a run that does all of
the same work anew (`--full`), by this one's: that many times as fast it is; cpu_ratio: likewise of processor time.
"""

import json
import shutil
from pathlib import Path

from corpus import PLAIN, Titles, title_words, write_drugs
from measuring import Results, Runs, Timing, figures, measure, options, work_directory

STEPS = ("plan", "extract", "assemble")


class Nights:
    """One directory of sources that changes, and the runs over it, timed."""

    def __init__(self, runs: Runs, engine: str, directory: Path, results: Results) -> None:
        self.runs, self.engine, self.results = runs, engine, results
        self.inputs = directory / "in"
        self.out = directory / "out"
        self.inputs.mkdir(parents=True)

    def run(self, *flags: str) -> Timing:
        """Run with some flags more."""
        return measure([*self.runs.command(self.engine), self.inputs, "-o", self.out, "-q", *flags])

    def night(self, name: str, *, full: bool = False) -> None:
        """Run, then anew if `full`, and note how the two compare."""
        timing = self.run()
        seconds = json.loads((self.out / "run.json").read_bytes())["seconds"]
        anew = self.run("--full") if full else None
        ratios = {
            "ratio": round(anew.seconds / timing.seconds, 2) if anew else None,
            "cpu_ratio": round(anew.cpu / timing.cpu, 2) if anew else None,
        }
        steps = {step: round(seconds[step], 2) for step in STEPS}
        self.results.add({"run": name, "engine": self.engine, **figures(timing), **ratios, **steps})


def large(nights: Nights, work: Path, titles: int, terms: int) -> None:
    """Nights over two large files."""
    drugs = write_drugs(nights.inputs / "drugs.csv", terms)
    Titles(nights.inputs / "pubmed.csv").grow(titles=titles)
    nights.night(f"{titles} titles, {terms} names")
    nights.night("nothing new", full=True)
    more = Titles(work / "pubmed_more.csv", first=titles).grow(titles=titles + max(titles // 100, 1))
    shutil.move(more, nights.inputs)
    nights.night("1% more titles", full=True)
    append(drugs, "".join(f"X,{word}\n" for word in ("pneumonias", "zq newname", "xyzzyol")))
    nights.night("three names more", full=True)
    append(drugs, f"X,{title_words(seed=1)[len(PLAIN)]}\n")
    nights.night("a name of many titles more", full=True)


def append(file: Path, text: str) -> None:
    with file.open("a") as stream:
        stream.write(text)


def small(nights: Nights, files: int) -> None:
    """Nights over many files of two titles each."""
    (nights.inputs / "drugs.csv").write_text("drug\nETHANOL\nATROPINE\n")
    for number in range(files):
        directory = nights.inputs / f"{number // 1000:04}"
        directory.mkdir(exist_ok=True)
        write_small(directory / f"pubmed_{number}.csv", number)
    nights.night(f"{files} small files")
    nights.night(f"{files} small files, nothing new", full=True)
    write_small(nights.inputs / "0000/pubmed_0.csv", files + 1)
    nights.night(f"{files} small files, one changed", full=True)


def write_small(path: Path, number: int) -> None:
    rows = f"{2 * number},Title {number} on ethanol,2020,J{number % 100}\n{2 * number + 1},Nothing {number},2020,J\n"
    path.write_text("id,title,date,journal\n" + rows)


def main() -> None:
    parser = options(__doc__, repeat=None)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--terms", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=100_000)
    arguments = parser.parse_args()
    results = Results(str(__doc__).partition("\n")[0], ["run", "engine"])
    with work_directory(arguments.work) as work:
        runs = Runs(work)
        runs.warm_up(arguments.engine)
        for engine in arguments.engine:
            large(Nights(runs, engine, work / f"large-{engine}", results), work, arguments.titles, arguments.terms)
            shutil.rmtree(work / f"large-{engine}")
            small(Nights(runs, engine, work / f"small-{engine}", results), arguments.files)
            shutil.rmtree(work / f"small-{engine}")
    results.write(arguments.json)


if __name__ == "__main__":
    main()
