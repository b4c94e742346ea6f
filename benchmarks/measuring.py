"""What benchmark scripts share: processes with their time and memory, runs of drugmentions, and tables of results."""

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from corpus import Titles, write_drugs

HERE = Path(__file__).parent
PACKAGES = ("drugmentions", "polars", "numba")
Row = dict[str, Any]
_Name = TypeVar("_Name")


# Processes.


class Timing(NamedTuple):
    """One process with those it started: seconds on the clock and of processors, peak of memory, the last line said.

    peak: MiB of resident memory of all of them at one time. Pages that they share count for each. report: of a run of
    drugmentions, run.json.
    """

    seconds: float
    cpu: float
    peak: float
    said: str
    report: dict[str, Any]


def measure(command: Sequence[str | Path]) -> Timing:
    """Run a command; raises CalledProcessError where it fails, with what it said."""
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        with watched(process.pid) as seen:
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if process.returncode:
        sys.stderr.write(said + "\n")
        raise subprocess.CalledProcessError(process.returncode, command, said)
    if seen.unwatched > 1:  # the watcher was stopped, or had no turn
        sys.stderr.write(f"memory wasn't looked at for {seen.unwatched:.1f} seconds: the peak may be higher\n")
    cpu = max(
        usage.ru_utime + usage.ru_stime, sum(seen.cpu.values())
    )  # the kernel's sum lacks those that no one awaits
    return Timing(seconds, cpu, seen.peak / 1024, said.rpartition("\n")[2], {})


@dataclass
class Seen:
    """What was seen of a process tree: the highest sum of resident memory in KiB, processor seconds by process."""

    peak: int = 0
    unwatched: float = 0  # the longest time between two looks, in seconds
    cpu: dict[int, float] = field(default_factory=dict)


@contextmanager
def watched(pid: int, every: float = 0.05) -> Iterator[Seen]:
    """Look at a process tree again and again.

    The kernel's own mark of the highest memory of the first process is regarded, so that no peak of that is missed.
    (`ru_maxrss` isn't used: what it says of a small child is the memory of the process that started it.)
    """
    seen, ended = Seen(), threading.Event()

    def watch() -> None:
        last = time.perf_counter()
        while not ended.wait(every):
            now, before, last = 0, last, time.perf_counter()
            seen.unwatched = max(seen.unwatched, last - before)
            for one in tree(pid):
                now += memory(one).get("VmRSS", 0)
                seen.cpu[one] = max(seen.cpu.get(one, 0), processor_seconds(one))
            seen.peak = max(seen.peak, now, memory(pid).get("VmHWM", 0))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def tree(pid: int) -> Iterator[int]:
    """A process and all that it started and that still runs."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for one in threads:
        try:
            children = (one / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from tree(int(child))


def memory(pid: int) -> dict[str, int]:
    """What the kernel says of a process's memory, in KiB; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if name[:2] == "Vm"}


def processor_seconds(pid: int) -> float:
    """What a process has used of processors; 0 of one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def best_of(repeat: int, ways: Mapping[_Name, Callable[[], Timing]], patience: float = math.inf) -> dict[_Name, Timing]:
    """The least seconds and the highest peak of `repeat` rounds of each way; they take turns: what disturbs one, all.

    What took longer than `patience` seconds isn't repeated.
    """
    best: dict[_Name, Timing] = {}
    for _ in range(repeat):
        for name, way in ways.items():
            if name not in best or best[name].seconds <= patience:
                best[name] = combined(best.get(name), way())
    return best


def combined(one: Timing | None, other: Timing) -> Timing:
    """Of two timings of the same the least seconds, each by itself, and the highest peak."""
    if one is None:
        return other
    fastest = min(one, other, key=lambda timing: timing.seconds)
    return fastest._replace(cpu=min(one.cpu, other.cpu), peak=max(one.peak, other.peak))


# Runs.


class Runs:
    """Whole runs, each into an output directory of its own below `work`."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def run(self, engine: str, drugs: Path, *inputs: Path, keep: bool = False) -> Timing:
        """A first run over `inputs`, by an engine of the configuration's, or the `default` one.

        keep: leave the output directory, `out`, until the next run.
        """
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        os.sync()  # or it pays for what was written before
        timing = measure([*self.command(engine), *inputs, "--drugs", drugs, "-o", out])
        report = json.loads((out / "run.json").read_bytes())
        if not keep:
            shutil.rmtree(out)
        return timing._replace(report=report)

    def command(self, engine: str) -> list[str | Path]:
        """The command with a configuration that names the engine, and nothing else."""
        config = self.work / f"{engine}.toml"
        config.write_text("" if engine == "default" else f'[matching]\nengine = "{engine}"\n')
        return [sys.executable, "-m", "drugmentions", "run", "--config", config]

    def warm_up(self, engines: Sequence[str]) -> None:
        """Run each engine once, so that none pays for what only a first run of all compiles, or reads from disk."""
        drugs = write_drugs(self.work / "warm/drugs.csv", 10)
        titles = Titles(self.work / "warm/pubmed.csv", drawn=10).grow(titles=10_000)
        for engine in engines:
            self.run(engine, drugs, titles)


@contextmanager
def work_directory(given: Path | None) -> Iterator[Path]:
    """An empty directory, in `given` or where temporary files go, removed in the end."""
    if given:
        given.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="drugmentions-bench-", dir=given) as directory:
        yield Path(directory)


# Results.


class Results:
    """Rows of one table, printed as they come.

    case: the columns that say what was measured. packages: those whose versions matter, beside drugmentions' own.
    """

    def __init__(self, question: str, case: Sequence[str], packages: Sequence[str] = ()) -> None:
        self.question, self.case, self.packages = question, list(case), (*PACKAGES, *packages)
        self.rows: list[Row] = []
        print(question, flush=True)

    def add(self, row: Row) -> None:
        """Print and keep a row; all rows have the same columns."""
        if not self.rows:
            print(*(f"{name:>{max(len(name), 9)}}" for name in row))
        self.rows.append(row)
        shown = ("" if value is None else str(value) for value in row.values())
        print(*(f"{text:>{max(len(name), 9)}}" for name, text in zip(row, shown, strict=True)), flush=True)

    def write(self, path: Path | None) -> None:
        """Write the rows, and what measured them, as JSON."""
        if path:
            found = {"question": self.question, "machine": machine(self.packages), "case": self.case}
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in self.rows)
            head = json.dumps(found, indent=1, ensure_ascii=False).removesuffix("\n}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'{head},\n "rows": [\n  {rows}\n ]\n}}\n', encoding="utf-8")


def figures(timing: Timing) -> Row:
    """What is shown of a process."""
    return {"seconds": round(timing.seconds, 2), "cpu": round(timing.cpu, 2), "peak_mib": round(timing.peak)}


def machine(packages: Sequence[str]) -> Row:
    """The machine, the versions of those packages that are there, the day, and the command that runs."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.machine(),
        ),
        "versions": {"python": platform.python_version(), **installed(packages)},
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
    }


def installed(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def options(description: str | None, repeat: int | None = 1) -> argparse.ArgumentParser:
    """A parser with what most scripts take. `repeat`: rounds unless said; None: it isn't an option."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", nargs="+", default=["default"], help="engines of matching, side by side")
    if repeat:
        parser.add_argument("--repeat", type=int, default=repeat, help="rounds, of which the fastest counts")
    parser.add_argument("--work", type=Path, help="where corpora and outputs are made, and removed")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    return parser
