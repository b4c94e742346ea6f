"""Is any ratio clearly lower than the recorded one?

usage: regression.py RECORDED MEASURED [--tolerance 1]
       regression.py RECORDED MEASURED --record

RECORDED, MEASURED  directories of results (JSON) of the benchmark scripts, or two such files
--tolerance         so many times what is tolerated usually
--record            compare nothing; what was measured is what is recorded from now on

Ratios are of ways that took turns on one machine, so that another machine, or a busy one, changes them less than
seconds; greater is better in each, as those of a run by another engine than the first are turned round: they tell how
many times as fast it is, not as slow. One has fallen if it is lower than the recorded one by more than a part of it: a
quarter where it is of processor time (`cpu_ratio`) or memory (`memory_ratio`), six tenths where it is of time on the
clock (`ratio`), which a busy machine disturbs most. Rows are compared that have the same case. A row that is recorded
and wasn't measured counts as fallen, a file that isn't there is an error. Exits with 1 where a ratio fell.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOLERATED = {"ratio": 0.6, "cpu_ratio": 0.25, "memory_ratio": 0.25}
Results = dict[str, Any]


def ratios(results: Results) -> dict[tuple[object, ...], float]:
    """Ratios by case and column, such that greater is better."""
    return {
        (*(row[column] for column in results["case"]), name): round(1 / value, 3) if _is_run(row) else value
        for row in results["rows"]
        for name, value in row.items()
        if name in TOLERATED and value is not None
    }


def _is_run(row: dict[str, Any]) -> bool:
    return str(row.get("way", "")).startswith("run")


def compare(recorded: Results, measured: Results, tolerance: float = 1) -> Iterator[tuple[str, bool]]:
    """A line for each recorded ratio, and whether it is worse than is tolerated, or than so many times that."""
    found = ratios(measured)
    for case, before in ratios(recorded).items():
        name, now = " ".join(map(str, case)), found.get(case)
        if now is None:
            yield f"{name}: {before} recorded, not measured", True
        else:
            fell = now < before * (1 - tolerance * TOLERATED[str(case[-1])])
            yield f"{name}: {before} recorded, {now} now{', fell' if fell else ''}", fell


def pairs(recorded: Path, measured: Path) -> Iterator[tuple[Path, Path]]:
    """Recorded files, and where their successors should be."""
    if recorded.suffix == ".json":
        yield recorded, measured
    else:
        yield from ((path, measured / path.name) for path in sorted(recorded.glob("*.json")))


def check(recorded: Path, measured: Path, tolerance: float) -> int:
    """Print every comparison; returns how many ratios fell."""
    compared = fallen = 0
    for before, now in pairs(recorded, measured):
        if not now.exists():
            sys.exit(f"{now}: not there; {before} is recorded")
        for line, worse in compare(json.loads(before.read_bytes()), json.loads(now.read_bytes()), tolerance):
            print("WORSE" if worse else "ok   ", f"{before.stem}:", line)
            compared, fallen = compared + 1, fallen + worse
    if compared == 0:
        sys.exit(f"{recorded}: no ratio is recorded; --record does it")
    print(f"{fallen} of {compared} ratios fell")
    return fallen


def record(recorded: Path, measured: Path) -> None:
    """Put what was measured in the place of what is recorded: those results that have ratios."""
    recorded.mkdir(parents=True, exist_ok=True)
    for path in sorted(measured.glob("*.json")):
        if ratios(json.loads(path.read_bytes())):
            shutil.copy(path, recorded)
            print(f"recorded: {recorded / path.name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recorded", type=Path)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--tolerance", type=float, default=1)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.recorded, arguments.measured)
        return 0
    return 1 if check(arguments.recorded, arguments.measured, arguments.tolerance) else 0


if __name__ == "__main__":
    sys.exit(main())
