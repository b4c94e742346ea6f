"""How far is a run from the limit that reading the same bytes sets, and where does its time go?

usage: limit.py [--titles 2000000] [--terms 10000] [--engine default] [--repeat 3] [--work DIR] [--json FILE]

limit    Polars alone reads every column of the same rows, from CSV and from Parquet, and adds up their lengths
run      a whole run, as a process of its own: its steps by run.json; start: what isn't in those
extract, assemble
         the library's own functions, each timed by itself from its input on, in one process. A stage is what one takes
         longer than the one that it builds on; as they stream on all cores, the stages' times add up nearly, not fully:

         read     the CSV's fields as text, its records counted, its quoting checked
         clean    normalised text, dates, kinds
         parts    writing them as Parquet, counting by file
         cut      reading the parts' titles; their normal form, cut into tokens; none is a name's
         join     tokens joined to a lexicon of the names of one word
         verify   likewise to all names: those of several words are verified
         spans    writing the mentions' part
         rest     digests, flushing, lexicon: what the step takes longer than all of these
         merge    which records are one publication
         write    assemble's rest: journals, sorting, encoding, writing graph and table

share: of the run's time. mb_s: the CSV's megabytes a second.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import polars as pl
from corpus import Titles, convert, write_drugs
from measuring import Results, Runs, options, work_directory

import drugmentions as dm
from drugmentions.extract import write_publications
from drugmentions.matching.engine import Engine
from drugmentions.merging import merge
from drugmentions.model import SourceFile
from drugmentions.sources.columns import PUBLICATION_FIELDS
from drugmentions.sources.conform import conform
from drugmentions.sources.detect import detect
from drugmentions.sources.locate import locate
from drugmentions.sources.reading import Reading, open_fast

MATCHED = ("source", "id", "title", "journal", "journal_kind", "date", "retracted")


def consume(frame: pl.LazyFrame) -> None:
    """Make a plan's every text, and keep nothing."""
    texts = [name for name, dtype in frame.collect_schema().items() if dtype == pl.String]
    frame.select(pl.col(texts).str.len_bytes().sum()).collect(engine="streaming")


class Stages:
    """The library's functions over one corpus, each as one call. parts: what a run's extracting left of the titles."""

    def __init__(self, work: Path, file: SourceFile, parts: pl.LazyFrame, engine: str) -> None:
        self.work, self.file, self.parts = work, file, parts
        self.engine = cast("Engine", "auto" if engine == "default" else engine)
        names = pl.read_csv(work / "drugs.csv", infer_schema=False)
        lists = {
            "cut": pl.DataFrame({"drug": ["nosuchname"]}),
            "join": names.filter(~pl.col("drug").str.contains("[ -]")),
            "verify": names,
        }
        self.lexicons = {stage: self._lexicon(stage, rows) for stage, rows in lists.items()}

    def _lexicon(self, stage: str, names: pl.DataFrame) -> dm.Lexicon:
        path = self.work / f"drugs-{stage}.csv"
        names.write_csv(path)
        return dm.read_lexicon(path)

    def calls(self) -> Mapping[str, Callable[[], object]]:
        """What is timed, in the order in which one builds on the other."""
        return {
            "scan_csv": lambda: consume(pl.scan_csv(self.file.path, infer_schema=False)),
            "scan_parquet": lambda: consume(pl.scan_parquet(self.work / "pubmed.parquet")),
            "read": lambda: consume(self._reading().records),
            "clean": lambda: consume(self._cleaned()),
            "parts": self._write_parts,
            "cut": lambda: consume(self._mentions("cut")),
            "join": lambda: consume(self._mentions("join")),
            "verify": lambda: consume(self._mentions("verify")),
            "spans": lambda: self._mentions("verify").sink_parquet(self.work / "mentions.parquet", compression="lz4"),
            "merge": lambda: merge(self.parts),
        }

    def _reading(self) -> Reading:
        reading = open_fast(self.file, PUBLICATION_FIELDS, compiled=lambda: self.engine == "compiled")
        if reading is None:
            raise SystemExit(f"{self.file.path}: not read by a scan")
        return reading

    def _cleaned(self) -> pl.LazyFrame:
        reading = self._reading()
        return conform(reading.records, (self.file,), reading.clean)

    def _write_parts(self) -> None:
        with tempfile.TemporaryDirectory(dir=self.work) as scratch:
            write_publications(
                (self.file,),
                self.work / "publications.parquet",
                self.work / "rejects.parquet",
                Path(scratch),
                compiled=lambda: self.engine == "compiled",
            )

    def _mentions(self, stage: str) -> pl.LazyFrame:
        return dm.find_mentions(self.parts.select(MATCHED), self.lexicons[stage], engine=self.engine)


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def stages(took: Mapping[str, float], steps: Mapping[str, float], run: float) -> dict[tuple[str, str], float]:
    """Seconds of each stage. `took`: of each call; `steps`: of the run's steps; `run`: of the run."""
    extract = {
        "read": took["read"],
        "clean": took["clean"] - took["read"],
        "parts": took["parts"] - took["clean"],
        "cut": took["cut"],
        "join": took["join"] - took["cut"],
        "verify": took["verify"] - took["join"],
        "spans": took["spans"] - took["verify"],
    }
    found = {("limit", name): took[name] for name in ("scan_csv", "scan_parquet")}
    found |= {("run", "all"): run, ("run", "start"): run - sum(steps.values())}
    found |= {("run", step): steps[step] for step in ("plan", "extract", "assemble")}
    found |= {("extract", stage): value for stage, value in extract.items()}
    found["extract", "rest"] = steps["extract"] - sum(extract.values())
    return found | {("assemble", "merge"): took["merge"], ("assemble", "write"): steps["assemble"] - took["merge"]}


def main() -> None:
    parser = options(__doc__, repeat=3)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--terms", type=int, default=10_000)
    arguments = parser.parse_args()
    results = Results(str(__doc__).partition("\n")[0], ["engine", "step", "stage"])
    with work_directory(arguments.work) as work:
        runs = Runs(work)
        runs.warm_up(arguments.engine)
        drugs = write_drugs(work / "drugs.csv", arguments.terms)
        path = Titles(work / "pubmed.csv").grow(titles=arguments.titles)
        convert(path, "parquet")
        (found,) = locate([str(path)], Path("/nowhere")).files
        for engine in arguments.engine:
            timings = [runs.run(engine, drugs, path, keep=True) for _ in range(arguments.repeat)]
            best = min(timings, key=lambda timing: timing.seconds)
            calls = Stages(work, detect(found), dm.scan_publications(work / "out"), engine).calls()
            took = {name: min(seconds(call) for _ in range(arguments.repeat)) for name, call in calls.items()}
            steps: dict[str, Any] = best.report["seconds"]
            for (step, stage), value in stages(took, steps, best.seconds).items():
                results.add(
                    {
                        "engine": engine,
                        "step": step,
                        "stage": stage,
                        "seconds": round(value, 2),
                        "share": round(value / best.seconds, 3),
                        "mb_s": round(path.stat().st_size / 1e6 / value) if value > 0.01 else None,
                    }
                )
    results.write(arguments.json)


if __name__ == "__main__":
    main()
