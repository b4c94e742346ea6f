"""No step of a run leaves the streaming engine, gathers rows, or takes memory by the size of the input, unnoticed."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
import pytest

import drugmentions
from drugmentions import extract as extracting
from drugmentions import run
from drugmentions.sources.conform import conform

PACKAGE = str(Path(drugmentions.__file__).parent)
GATHERS, FALLS_BACK = "0.16 0.3 1.0", "0.0 0.3 1.0"
"""How Polars fills a node of a plan that may take much memory, and one that the in-memory engine runs."""
NODE = re.compile(r'^\d+ \[label="(\w[\w-]*).*?"(?:,style=filled,fillcolor="(.*?)")?\];$', re.MULTILINE | re.DOTALL)

MAY_GATHER = {
    ("extract", "_by_file"): {"group-by"},  # a row a file
    ("extract", "_kept_by_file"): {"group-by"},  # a row a file
    ("extract", "_untitled"): {"semi-join"},  # records without a title
    ("extract", "write_publications"): {"sort"},  # rejects
    ("merging", "_hashes"): {"anti-join", "semi-join"},  # against records that merging touched
    ("merging", "_joined"): {"anti-join", "group-by"},  # the dates of records without an id
    ("merging", "_fill_from"): {"anti-join", "semi-join"},  # against records that were joined
    ("assemble", "_mentions_of_merged"): {"equi-join", "multiplexer"},  # mentions of merged records
    ("assemble", "merged_mentions"): {"anti-join"},  # against records that merging touched
    ("assemble", "_journal_counts"): {"group-by", "semi-join"},  # a row a journal
    ("assemble", "_write_rejects"): {"sort"},  # rejects
    ("graph.writing", "count_drugs"): {"group-by", "anti-join", "multiplexer"},  # a row a drug; in official titles
    ("graph.writing", "index_drugs"): {"group-by", "anti-join", "multiplexer"},  # the same
    ("sorted_runs", "collect_picked"): {"anti-join", "multiplexer"},  # of a bucket's mentions
    ("changes", "mention_changes"): {"group-by"},  # a row a drug
}
"""Steps that may hold more than a few batches of rows, and what of."""

IN_MEMORY = {
    ("extract", "_with_unread_marked"),  # rejects that tell of files which couldn't be read
    ("extract", "scan_titles"),  # whether there is an official title
    ("extract", "read_drug_lists"),  # drug lists
    ("extract", "_collected"),  # the same
}
"""Steps of extract that collect a plan without the streaming engine."""


class Plans:
    """The plans that a run collected or sank: by step, the nodes that gather rows or fall back, and the engines."""

    def __init__(self) -> None:
        self.gathering: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.fallen_back: set[tuple[str, str, str]] = set()
        self.steps: set[tuple[str, str]] = set()
        self.in_memory: set[tuple[str, str]] = set()

    def note(self, plan: pl.LazyFrame, step: tuple[str, str], *, streaming: bool) -> None:
        self.steps.add(step)
        if not streaming:
            self.in_memory.add(step)
            return
        drawn = plan.show_graph(engine="streaming", plan_stage="physical", raw_output=True)
        assert drawn
        nodes = NODE.findall(drawn)
        assert nodes
        assert {fill for _, fill in nodes} <= {"", GATHERS, FALLS_BACK}
        self.gathering[step] |= {name for name, fill in nodes if fill == GATHERS} - {"in-memory-source"}
        self.fallen_back |= {(*step, name) for name, fill in nodes if fill == FALLS_BACK}


def step_of(frame: FrameType | None) -> tuple[str, str]:
    """The module and the function of ours that called, but for the one that writes whatever it is given."""
    while frame and (
        not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_name.startswith(("<", "sink_part"))
    ):
        frame = frame.f_back
    if frame is None:
        return "", ""
    return frame.f_globals["__name__"].removeprefix("drugmentions."), frame.f_code.co_name


def write_inputs(directory: Path) -> None:
    """Files of every kind of reading, some large; records to be merged, official titles, rejects."""
    directory.mkdir()
    (directory / "drugs.csv").write_text("drug\nETHANOL\nBETA CAROTENE\n")
    rows = "".join(f"{row % 9_000 or ''},Ethanol {row},{2000 + row % 20},J{row % 7}\n" for row in range(40_000))
    (directory / "pubmed.csv").write_text("id,title,date,journal\n" + rows + "x,,,\n")
    trials = "".join(f"{row},Beta carotene {row},Ethanol {row},2020\n" for row in range(40_000))
    (directory / "clinical_trials.csv").write_text("id,title,official_title,date\n" + trials)
    records = [json.dumps({"id": f"n{row}", "title": f"Ethanol {row}"}) for row in range(40_000)]
    (directory / "pubmed.ndjson").write_text("\n".join(records))
    (directory / "pubmed.json").write_text("[" + ",".join(records[:100]) + "]")
    pl.DataFrame({"id": range(40_000), "title": records}).write_parquet(directory / "pubmed.parquet")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("streaming") / "in"
    write_inputs(directory)
    return directory


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    """What is collected and sunk from now on."""
    plans = Plans()
    collect, sink, pull = pl.LazyFrame.collect, pl.LazyFrame.sink_parquet, pl.LazyFrame.collect_batches

    def noted_collect(plan: pl.LazyFrame, *arguments: Any, **options: Any) -> Any:
        plans.note(plan, step_of(sys._getframe()), streaming=options.get("engine") == "streaming")
        return collect(plan, *arguments, **options)

    def noted_sink(plan: pl.LazyFrame, *arguments: Any, **options: Any) -> Any:
        plans.note(plan, step_of(sys._getframe()), streaming=True)
        return sink(plan, *arguments, **options)

    def noted_pull(plan: pl.LazyFrame, *arguments: Any, **options: Any) -> Any:
        plans.note(plan, step_of(sys._getframe()), streaming=options.get("engine") == "streaming")
        return pull(plan, *arguments, **options)

    monkeypatch.setattr(pl.LazyFrame, "collect", noted_collect)
    monkeypatch.setattr(pl.LazyFrame, "collect_batches", noted_pull)
    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", noted_sink)
    return plans


@pytest.mark.parametrize("engine", ["polars", "compiled"])
def test_no_step_leaves_the_streaming_engine_and_those_that_gather_rows_are_known(
    plans: Plans, directory: Path, tmp_path: Path, engine: str
) -> None:
    run(str(directory), out=str(tmp_path / "out"), engine=engine)
    (tmp_path / "pubmed.csv").write_text("id,title\nm1,Ethanol\n")
    run(str(directory), str(tmp_path / "pubmed.csv"), out=str(tmp_path / "out"), engine=engine)
    assert {
        ("extract", "_sink_publications"),
        ("extract", "search"),
        ("graph.writing", "index_drugs"),
        ("sorted_runs", "_sink"),
        ("graph.writing", "write_graph"),
    } <= plans.steps
    assert plans.fallen_back == set()
    unknown = {step: nodes - MAY_GATHER.get(step, set()) for step, nodes in plans.gathering.items()}
    assert {step: nodes for step, nodes in unknown.items() if nodes} == {}
    assert {step for step in plans.in_memory if step[0] == "extract"} <= IN_MEMORY


def test_a_step_that_gathers_rows_or_collects_them_is_seen(
    plans: Plans, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = extracting.scan_titles
    monkeypatch.setattr(extracting, "conform", lambda *read: conform(*read).sort("title"))
    monkeypatch.setattr(extracting, "scan_titles", lambda path: scan(path).sort("title").collect().lazy())
    run(str(directory), out=str(tmp_path / "out"))
    assert plans.gathering["extract", "_sink_publications"] == {"sort"}
    assert ("extract", "write_mentions") in plans.in_memory


def test_a_step_that_falls_back_is_seen() -> None:
    plans = Plans()
    whole = pl.LazyFrame({"a": [1, 2]}).map_batches(lambda batch: batch, streamable=False)
    plans.note(whole, ("a", "b"), streaming=True)
    assert plans.fallen_back


# Memory.

SMALL, LARGE = 40_000, 120_000
STEPS = {"polars": ("extract", "match", "assemble"), "compiled": ("extract", "assemble")}
ENGINES = tuple(STEPS)
STREAMED = 1.3
"""Bytes by which the peak may grow for each byte of further input: Polars reads ahead up to a limit, by row groups.

A step that holds all rows takes them again, and at least half of them once more: 1.4 to 2.2.
"""
FEW_IN_FLIGHT = {
    "POLARS_MAX_THREADS": "2",
    "POLARS_IDEAL_SINK_MORSEL_SIZE_ROWS": "1000",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0",  # so that freed memory isn't kept
}


def long_titles(directory: Path, rows: int) -> int:
    """Write titles of 800 bytes, of which each mentions a drug, in a table and as CSV; gives the bytes of the table."""
    drugs = "drug\n" + "".join(f"drug{number}ine\n" for number in range(50))
    for engine in ENGINES:
        (directory / engine).mkdir(parents=True)
        (directory / engine / "drugs.csv").write_text(drugs)
    number = pl.int_range(rows)
    title = pl.format("Drug{}ine and outcome {} of {}", number % 50, number.hash(), number.hash(2))
    titles = pl.select(id=number.cast(pl.String), title=title + pl.lit("; in a randomised trial of some length" * 20))
    table = directory / "polars/pubmed.parquet"
    titles.write_parquet(table, row_group_size=1_000, compression="uncompressed")
    titles.write_csv(directory / "compiled/pubmed.csv")
    return table.stat().st_size


@pytest.fixture(scope="module")
def growth(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], dict[str, float]]:
    """By step, by how much the peak of memory grows for each byte of further input; the named step holds all rows.

    With the compiled engine, of a CSV file, whose titles are searched as they are read; else of a Parquet file.
    """
    directory = tmp_path_factory.mktemp("growth")
    sizes = [long_titles(directory / str(rows), rows) for rows in (SMALL, LARGE)]

    def grow(broken: str, engine: str) -> dict[str, float]:
        small, large = (peaks(directory, rows, broken, engine) for rows in (SMALL, LARGE))
        return {step: (large[step] - small[step]) / (sizes[1] - sizes[0]) for step in STEPS[engine]}

    return grow


def peaks(directory: Path, rows: int, broken: str, engine: str) -> dict[str, int]:
    """The peak of a run's memory in each step, in bytes."""
    child = Path(__file__).with_name("streaming_child.py")
    inputs, out = directory / str(rows) / engine, directory / f"{broken}-{engine}-{rows}"
    done = subprocess.run(
        [sys.executable, child, broken, inputs, out, engine],
        env=os.environ | FEW_IN_FLIGHT, capture_output=True, check=True, timeout=200,
    )  # fmt: skip
    measured: dict[str, int] = json.loads(done.stdout)
    return measured


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("engine", ENGINES)
def test_memory_does_not_follow_the_size_of_the_input(
    growth: Callable[[str, str], dict[str, float]], engine: str
) -> None:
    grown = growth("nothing", engine)
    assert max(grown.values()) < STREAMED, grown


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(("engine", "step"), [(engine, step) for engine in ENGINES for step in STEPS[engine]])
def test_a_step_that_holds_all_rows_is_seen(
    growth: Callable[[str, str], dict[str, float]], engine: str, step: str
) -> None:
    grown = growth(step, engine)
    assert grown[step] > STREAMED, grown
