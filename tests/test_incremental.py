"""Runs over a directory that changes give what one run over it would, whatever happened to the cache on the way."""

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec import to_builtins

from drugmentions import (
    api,
    assemble,
    cache,
    carryover,
    failpoints,
    lists,
    outputs,
    pipeline,
    plan,
    scan_publications,
    upkeep,
)
from drugmentions.config import Config, Matching, Run, Source
from drugmentions.durable import current_fingerprint
from drugmentions.errors import AccountingError, OutputError, ShrunkError, UnstableInputError
from drugmentions.extract import extract, read_drug_lists
from drugmentions.model import SourceFile
from drugmentions.pipeline import run
from drugmentions.sources import streams

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

WEEKS = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 7

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


nights = st.tuples(st.lists(changes, max_size=2), st.lists(accidents, max_size=2))
Event = tuple[Any, ...]


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

    @rule(week=st.lists(nights, min_size=3, max_size=5))
    def pass_a_week(self, week: list[tuple[list[Event], list[Event]]]) -> None:
        for changed, happened in week:
            for change in changed:
                self.change(change)
            for accident in happened:
                self.suffer(accident)
            self.run(self.out)
            self.compare()

    def compare(self) -> None:
        expected = self.home / "expected"
        self.run(expected)
        assert results(self.out) == results(expected)
        shutil.rmtree(expected)
        assert not list(self.out.rglob("*.tmp"))

    def change(self, change: Event) -> None:
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

    def suffer(self, accident: Event) -> None:
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


Nights.TestCase.settings = settings(max_examples=WEEKS, stateful_step_count=3, deadline=None)
test_any_sequence_of_nights_ends_as_one_run_would = Nights.TestCase


# What a run doesn't do again.


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory `in` with a drug list and three small files, each a batch of its own; the working directory above."""
    monkeypatch.setattr(plan, "BATCH_FILES", 1)
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / "drugs.csv").write_text("drug\nETHANOL\nATROPINE\n")
    for number in range(3):
        row = {"id": str(number), "title": f"Ethanol in mice {number}", "date": "2020", "journal": "J"}
        write_records(directory / f"pubmed_{number}.csv", [row])
    return directory


def refuse(*_arguments: object, **_options: object) -> NoReturn:
    raise AssertionError("this was to be left alone")


def counted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[Any]:
    """Collect the first argument of each call of a function."""
    calls: list[Any] = []
    function = getattr(module, name)

    def count(first: Any, *others: Any, **options: Any) -> Any:
        calls.append(first)
        return function(first, *others, **options)

    monkeypatch.setattr(module, name, count)
    return calls


def assert_as_fresh(directory: Path) -> None:
    """What is in `out` is what a run into an empty directory gives."""
    run([directory.name], Config(run=Run(out="fresh")))
    assert results(Path("out")) == results(Path("fresh"))
    shutil.rmtree("fresh")


def test_a_run_with_nothing_new_reads_no_data(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = api.run("in")
    left = [path for path in Path("out").rglob("*") if path.is_file() and path.name not in {"run.json", ".lock"}]
    written = [current_fingerprint(path) for path in left]
    with monkeypatch.context() as patch:
        for module, name in ((plan, "detect"), (upkeep, "extract"), (lists, "read_drug_lists"), (assemble, "merge")):
            patch.setattr(module, name, refuse)
        for name in ("drugmentions.pipeline.pl.scan_parquet", "drugmentions.pipeline.pl.scan_csv"):
            patch.setattr(name, refuse)  # no part is looked into
        opened = counted(patch, os, "open")  # first bytes of source files, and parts that don't check
        second = api.run("in")
        assert not [path for path in map(str, opened) if path.endswith((".csv", ".parquet"))]
    assert second.changes.nothing_new
    assert second.counts == first.counts
    assert second.files == first.files
    assert second.outputs == first.outputs
    assert [current_fingerprint(path) for path in left] == written
    assert api.run("in").changes.since == second.started


def test_full_reads_everything_again(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.run("in")
    extracted = counted(monkeypatch, upkeep, "extract")
    config = Config()
    run(["in"], config, full=True)
    assert len(extracted) == 3


def test_a_killed_run_goes_on_with_the_batches_that_it_had_finished(
    landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(failpoints.VARIABLE, "batch-done:2")
        patch.setattr(failpoints, "_die", killed)
        failpoints._passed.clear()
        with pytest.raises(Killed):
            api.run("in")
    write_records(landing / "pubmed_3.csv", [{"id": "9", "title": "Atropine", "date": "", "journal": ""}])
    extracted = counted(monkeypatch, upkeep, "extract")
    api.run("in")
    assert [batch.files[0].file for batch in extracted] == ["in/pubmed_2.csv", "in/pubmed_3.csv"]
    assert_as_fresh(landing)


def test_a_changed_file_costs_itself_and_not_its_neighbours(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_FILES", 10)
    api.run("in")
    write_records(landing / "pubmed_1.csv", [{"id": "1", "title": "Atropine", "date": "", "journal": ""}])
    read = counted(monkeypatch, upkeep, "extract")
    report = api.run("in")
    assert [[file.file for file in batch.files] for batch in read] == [["in/pubmed_1.csv"]]
    assert (report.changes.files.known, report.changes.files.changed) == (2, 1)
    assert_as_fresh(landing)


def test_many_small_batches_are_put_together(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_FILES", 100)
    monkeypatch.setattr(plan, "MANY", 4)
    for night in range(12):
        row = {"id": f"n{night}", "title": "Ethanol", "date": "2020", "journal": "J"}
        write_records(landing / f"pubmed_night_{night}.csv", [row])
        api.run("in")
        parts = {path.name for path in Path("out/.cache/parts").iterdir()}
        assert len([name for name in parts if "publications" in name]) <= 5
        assert len(parts) <= 5 * 3 + 1  # and nothing else piles up
    assert_as_fresh(landing)


def test_what_cannot_have_changed_is_not_written_again(landing: Path) -> None:
    api.run("in")
    published = [Path("out", name) for name in ("graph.json", "mentions.parquet")]
    written = [current_fingerprint(path) for path in published]
    write_records(landing / "pubmed_9.csv", [{"id": "9", "title": "No drug", "date": "2020", "journal": "j."}])
    report = api.run("in")
    assert report.counts["publications"] == 4
    assert [current_fingerprint(path) for path in published] == written
    assert_as_fresh(landing)


# A changed drug list.


def test_few_new_terms_are_searched_for_by_themselves(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = ["Atropine and tropane", "TROPANES", "Tropane-like", "Trôpane", "Nothing"]
    rows = [{"id": f"t{n}", "title": title, "date": "", "journal": ""} for n, title in enumerate(titles)]
    write_records(landing / "pubmed_0.csv", rows)
    api.run("in")
    (landing / "drugs.csv").write_text("drug\nETHANOL\nATROPINE\nTROPANE\n")
    for module, name in ((upkeep, "extract"), (upkeep, "match")):
        monkeypatch.setattr(module, name, refuse)
    searched: list[int] = []
    progress = upkeep.Progress()
    monkeypatch.setattr(progress, "rows", searched.append)
    report = run(["in"], Config(), progress)
    assert sum(searched) == 4  # of eight titles
    assert [(change.drug, change.added) for change in report.changes.drugs] == [("TROPANE", 3)]
    monkeypatch.undo()
    monkeypatch.chdir(landing.parent)
    assert_as_fresh(landing)


def test_a_lexicon_with_many_changes_is_matched_as_a_whole(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.run("in")
    monkeypatch.setattr(carryover, "FEW", 1)
    (landing / "drugs.csv").write_text("drug\nETHANOL\nMICE\nRATS\n")
    monkeypatch.setattr(upkeep, "match_again", refuse)
    assert api.run("in").counts["mentions"] == 6
    assert_as_fresh(landing)


# Files that change while they are read.


@pytest.mark.parametrize("how", ["grows", "shrinks", "vanishes"])
def test_a_file_that_changes_once_while_it_is_read_is_read_again(
    landing: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    file = landing / "pubmed_1.csv"
    monkeypatch.setattr(upkeep, "extract", changing_once(file, how))
    report = api.run("in", max_rejects="0")
    assert report.counts["files"] == (2 if how == "vanishes" else 3)
    monkeypatch.undo()
    monkeypatch.chdir(landing.parent)
    assert_as_fresh(landing)


def changing_once(file: Path, how: str) -> Callable[..., Any]:
    left = ["once"]

    def extract_and_change(batch: Any, *others: Any, **options: Any) -> Any:
        done = extract(batch, *others, **options)
        if left and batch.files[0].file.endswith(file.name):
            left.clear()
            time.sleep(0.02)
            change_file(file, how)
        return done

    return extract_and_change


def change_file(file: Path, how: str) -> None:
    if how == "grows":
        file.write_text(file.read_text() + "50,Atropine,2020,J\n")
    elif how == "shrinks":
        file.write_text("id,title,date,journal\n")
    else:
        file.unlink()


def test_a_file_that_changes_all_the_time_is_a_reject(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = landing / "pubmed_1.csv"

    def change_always(batch: Any, *others: Any, **options: Any) -> Any:
        done = extract(batch, *others, **options)
        if batch.files[0].file.endswith(file.name):
            time.sleep(0.02)
            change_file(file, "grows")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "extract", change_always)
        report = api.run("in")
    assert {(file.file, file.note) for file in report.files if file.note} == {
        ("in/pubmed_1.csv", "changed while it was read")
    }
    assert pl.read_parquet("out/rejects.parquet").select("file", "reason").rows() == [
        ("in/pubmed_1.csv", "changed while it was read")
    ]
    assert report.counts["records"] == 3
    api.run("in")
    assert_as_fresh(landing)


def test_a_drug_list_that_changes_while_it_is_read_is_an_error(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.run("in")
    before = Path("out/graph.json").read_bytes()
    (landing / "drugs.csv").write_text("drug\nMICE\n")

    def change(*arguments: Any) -> Any:
        done = read_drug_lists(*arguments)
        time.sleep(0.02)
        (landing / "drugs.csv").write_text("drug\nRATS\n")
        return done

    monkeypatch.setattr(lists, "read_drug_lists", change)
    with pytest.raises(UnstableInputError, match=r"in/drugs\.csv"):
        api.run("in")
    assert Path("out/graph.json").read_bytes() == before


def test_what_the_system_failed_to_read_is_tried_again(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = streams.read_bytes

    def failing(file: SourceFile) -> Iterator[bytes]:
        if file.file.endswith("pubmed_1.csv"):
            raise streams.UnreadableError(f"{streams.CANNOT_BE_READ}Input/output error")
        yield from whole(file)

    with monkeypatch.context() as patch:
        patch.setattr(streams, "read_bytes", failing)
        report = api.run("in")
    assert report.counts["rejects"] == 1
    report = api.run("in")
    assert (report.counts["rejects"], report.changes.files.known, report.changes.files.changed) == (0, 2, 1)
    assert_as_fresh(landing)


# Accounts.


def test_rows_that_are_missing_from_parts_stop_the_run(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.run("in")
    before = Path("out/graph.json").read_bytes()
    write_records(landing / "pubmed_9.csv", [{"id": "9", "title": "Ethanol", "date": "2020", "journal": "J"}])

    def lossy(*arguments: Any, **options: Any) -> Any:
        parts = extract(*arguments, **options)
        pl.read_parquet(parts.publications.path).clear().write_parquet(parts.publications.path)
        return parts

    monkeypatch.setattr(upkeep, "extract", lossy)
    with pytest.raises(AccountingError, match="publications"):
        api.run("in")
    assert Path("out/graph.json").read_bytes() == before


def test_files_parts_manifest_and_report_tell_of_the_same_records(landing: Path) -> None:
    (landing / "pubmed_1.csv").write_text("id,title,date,journal\n1,Ethanol,2020,J\n2,,2020,J\n,,,\n3,X,2020,J,K\n")
    api.run("in")
    write_records(landing / "pubmed_9.csv", [{"id": "9", "title": "Ethanol", "date": "2020", "journal": "J"}])
    report = api.run("in")
    names = ["read", "publications", "deletions", "rejects", "blanks"]
    manifest = pl.read_parquet("out/.cache/manifest.parquet").filter(pl.col("batch").is_not_null())
    told = pl.DataFrame([to_builtins(file) for file in report.files if file.kind == "publications"])
    assert manifest.select("file", *names).sort("file").equals(told.select("file", *names).sort("file"))
    sums = told.select(pl.col(names).sum()).row(0, named=True)
    assert sums["read"] == sums["publications"] + sums["deletions"] + sums["rejects"] + sums["blanks"] == 7
    assert scan_publications("out").collect().height == sums["publications"]
    assert pl.read_parquet("out/rejects.parquet").height == sums["rejects"] == report.counts["rejects"]


# Kept records.


def test_kept_records_outlive_a_change_of_version(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Config(run=Run(keep_missing=True))
    run(["in"], keep)
    graph = Path("out/graph.json").read_bytes()
    (landing / "pubmed_1.csv").unlink()
    monkeypatch.setattr(cache, "VERSION", "later")
    extracted = counted(monkeypatch, upkeep, "extract")
    run(["in"], keep)
    assert len(extracted) == 2  # what is there is read anew, what is gone is carried over
    assert Path("out/graph.json").read_bytes() == graph
    run(["in"], keep)
    assert len(extracted) == 2


def test_free_space_is_checked_before_anything_is_read(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drugmentions.guards.shutil.disk_usage", lambda _path: SimpleNamespace(free=10))
    monkeypatch.setattr(upkeep, "extract", refuse)
    with pytest.raises(OutputError, match="needed at least"):
        api.run("in")
    assert not Path("out").exists()


def test_what_is_acknowledged_was_flushed(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: dict[int, str] = {}  # inode -> path when it was flushed
    fsync = os.fsync

    def note(descriptor: int) -> None:
        flushed[os.fstat(descriptor).st_ino] = str(Path(f"/proc/self/fd/{descriptor}").resolve())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    api.run("in", keep_missing=True)
    left = [path for path in Path("out").rglob("*") if path.name not in {".lock", "scratch"}]
    assert len(left) > 12
    assert [path for path in (*left, Path("out")) if path.stat().st_ino not in flushed] == []


# Queries.


@pytest.fixture
def database(landing: Path) -> Path:
    path = landing.parent / "secret.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table papers (pmid text, title text)")
        connection.executemany("insert into papers values (?, ?)", [(f"q{n}", f"Atropine {n}") for n in range(9)])
    return path


def test_a_query_is_asked_every_time_and_its_address_stays_in_memory(landing: Path, database: Path) -> None:
    pytest.importorskip("sqlalchemy")
    source = Source(name="library", uri=f"sqlite:///{database}", query="select * from papers")
    config = Config(source=(source,))
    first = run(["in"], config)
    assert first.counts["publications"] == 12
    assert run(["in"], config).changes.files.known == 3
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("insert into papers values ('q9', 'Ethanol')")
    assert run(["in"], config).counts["publications"] == 13
    for path in Path("out/.cache").rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes(), path


def test_a_failed_query_stops_the_run(landing: Path, database: Path) -> None:
    pytest.importorskip("sqlalchemy")
    source = Source(name="library", uri=f"sqlite:///{database}", query="select * from papers")
    config = Config(source=(source,))
    run(["in"], config)
    before = Path("out/graph.json").read_bytes()
    database.unlink()
    with pytest.raises(ShrunkError, match="query of library"):
        run(["in"], config)
    assert Path("out/graph.json").read_bytes() == before
    assert run(["in"], config, allow_shrink=True).counts["rejects"] == 1


# Corners.


def killed_at(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed there."""
    with monkeypatch.context() as patch:
        patch.setenv(failpoints.VARIABLE, place)
        patch.setattr(failpoints, "_die", killed)
        failpoints._passed.clear()
        with pytest.raises(Killed):
            api.run("in")


def add(landing: Path, name: str, title: str) -> None:
    write_records(landing / f"pubmed_{name}.csv", [{"id": name, "title": title, "date": "2020", "journal": "J"}])


@pytest.mark.parametrize("place", [name for name in failpoints.FAILPOINTS if name not in {"carried", "matched"}])
def test_a_graph_is_copied_only_from_the_one_that_the_manifest_tells_of(
    landing: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    api.run("in")
    add(landing, "a", "Atropine")
    killed_at(place, monkeypatch)
    api.run("in")
    add(landing, "b", "Atropine again")
    api.run("in")
    assert_as_fresh(landing)


def test_a_graph_that_another_run_replaces_meanwhile_is_not_copied_from(
    landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.run("in")
    add(landing, "a", "Atropine")
    write = assemble.write_graph  # type: ignore[attr-defined]

    def overtaken(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(assemble, "write_graph", write)
        add(landing, "b", "Atropine of another run")
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "locked", lambda *_: contextlib.nullcontext())
            api.run("in")
        (landing / "pubmed_b.csv").unlink()
        return write(*arguments, **options)

    monkeypatch.setattr(assemble, "write_graph", overtaken)
    api.run("in")
    assert_as_fresh(landing)
    add(landing, "c", "Atropine")
    api.run("in")
    assert_as_fresh(landing)


def test_a_drug_of_many_mentions_beside_one_that_stands(landing: Path) -> None:
    rows = "".join(f"m{number},Atropine study {number},2020,J\n" for number in range(60_000))
    (landing / "pubmed_many.csv").write_text("id,title,date,journal\n" + rows)
    api.run("in")
    add(landing, "a", "Atropine once more")
    api.run("in")
    assert_as_fresh(landing)


def test_a_file_is_a_drug_list_only_while_it_is_named_as_one(landing: Path) -> None:
    (landing / "pubmed_z.csv").write_text("title,drug\nEthanol,MICE\n")
    for drugs in ([], ["in/pubmed_z.csv"], []):
        run(["in"], Config(run=Run(drugs=tuple(drugs))), allow_shrink=True)
    assert_as_fresh(landing)


def test_rows_that_differ_in_spans_alone_keep_their_order_when_files_are_renamed(landing: Path) -> None:
    for name, official in (("a", "Of mice, ethanol"), ("b", "Ethanol")):
        rows = f"title,official_title,date,journal\nA trial,{official},2020,J\n"
        (landing / f"clinical_trials_{name}.csv").write_text(rows)
    api.run("in")
    (landing / "clinical_trials_a.csv").rename(landing / "clinical_trials_c.csv")
    api.run("in")
    assert_as_fresh(landing)


KEEP = Config(run=Run(keep_missing=True))


def test_records_that_can_not_be_kept_are_not_lost_silently(landing: Path) -> None:
    api.run("in")
    shutil.rmtree("out/.cache")
    (landing / "pubmed_1.csv").unlink()
    with pytest.raises(ShrunkError) as caught:
        run(["in"], KEEP)
    assert "keep-missing" not in caught.value.hint
    with pytest.raises(ShrunkError):
        run(["in"], KEEP, full=True)


def test_a_damaged_cache_does_kept_records_no_harm(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(failpoints.VARIABLE, "merged")
        patch.setattr(failpoints, "_die", killed)
        failpoints._passed.clear()
        with pytest.raises(Killed):
            run(["in"], KEEP)
    time.sleep(0.02)
    for part in Path("out/.cache/parts").glob("*.publications.parquet"):
        os.truncate(part, 7)
    (landing / "pubmed_0.csv").unlink()
    assert run(["in"], KEEP).changes.files.kept == 1


def test_what_is_kept_stays_kept_when_a_neighbour_changes(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_FILES", 10)
    run(["in"], KEEP)
    graph = Path("out/graph.json").read_bytes()
    add(landing, "2", "Nothing")
    api.run("in")
    (landing / "pubmed_0.csv").unlink()
    assert api.run("in").changes.files.kept == 1
    assert b"Ethanol in mice 0" in graph
    assert b"Ethanol in mice 0" in Path("out/graph.json").read_bytes()


def test_a_renamed_file_has_not_vanished_without_a_cache_either(landing: Path) -> None:
    api.run("in")
    (landing / "pubmed_1.csv").rename(landing / "pubmed_renamed.csv")
    report = run(["in"], Config(), full=True)
    assert (report.counts["publications"], report.changes.files.gone) == (3, 1)


@pytest.mark.parametrize("how", ["directory", "link", "no report"])
def test_files_that_vanished_in_other_ways(landing: Path, how: str) -> None:
    api.run("in")
    file = landing / "pubmed_1.csv"
    file.rename(landing.parent / "elsewhere.csv")
    if how == "directory":
        file.mkdir()
    elif how == "link":
        file.symlink_to(landing.parent / "elsewhere.csv")
    else:
        Path("out/run.json").unlink()
    with pytest.raises(ShrunkError):
        api.run("in")


def test_strange_things_in_the_cache_do_no_harm(landing: Path) -> None:
    api.run("in")
    Path("out/.cache/parts/strange").mkdir()
    for left in (f"out/.cache/scratch/{os.getpid()}-left", "out/.cache/scratch/1-left"):
        Path(left).mkdir()
    Path(f"out/.x.{os.getpid()}.tmp").touch()
    add(landing, "a", "Atropine")
    api.run("in")
    assert_as_fresh(landing)
    assert list(Path("out/.cache/scratch").iterdir()) == []
    assert list(Path("out").glob(".*.tmp")) == []


def test_news_that_were_never_told_are_news(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.run("in")
    add(landing, "a", "Atropine")
    killed_at("report-replaced", monkeypatch)
    with pytest.raises(OutputError, match="killed"):
        scan_publications("out")
    assert not api.run("in").changes.nothing_new
    assert api.run("in").changes.nothing_new
    assert scan_publications("out").collect().height == 4


def test_changes_are_unknown_where_the_mentions_before_are_lost(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.run("in")
    add(landing, "a", "Atropine")
    killed_at("mentions-replaced", monkeypatch)
    changes = api.run("in").changes
    assert (changes.added, changes.removed, changes.drugs) == (None, None, ())


def test_a_report_that_lacks_a_count_is_written_anew(landing: Path) -> None:
    api.run("in")
    report = Path("out/run.json")
    report.write_text(report.read_text().replace('"merged"', '"marged"'))
    assert api.run("in").counts["merged"] == 0


def test_damaged_parts_are_named_when_they_are_handed_out(landing: Path) -> None:
    api.run("in")
    time.sleep(0.02)
    part = next(Path("out/.cache/parts").glob("*.publications.parquet"))
    os.truncate(part, 9)
    with pytest.raises(OutputError, match=part.name):
        scan_publications("out")
