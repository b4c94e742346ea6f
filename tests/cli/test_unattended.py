"""Runs that nobody watches: killed, locked out, on a full disk, over folders that vanish; as real processes."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

from drugmentions import run
from drugmentions.failpoints import FAILPOINTS
from drugmentions.report import damaged_outputs, is_whole, read_report
from tests.cli.support import DRUGS, PUBMED, Command, Done, Read

OUTPUTS = ("graph.json", "mentions.parquet", "rejects.parquet")
MORE = "id,title,date,journal\n7,Ethanol once more,2021,K\n8,,2021,K\n"


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in (*OUTPUTS, "run.json")}


def same(one: Path, other: Path) -> bool:
    """Whether two output directories hold the same: the graph to the byte, tables in rows."""
    tables = all(pl.read_parquet(one / name).equals(pl.read_parquet(other / name)) for name in OUTPUTS[1:])
    return tables and (one / "graph.json").read_bytes() == (other / "graph.json").read_bytes()


def assert_error(done: Done, code: int, *told: str) -> None:
    assert done.code == code, done
    errors, hints = done.err.splitlines()[-2:]
    assert errors.startswith("drugmentions: error: ")
    assert hints.startswith("hint: ")
    assert all(text in done.err for text in told), done.err


# Killed.


@pytest.mark.parametrize("place", FAILPOINTS)
def test_a_run_killed_at_any_point_leaves_whole_files_and_the_next_ends_as_if_nothing_had_happened(
    command: Command, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (inputs / "pubmed_0.csv").write_text("id,title\n0,Of mice\n")
    run("in")
    before = contents(tmp_path / "out")
    (inputs / "pubmed.csv").write_text(PUBMED + "3,Epinephrine,2019,L\n")  # its neighbour is carried
    (inputs / "pubmed_2.csv").write_text(MORE)
    (inputs / "drugs.csv").write_text(DRUGS + "X,MICE\n")
    (inputs / "clinical_trials.csv").write_text("id,title\nN1,Of mice\n")
    assert command("run", "in", "-q", environ={"DRUGMENTIONS_FAILPOINT": place}).code == -signal.SIGKILL
    for name, content in contents(tmp_path / "out").items():  # each is the old one, or complete
        path = tmp_path / "out" / name
        if path.read_bytes() != before[name]:
            json.loads(content) if path.suffix == ".json" else pl.read_parquet(path)
    mixed = command("status", "--format", "json")
    assert mixed.code == (0 if all(whole["whole"] for whole in mixed.json()["outputs"].values()) else 4)
    if place in {"graph-replaced", "mentions-replaced"}:
        assert mixed.code == 4
        assert "not of the last run" in command("adhoc", "top-journal").err
    run("in")
    run("in", out="fresh")
    assert same(tmp_path / "out", tmp_path / "fresh")
    report = read_report(tmp_path / "out")
    assert report is not None
    assert not damaged_outputs(tmp_path / "out")
    assert all(is_whole(tmp_path / "out" / name, report.outputs[name]) for name in OUTPUTS)
    left = {path.name for path in (tmp_path / "out").rglob("*")}
    assert not [name for name in left if name.endswith((".tmp", ".entry.json"))]


def _kill_at_random_times(command: Command, inputs: Path, tmp_path: Path, times: int) -> None:
    assert command("run", "in", "-q", "-o", "fresh").code == 0
    began = time.perf_counter()
    assert command("run", "in", "-q", "-o", "timed").code == 0
    whole = time.perf_counter() - began
    for number in range(times):
        (inputs / "drugs.csv").write_text(DRUGS + f"X,NAME{number}\n" * (number % 3))
        running = subprocess.Popen([sys.executable, "-m", "drugmentions", "run", "in", "-q"], cwd=tmp_path)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(whole * (0.3 + 0.9 * (number * 7919 % times) / times))
        running.kill()
        running.wait()
    (inputs / "drugs.csv").write_text(DRUGS)
    assert command("run", "in", "-q").code == 0
    assert same(tmp_path / "out", tmp_path / "fresh")


def test_runs_killed_at_random_times(command: Command, inputs: Path, tmp_path: Path) -> None:
    _kill_at_random_times(command, inputs, tmp_path, 10)


@pytest.mark.slow
def test_runs_killed_at_random_times_some_hundreds(command: Command, inputs: Path, tmp_path: Path) -> None:
    _kill_at_random_times(command, inputs, tmp_path, 300)


# Locked out.


def test_a_second_run_fails_waits_or_lets_it_pass(command: Command, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    lock = FileLock(tmp_path / "out/.lock", thread_local=False)
    with lock:
        assert_error(command("run", "in"), 75, "another run holds out/.lock", "--wait")
        skipped = command("run", "in", "--if-locked", "skip")
        assert (skipped.code, skipped.out) == (0, "")
        assert "skipped: another run holds out/.lock" in skipped.err
        assert_error(command("run", "in", "--wait", "1s"), 75, "after waiting 1 s")
        assert_error(command("run", "in", "--wait", "soon"), 2, "--wait")
    assert not (tmp_path / "out/graph.json").exists()
    lock.acquire()
    threading.Timer(1.5, lock.release, kwargs={"force": True}).start()
    assert command("run", "in", "--wait", "1m").code == 0
    assert (tmp_path / "out/graph.json").exists()


def test_the_lock_of_a_killed_run_is_free(command: Command, inputs: Path) -> None:
    assert command("run", "in", environ={"DRUGMENTIONS_FAILPOINT": "planned"}).code == -signal.SIGKILL
    assert command("run", "in").code == 0


def test_overlapping_runs_that_slip_past_the_lock_do_no_harm(command: Command, inputs: Path, tmp_path: Path) -> None:
    for number in range(30):
        (inputs / f"pubmed_{number}.csv").write_text(MORE)
    script = (
        "import contextlib, sys\n"
        "from drugmentions import pipeline\n"
        "pipeline.locked = lambda out, wait: contextlib.nullcontext(out.mkdir(exist_ok=True))\n"
        "from drugmentions.__main__ import main\n"
        "main(['run', 'in', '-q', *sys.argv[1:]])\n"
    )
    for _ in range(3):
        running = [
            subprocess.Popen([sys.executable, "-c", script, *full], cwd=tmp_path, stderr=subprocess.PIPE)
            for full in ([], ["--full"], [])
        ]
        ended = [(process.communicate()[1].decode(), process.returncode) for process in running]
        assert all(code in {0, 4} for _, code in ended), ended
        json.loads((tmp_path / "out/graph.json").read_bytes())
    assert command("run", "in", "-q").code == 0
    assert command("run", "in", "-q", "-o", "fresh").code == 0
    assert same(tmp_path / "out", tmp_path / "fresh")


# Inputs that vanish, records that stay.


def test_a_vanished_folder_stops_the_run(command: Command, inputs: Path, outputs: Read, tmp_path: Path) -> None:
    (inputs / "mounted").mkdir()
    (inputs / "mounted/pubmed_2.csv").write_text(MORE)
    assert command("run", "in").code == 0
    before = contents(tmp_path / "out")
    (inputs / "mounted").rename(tmp_path / "unmounted")
    done = command("run", "in")
    assert_error(done, 3, "in/mounted/pubmed_2.csv", "2 of 4 records", "--allow-shrink", "--keep-missing")
    assert contents(tmp_path / "out") == before
    shutil.rmtree(tmp_path / "out/.cache")
    assert command("run", "in").code == 3
    assert command("run", "in", "--allow-shrink").code == 0
    assert outputs().run["changes"]["files"]["gone"] == 1
    assert command("run", "in").code == 0


def test_little_may_vanish_and_a_renamed_file_has_not(command: Command, inputs: Path) -> None:
    (inputs / "pubmed.csv").write_text(PUBMED + "".join(f"{number},Title,2020,J\n" for number in range(10, 30)))
    (inputs / "pubmed_2.csv").write_text(MORE)
    assert command("run", "in").code == 0
    (inputs / "pubmed_2.csv").unlink()
    assert command("run", "in").code == 0
    (inputs / "pubmed.csv").rename(inputs / "pubmed_old.csv")
    assert command("run", "in").code == 0
    (inputs / "other").mkdir()
    shutil.copy(inputs / "drugs.csv", inputs / "other")
    (inputs / "other/pubmed.csv").write_text(PUBMED)
    assert command("run", "in/other").code == 0  # what is no input any more hasn't vanished


def test_records_of_files_that_are_gone_are_kept(command: Command, inputs: Path, outputs: Read, tmp_path: Path) -> None:
    (inputs / "pubmed_2.csv").write_text(MORE)
    assert command("run", "in", "--keep-missing").code == 0
    everything = outputs()
    (inputs / "pubmed.csv").unlink()
    (inputs / "pubmed_2.csv").unlink()
    shutil.rmtree(tmp_path / "out/.cache")
    assert command("run", "in", "--keep-missing").code == 0  # a landing zone that is emptied
    assert outputs().graph == everything.graph
    assert outputs().rejects.equals(everything.rejects)
    assert outputs().run["changes"]["files"]["kept"] == 2
    assert outputs().file("in/pubmed_2.csv")["note"] == "gone; its records are kept"
    (inputs / "pubmed_2.csv").write_text("id,title,date,journal\n9,Epinephrine,2022,K\n")  # changed: the new one counts
    (inputs / "drugs.csv").write_text(DRUGS + "X,MICE\n")
    assert command("run", "in").code == 0  # what is kept stays, asked for or not
    assert outputs().found() == {
        ("ETHANOL", "1"),
        ("MICE", "1"),
        ("EPINEPHRINE", "2"),
        ("ETHANOL", "2"),
        ("EPINEPHRINE", "9"),
    }
    (inputs / "pubmed_2.csv").unlink()
    (inputs / "pubmed_3.csv").write_text("id,title\n10,Mice\n")
    assert command("run", "in").code == 0
    (inputs / "pubmed_3.csv").unlink()
    assert command("run", "in", "--allow-shrink").code == 0  # was never to be kept, as the others are for good
    assert {("EPINEPHRINE", "9"), ("MICE", "1")} <= outputs().found()
    assert ("MICE", "10") not in outputs().found()


def test_damaged_records_of_files_that_are_gone_are_not_lost_silently(
    command: Command, inputs: Path, tmp_path: Path
) -> None:
    (inputs / "pubmed_2.csv").write_text(MORE)
    assert command("run", "in", "--keep-missing").code == 0
    before = contents(tmp_path / "out")
    (part,) = (tmp_path / "out/kept").glob("*.publications.parquet")
    time.sleep(0.02)
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    assert command("run", "in", "--keep-missing").code == 0  # the sources are there: read again
    (inputs / "pubmed_2.csv").unlink()
    (part,) = (tmp_path / "out/kept").glob("*.publications.parquet")
    time.sleep(0.02)
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    assert_error(command("run", "in"), 4, "out/kept/", "backup")
    assert contents(tmp_path / "out")["graph.json"] == before["graph.json"]
    part.unlink()
    (entry,) = (tmp_path / "out/kept").glob("*.entry.json")
    entry.write_bytes(b"nonsense")
    assert_error(command("run", "in"), 4, entry.name, "OUT/kept")


# Disks.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of a mebibyte and a half."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk], check=False, stderr=-3)
    if mounted.returncode:
        pytest.skip("may not mount a tmpfs")
    yield disk
    subprocess.run(["umount", disk], check=True)


def many_titles(count: int) -> str:
    rows = "".join(
        f"{number},Ethanol and {number * 7919 % 65521} others,2020,Journal {number}\n" for number in range(count)
    )
    return "id,title,date,journal\n" + rows


def test_a_full_disk_leaves_the_old_outputs(command: Command, inputs: Path, small_disk: Path) -> None:
    out = small_disk / "out"
    assert command("run", "in", "-o", out).code == 0
    before = contents(out)
    (inputs / "pubmed_2.csv").write_text(many_titles(40_000))  # its parts don't fit: noticed by the write
    done = command("run", "in", "-o", out)
    assert_error(done, 4, "space")
    assert contents(out) == before
    (inputs / "pubmed_2.csv").write_text(many_titles(400_000))  # can't ever fit: noticed before it starts
    assert_error(command("run", "in", "-o", out), 4, "MiB needed at least", "--out")
    assert contents(out) == before
    (inputs / "pubmed_2.csv").unlink()
    assert command("run", "in", "-o", out).code == 0
    assert contents(out)["graph.json"] == before["graph.json"]


def test_a_file_size_limit_leaves_the_old_outputs(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert command("run", "in").code == 0
    before = contents(tmp_path / "out")
    (inputs / "pubmed_2.csv").write_text(many_titles(5_000))

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-m", "drugmentions", "run", "in"],
        cwd=tmp_path, preexec_fn=limited, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert_error(Done(done.returncode, done.stdout, done.stderr), 4, "File too large")
    assert contents(tmp_path / "out") == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_output_that_became_read_only(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert command("run", "in").code == 0
    before = contents(tmp_path / "out")
    (inputs / "pubmed_2.csv").write_text(MORE)
    (tmp_path / "out").chmod(0o500)
    assert_error(command("run", "in"), 4, "out")
    assert contents(tmp_path / "out") == before


# What is told.


def test_dry_run_and_status_tell_what_is_new(command: Command, inputs: Path, tmp_path: Path) -> None:
    (inputs / "pubmed_2.csv").write_text(MORE)
    assert command("run", "in").code == 0
    (inputs / "pubmed_3.csv").write_text("id,title\n20,Epinephrine\n")
    (inputs / "pubmed.csv").write_text(PUBMED.replace("Ethanol in mice", "Mice alone"))
    (inputs / "pubmed_2.csv").unlink()
    planned = command("run", "in", "--dry-run", "--format", "json")
    told = planned.json()
    assert told["states"] == {"new": 1, "changed": 1, "gone": 1, "known": 0, "kept": 0, "unreadable": 0}
    assert {file["file"]: file.get("state") for file in told["files"]} == {
        "in/drugs.csv": "", "in/pubmed.csv": "changed", "in/pubmed_2.csv": "gone", "in/pubmed_3.csv": "new",
    }  # fmt: skip
    assert told["batches"] == 1
    assert told["bytes"] == sum((inputs / name).stat().st_size for name in ("pubmed.csv", "pubmed_3.csv"))
    assert "2 files to read (1 new, 1 changed)" in planned.err
    assert command("run", "in", "--allow-shrink").code == 0
    changes = command("status", "--format", "json").json()["changes"]
    assert (changes["added"], changes["removed"], changes["nothing_new"]) == (1, 2, False)
    assert changes["drugs"] == [
        {"drug": "EPINEPHRINE", "added": 1, "removed": 0}, {"drug": "ETHANOL", "added": 0, "removed": 2},
    ]  # fmt: skip
    table = command("status", "--format", "table").out
    assert "changed: ETHANOL" in table
    assert "+0 -2" in table
    (tmp_path / "out/graph.json").write_text("{}")
    assert_error(command("status"), 4, "graph.json")
    assert_error(command("status", "nowhere"), 4, "run.json")


def test_nothing_new_has_an_exit_code_if_asked_for(command: Command, inputs: Path) -> None:
    assert command("run", "in", "--exit-code-no-new", "99").code == 0
    assert command("run", "in", "--exit-code-no-new", "99").code == 99
    assert command("run", "in").code == 0
    (inputs / "pubmed_2.csv").write_text(MORE)
    assert command("run", "in", "--exit-code-no-new", "99").code == 0
    assert command("run", "in", "--exit-code-no-new", "999").code == 2


# Hostile content.


def test_formulas_are_disarmed_in_csv_alone(command: Command, inputs: Path, tmp_path: Path) -> None:
    formula = "=cmd|' /C calc'!A0 and ethanol"
    (inputs / "pubmed.csv").write_text(f'id,title,date,journal\n-5,"{formula}",2020,@SUM(1)\n')
    assert command("run", "in").code == 0
    assert command("export", "mentions", "-o", "mentions.csv").code == 0
    row = pl.read_csv(tmp_path / "mentions.csv", infer_schema=False).row(0, named=True)
    assert (row["id"], row["title"], row["journal"]) == ("-5", "'" + formula, "'@SUM(1)")
    assert command("export", "mentions", "-o", "mentions.ndjson").code == 0
    assert json.loads((tmp_path / "mentions.ndjson").read_text())["title"] == formula
    assert "'@SUM(1),1" in command("adhoc", "journals", "ethanol", "--format", "csv").out
    assert command("adhoc", "journals", "ethanol", "--format", "json").json()["journals"][0]["journal"] == "@SUM(1)"


def test_a_terminal_obeys_nothing_that_a_file_holds(command: Command, inputs: Path, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m"
    (inputs / f"pubmed_{evil}.csv").write_text(f"id,title,date,journal\n1,{evil}Ethanol,{evil},{evil}J\n2,,,K\n")
    done = command("run", "in")
    shown = [done.err] + [
        command(*words, "--format", "table").out
        for words in (["adhoc", "journals", "ethanol"], ["rejects"], ["status"], ["run", "in", "--dry-run"])
    ]
    assert done.code == 0
    assert not any("\x1b" in text or "\x07" in text for text in shown)
    assert any("\\x1b" in text for text in shown)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rejects.parquet", ["rejects"]),
        ("mentions.parquet", ["adhoc", "top-journal"]),
        ("mentions.parquet", ["adhoc", "journals", "ethanol"]),
        ("mentions.parquet", ["export", "mentions", "-o", "x.csv"]),
    ],
)
def test_a_damaged_table_is_an_error_of_the_output(
    command: Command, inputs: Path, tmp_path: Path, name: str, words: list[str]
) -> None:
    (inputs / "pubmed_2.csv").write_text(MORE)
    assert command("run", "in").code == 0
    table = tmp_path / "out" / name
    content = table.read_bytes()
    table.write_bytes(content[:4] + bytes(255 - byte for byte in content[4:-200]) + content[-200:])
    assert_error(command(*words), 4, "out", "drugmentions run")
