"""How many titles and megabytes a second does a whole run take, and how much memory, by size, format and lexicon?

usage: throughput.py [--gigabytes 1 3 10] [--formats csv csv.gz json ndjson parquet]
                     [--terms 7 1000 10000 100000 300000] [--titles 2000000] [--engine default] [--repeat 1]
                     [--work DIR] [--json FILE]

size     one CSV of so many gigabytes, 10,000 names, 0.16 mentions a title: ten million in ten gigabytes
format   the same TITLES in each format, 10,000 names, half a mention a title
lexicon  the same TITLES as CSV, lexicons of so many names. All titles' drugs are among the first seven names, so that
         every lexicon finds the same mentions (the largest a few more, that look like the spelling of another name)

times: as fast as the first engine, where there are several.

From a file to graph, tables and report on disk, parts for the next run included. Peak: resident memory of
all processes together. Needs three times the largest size on disk.
"""

from functools import partial
from pathlib import Path

from corpus import FORMATS, Titles, convert, write_drugs
from measuring import Results, Runs, best_of, figures, options, work_directory

SMALLEST, USUAL = 7, 10_000
DENSITY = 0.13  # of titles mention drugs, where the size grows


class Throughput:
    """Cases, one after the other; engines take turns in each."""

    def __init__(self, runs: Runs, engines: list[str], repeat: int) -> None:
        self.runs, self.engines, self.repeat = runs, engines, repeat
        self.results = Results(str(__doc__).partition("\n")[0], ["case", "at", "engine"])

    def add(self, case: str, at: str, drugs: Path, titles: Path) -> None:
        """Measure one file; titles a second are those that the run says it read."""
        ways = {engine: partial(self.runs.run, engine, drugs, titles) for engine in self.engines}
        size, first = titles.stat().st_size / 1e6, None
        for engine, timing in best_of(self.repeat, ways).items():
            counts = timing.report["counts"]
            first = first or timing.seconds
            self.results.add(
                {
                    "case": case,
                    "at": at,
                    "engine": engine,
                    "titles": counts["records"],
                    "mb": round(size),
                    "mentions": counts["mentions"],
                    **figures(timing),
                    "titles_s": round(counts["records"] / timing.seconds),
                    "mb_s": round(size / timing.seconds, 1),
                    **({"times": round(first / timing.seconds, 2)} if len(self.engines) > 1 else {}),
                }
            )


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="*", default=[1, 3, 10])
    parser.add_argument("--formats", nargs="*", default=FORMATS, choices=FORMATS)
    parser.add_argument("--terms", type=int, nargs="*", default=[SMALLEST, 1_000, USUAL, 100_000, 300_000])
    parser.add_argument("--titles", type=int, default=2_000_000)
    arguments = parser.parse_args()
    with work_directory(arguments.work) as work:
        runs = Runs(work)
        runs.warm_up(arguments.engine)
        throughput = Throughput(runs, arguments.engine, arguments.repeat)
        drugs = write_drugs(work / "drugs.csv", USUAL)
        titles = Titles(work / "pubmed.csv")
        titles.grow(titles=arguments.titles if arguments.formats else 0)
        for kind in arguments.formats:
            path = convert(titles.path, kind)
            throughput.add("format", kind, drugs, path)
            if path != titles.path:
                path.unlink()
        few = Titles(work / "pubmed.csv", drawn=SMALLEST)
        few.grow(titles=arguments.titles if arguments.terms else 0)
        for terms in arguments.terms:
            throughput.add("lexicon", f"{terms} names", write_drugs(work / "names.csv", terms), few.path)
        large = Titles(work / "pubmed.csv", share=DENSITY)
        for gigabytes in sorted(arguments.gigabytes):
            throughput.add("size", f"{gigabytes:g} GB", drugs, large.grow(megabytes=1000 * gigabytes))
        throughput.results.write(arguments.json)


if __name__ == "__main__":
    main()
