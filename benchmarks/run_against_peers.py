"""Time whole runs beside other ways to find the same names in the same CSV, in one session.

usage: run_against_peers.py [--titles 2000000] [--terms 10000 100000] [--repeat 3] [--ways run scan loop join]
                            [--work DIR] [--json FILE]

Generates the corpora (corpus.py), then takes turns: each way once, as a process of its own, then all again; of each the
fastest time counts. Prints seconds, the ratio to the loop (greater is faster), and the peak of resident memory.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from corpus import write_corpus
from measuring import Timing, machine, measure

HERE = Path(__file__).parent


def command_of(way: str, drugs: Path, titles: Path, out: Path) -> list[str]:
    if way == "run":
        shutil.rmtree(out, ignore_errors=True)
        return [sys.executable, "-m", "drugmentions", "run", str(titles), "--drugs", str(drugs), "-o", str(out)]
    return [sys.executable, str(HERE / "peers.py"), way, str(drugs), str(titles)]


def compare(ways: list[str], titles: int, terms: int, repeat: int, work: Path) -> list[dict[str, Any]]:
    """One row per way: the best of `repeat` rounds."""
    directory = work / f"{titles}-{terms}"
    drugs, corpus = write_corpus(directory, titles, terms)
    os.sync()  # or the first way pays for writing the corpus
    best: dict[str, Timing] = {}
    for _ in range(repeat):
        for way in ways:
            timing = measure(command_of(way, drugs, corpus, directory / "out"))
            best[way] = min(best.get(way, timing), timing)
    loop = best["loop"].seconds if "loop" in best else float("nan")
    size = corpus.stat().st_size
    shutil.rmtree(directory)
    return [
        {
            "titles": titles,
            "terms": terms,
            "megabytes": round(size / 1e6),
            "way": way,
            "seconds": round(timing.seconds, 2),
            "ratio": round(loop / timing.seconds, 2),
            "peak_mib": round(timing.peak),
            "said": timing.said,
        }
        for way, timing in best.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, nargs="+", default=[2_000_000])
    parser.add_argument("--terms", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ways", nargs="+", default=["run", "scan", "loop", "join"])
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="drugmentions-bench-"))
    rows = []
    print(f"{'titles':>10} {'terms':>8} {'MB':>6} {'way':>5} {'seconds':>8} {'ratio':>6} {'MiB':>6}")
    for titles in arguments.titles:
        for terms in arguments.terms:
            for row in compare(arguments.ways, titles, terms, arguments.repeat, work):
                rows.append(row)
                print(
                    "{titles:>10} {terms:>8} {megabytes:>6} {way:>5} {seconds:>8} {ratio:>6} {peak_mib:>6}".format(
                        **row
                    )
                )
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
