"""Runs over a directory that changes give what one run over it would, whatever happened to the cache on the way."""

import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from drugmentions import failpoints, outputs, scan_publications
from drugmentions.config import Config, Matching, Run
from drugmentions.pipeline import run

DRUGS = ("ethanol", "epinephrine", "calcium carbonate", "calcium", "5-FU", "atropine")
TITLES = (
    "Ethanol in mice", "No drug at all", "Calcium carbonate and ethanol", "Épinephrine or atropine?", "A 5-FU trial",
    "Calcium, carbonate", "Atropine", "", "Ethanol\u00ad-induced ÉTHANOL",
)  # fmt: skip
JOURNALS = ("The Journal", "the journal.", "Another", "")
NAMES = (
    "pubmed_a.csv",
    "pubmed_b.csv",
    "clinical_trials.csv",
    "sub/pubmed_c.ndjson",
    "pubmed_d.json",
    "pubmed24n0002.csv",
)

records = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["", "1", "2", "3", "4"]),
        "title": st.sampled_from(TITLES),
        "date": st.sampled_from(["2020", "01/02/2020", "2019-03", "never", ""]),
        "journal": st.sampled_from(JOURNALS),
    }
)


def write_records(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        lines = [",".join(row.values()) for row in rows]
        lines = [line.replace("Calcium, carbonate", '"Calcium, carbonate"') for line in lines]
        path.write_text("\n".join(["id,title,date,journal", *lines, ""]))
    elif path.suffix == ".ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in [{"title": "Header"}, *rows]))
    else:
        path.write_text(json.dumps([{"title": "Header"}, *rows]))


def results(out: Path) -> dict[str, Any]:
    """All that purity promises: the graph's bytes, rows of tables in order, publications without one."""
    publications = scan_publications(out).collect()
    return {
        "graph": (out / "graph.json").read_bytes(),
        "mentions": pl.read_parquet(out / "mentions.parquet").rows(),
        "rejects": pl.read_parquet(out / "rejects.parquet").rows(),
        "publications": sorted(publications.rows(), key=repr),
        "merges": outputs.scan_merges(out).collect().rows(),
    }


class Killed(BaseException):
    """A process that ends at a failpoint."""


def killed() -> None:
    raise Killed


changes = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.lists(records, max_size=5)),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("rename"), st.integers(0, 9), st.sampled_from(["pubmed_x", "pubmed_y"])),
    st.tuples(st.just("list"), st.sets(st.sampled_from(DRUGS), min_size=1)),
    st.tuples(st.just("overlaps"), st.sampled_from(["longest", "all"])),
)
accidents = st.one_of(
    st.tuples(st.just("kill"), st.sampled_from(failpoints.FAILPOINTS), st.integers(1, 2)),
    st.tuples(st.just("no cache")),
    st.tuples(st.sampled_from(["truncate", "scramble", "delete"]), st.integers(0, 99), st.integers(0, 9999)),
)


class Nights(RuleBasedStateMachine):
    """A directory of sources, and one output directory that is brought up to date again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="nights-"))
        self.inputs = self.home / "in"
        self.out = self.home / "out"
        self.overlaps: Any = "longest"

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    def run(self, out: Path) -> None:
        config = Config(matching=Matching(overlaps=self.overlaps), run=Run(out=str(out)))
        run([str(self.inputs)], config, allow_shrink=True)

    def sources(self) -> list[Path]:
        return sorted(path for path in self.inputs.rglob("*") if path.is_file() and path.name != "drugs.csv")

    @initialize(rows=st.lists(records, min_size=1, max_size=4), drugs=st.sets(st.sampled_from(DRUGS), min_size=1))
    def begin(self, rows: list[dict[str, str]], drugs: set[str]) -> None:
        for name in NAMES[:2]:
            write_records(self.inputs / name, rows)
        self.change(("list", drugs))
        self.run(self.out)

    @rule(changed=st.lists(changes, max_size=2), happened=st.lists(accidents, max_size=2))
    def night(self, changed: list[tuple[Any, ...]], happened: list[tuple[Any, ...]]) -> None:
        for change in changed:
            self.change(change)
        for accident in happened:
            self.suffer(accident)
        self.run(self.out)
        expected = self.home / "expected"
        self.run(expected)
        assert results(self.out) == results(expected)
        shutil.rmtree(expected)
        assert not list(self.out.rglob("*.tmp"))

    def change(self, change: tuple[Any, ...]) -> None:
        match change:
            case ("write", name, rows):
                write_records(self.inputs / name, rows)
            case ("remove", which) if len(self.sources()) > 1:
                self.sources()[which % len(self.sources())].unlink()
            case ("rename", which, name):
                path = self.sources()[which % len(self.sources())]
                path.rename(self.inputs / (name + path.suffix))
            case ("list", drugs):
                lines = "".join(f"{drug.upper()}\n" for drug in sorted(drugs))
                (self.inputs / "drugs.csv").write_text("drug\n" + lines)
            case ("overlaps", overlaps):
                self.overlaps = overlaps

    def suffer(self, accident: tuple[Any, ...]) -> None:
        match accident:
            case ("kill", place, times):
                self.kill(place, times)
            case ("no cache",):
                shutil.rmtree(self.out / ".cache", ignore_errors=True)
            case (how, which, where):
                files = sorted(path for path in self.out.rglob("*") if path.is_file() and path.name != ".lock")
                time.sleep(0.02)  # as long as a file system's clock may stand still
                damage(files[which % len(files)], how, where)

    def kill(self, place: str, times: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(failpoints.VARIABLE, f"{place}:{times}")
            patch.setattr(failpoints, "_die", killed)
            failpoints._passed.clear()
            with contextlib.suppress(Killed):
                self.run(self.out)


def damage(path: Path, how: str, where: int) -> None:
    """Delete a file, cut it, or overwrite some of its bytes in place."""
    size = path.stat().st_size
    if how == "delete" or not size:
        path.unlink()
    elif how == "truncate":
        os.truncate(path, where % size)
    else:
        with path.open("r+b") as file:
            file.seek(where % size)
            file.write(b"\xff\x00\xff\x00"[: size - where % size])


Nights.TestCase.settings = settings(max_examples=25, stateful_step_count=6, deadline=None)
test_any_sequence_of_nights_ends_as_one_run_would = Nights.TestCase
