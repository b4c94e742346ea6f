"""What a run may use: threads, scratch space and memory, as real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.cli.support import DRUGS, Command, Done

TABLES = ("mentions.parquet", "rejects.parquet")
THREADS_OF = (
    "import sys\n"
    "from drugmentions.__main__ import main\n"
    "try:\n"
    "    main(sys.argv[1:])\n"
    "finally:\n"
    "    import polars as pl\n"
    "    from drugmentions.sources.workers import shared_workers\n"
    "    workers = shared_workers('drugmentions.sources.pubmed_worker')\n"
    "    print(pl.thread_pool_size(), workers.count if workers else 1)\n"
)


@pytest.fixture
def threads(tmp_path: Path, inputs: Path) -> Callable[..., tuple[int, int]]:
    """Run `drugmentions run in ARGUMENTS`; gives the threads of Polars, and the worker processes that it would take."""

    def run(*arguments: str, environ: dict[str, str] | None = None, cores: int = 0) -> tuple[int, int]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DRUGMENTIONS_", "POLARS_"))}
        allowed = sorted(os.sched_getaffinity(0))[: cores or None]
        done = subprocess.run(
            [sys.executable, "-c", THREADS_OF, "run", "in", "-q", *arguments],
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
            capture_output=True, cwd=tmp_path, env=clean | (environ or {}), text=True, check=True,
        )  # fmt: skip
        polars, workers = done.stdout.split()
        return int(polars), int(workers)

    return run


def test_flags_beat_the_environment_which_beats_the_file(
    threads: Callable[..., tuple[int, int]], tmp_path: Path
) -> None:
    available = len(os.sched_getaffinity(0))
    assert threads() == (available, min(available, 4))
    (tmp_path / "drugmentions.toml").write_text(
        '[run]\nthreads = 3\n[[source]]\nname = "x"\nfiles = ["x"]\ndates = ["%d.%m.%y"]\n'
    )
    assert threads() == (3, 3)
    assert threads(environ={"DRUGMENTIONS_THREADS": "5", "POLARS_MAX_THREADS": "7"}) == (5, 4)
    assert threads("--threads", "1", environ={"DRUGMENTIONS_THREADS": "5"}) == (1, 1)


def test_affinity_is_respected(threads: Callable[..., tuple[int, int]]) -> None:
    assert threads(cores=1) == (1, 1)


@pytest.mark.parametrize("number", ["0", "-1", "x", "1025", ""])
def test_a_wrong_number_of_threads_is_an_error_of_usage(command: Command, inputs: Path, number: str) -> None:
    done = command("run", "in", "--threads", number)
    assert done.code == 2
    assert "threads" in done.err
    if number:
        assert command("run", "in", environ={"DRUGMENTIONS_THREADS": number}).code == 2


def articles(count: int) -> str:
    """PubMed XML of a kilobyte and a half an article."""
    article = (
        "<PubmedArticle><MedlineCitation><PMID>{0}</PMID><Article><ArticleTitle>{1}</ArticleTitle><Abstract>{2}"
        "</Abstract></Article></MedlineCitation></PubmedArticle>\n"
    )
    return (
        "<PubmedArticleSet>"
        + "".join(article.format(number, title(number), "x" * 1_300) for number in range(count))
        + "</PubmedArticleSet>"
    )


def title(number: int) -> str:
    return f"{('Ethanol', 'Epinephrine', 'Water')[number % 3]} and {number * 7919 % 65521} others"


def test_outputs_are_the_same_on_any_number_of_threads(command: Command, tmp_path: Path) -> None:
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / "drugs.csv").write_text(DRUGS)
    (directory / "pubmed.csv").write_text(
        "id,title,journal\n" + "".join(f"c{number},{title(number)},J{number % 999}\n" for number in range(120_000))
    )
    (directory / "pubmed.xml").write_text(articles(3_500))
    records = [{"id": f"j{number}", "title": title(number), "x": "},{" * 20} for number in range(45_000)]
    (directory / "pubmed.json").write_text(json.dumps(records))
    outs = []
    for number in ("1", "2", "5"):
        assert command("run", "in", "-q", "--threads", number, "-o", number).code == 0
        outs.append(tmp_path / number)
    first, *others = outs
    assert all((directory / name).stat().st_size > 4 << 20 for name in ("pubmed.csv", "pubmed.xml", "pubmed.json"))
    assert pl.read_parquet(first / TABLES[0]).height > 100_000
    for other in others:
        assert (other / "graph.json").read_bytes() == (first / "graph.json").read_bytes()
        for table in TABLES:
            assert pl.read_parquet(other / table).equals(pl.read_parquet(first / table))


# Scratch space.


def assert_told(done: Done, *told: str) -> None:
    assert done.code == 4, done
    assert all(text in done.err for text in told), done.err
    assert "hint: " in done.err
    assert "--tmp" in done.err


def test_scratch_goes_where_it_is_told(command: Command, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    killed = command("run", "in", "--tmp", "tmp", environ={"DRUGMENTIONS_FAILPOINT": "part-written"})
    assert killed.code == -signal.SIGKILL
    assert list((tmp_path / "tmp").glob("drugmentions-*/*/*/spool/spool-*/records-*.parquet"))
    assert not (tmp_path / "out/.cache/scratch").exists()
    (tmp_path / "tmp/drugmentions-other").mkdir()
    assert command("run", "in", environ={"DRUGMENTIONS_TMP": "tmp"}).code == 0
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["drugmentions-other"]  # what was left is gone


def test_a_directory_for_scratch_that_can_not_be_used(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert_told(command("run", "in", "--tmp", "nowhere"), "nowhere: No such file or directory")
    assert_told(command("run", "in", "--tmp", "in/drugs.csv"), "in/drugs.csv: Not a directory")
    (tmp_path / "tmp").mkdir()
    killed = command("run", "in", "--tmp", "tmp", environ={"DRUGMENTIONS_FAILPOINT": "part-written"})
    assert killed.code == -signal.SIGKILL
    (ours,) = (tmp_path / "tmp").iterdir()
    ours.rename(tmp_path / "elsewhere")
    ours.symlink_to(tmp_path / "elsewhere")
    assert_told(command("run", "in", "--tmp", "tmp"), "belongs to somebody else")
    assert not (tmp_path / "out/graph.json").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_for_scratch_that_is_read_only(command: Command, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir(mode=0o500)
    assert_told(command("run", "in", "--tmp", "tmp"), "tmp: Permission denied")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of some hundred kilobytes."""
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=False, stderr=-3).returncode:
        pytest.skip("may not mount a tmpfs")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_for_scratch_leaves_the_old_outputs(command: Command, inputs: Path, small_disk: Path) -> None:
    assert command("run", "in", "--tmp", "small").code == 0
    before = (inputs.parent / "out/graph.json").read_bytes()
    records = [{"id": number, "title": title(number)} for number in range(30_000)]
    (inputs / "pubmed.json").write_text(json.dumps(records))
    assert_told(command("run", "in", "--tmp", "small"), "small", "No space left on device")
    assert list(small_disk.iterdir()) == []
    assert (inputs.parent / "out/graph.json").read_bytes() == before
    assert command("run", "in").code == 0


# Memory.


def test_a_run_that_is_out_of_memory_says_so(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert command("run", "in").code == 0
    before = (tmp_path / "out/graph.json").read_bytes()
    script = (
        "from drugmentions import upkeep\n"
        "from drugmentions.__main__ import main\n"
        "upkeep.extract = lambda *_, **__: bytearray(1 << 60)\n"
        "main(['run', 'in', '--full'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "drugmentions: error: out of memory" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out/graph.json").read_bytes() == before
