"""Input that means harm: it costs a reject, never the process, unbounded memory, or a file outside OUT."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.cli.support import DRUGS, Command, Read

BOMB = 200 << 20
MEMORY = 1200 << 20
"""Peak bytes of a run over a bomb of `BOMB` bytes: what is read of one line, and some copies of it."""
GOOD = {("ETHANOL", "1"), ("EPINEPHRINE", "2"), ("ETHANOL", "2")}

Pack = Callable[[bytes], bytes]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def peak(directory: Path, *arguments: object) -> tuple[int, int]:
    """Exit code and peak memory, in bytes, of a command."""
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-m', 'drugmentions', *sys.argv[1:]])\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], cwd=directory, capture_output=True, text=True, check=True
    )
    code, memory = told.stdout.split()
    return int(code), int(memory)


@pytest.mark.parametrize("pack", [gzipped, zstandard.ZstdCompressor(1).compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize(
    ("name", "start", "filling", "reason"),
    [
        ("pubmed.csv", b"id,title\n", b"a", "line longer than 64 MiB"),
        ("pubmed.ndjson", b'{"title":"Nothing"}\n{"title":"', b"a", "line longer than 64 MiB"),
        ("pubmed.json", b'[{"title":"Nothing"},{"title":"', b"a", ""),
        ("pubmed.json", b'[{"title":"Nothing","x":', b"[", "nested too deeply"),
    ],
    ids=["csv", "ndjson", "json", "nested json"],
)
def test_a_bomb_without_a_newline(
    inputs: Path, outputs: Read, tmp_path: Path, pack: Pack, name: str, start: bytes, filling: bytes, reason: str
) -> None:
    padding = os.urandom(2 << 20).hex().encode() if name == "pubmed.csv" else b""  # a large file, packed too
    (inputs / f"bomb_{name}").write_bytes(pack(start + padding + filling * BOMB))
    code, memory = peak(tmp_path, "run", "in")
    assert code == 0
    assert memory < MEMORY
    assert outputs().found() == GOOD
    (told,) = outputs().rejects["reason"].to_list()
    assert reason in told


def test_an_endless_line_in_a_large_file(inputs: Path, outputs: Read, tmp_path: Path) -> None:
    (inputs / "pubmed_2.csv").write_bytes(b"id,title\n" + b"a" * BOMB)
    code, memory = peak(tmp_path, "run", "in")
    assert (code, outputs().found()) == (0, GOOD)
    assert memory < MEMORY


def test_a_large_packed_file_takes_the_memory_of_any_file(inputs: Path, outputs: Read, tmp_path: Path) -> None:
    """A bomb of lines is a large file, and all of it is read."""
    text = " at all" * 500
    rows = "".join(f"{number},No drug{text},2020,J\n" for number in range(BOMB // 3_500))
    packed = gzip.compress(b"id,title,date,journal\n" + rows.encode(), 1)
    assert len(packed) > 1 << 20
    (inputs / "pubmed_bomb.csv.gz").write_bytes(packed)
    code, memory = peak(tmp_path, "run", "in")
    assert code == 0
    assert memory < MEMORY
    assert outputs().file("in/pubmed_bomb.csv.gz")["publications"] == BOMB // 3_500


def test_a_drug_list_of_junk(command: Command, inputs: Path, outputs: Read) -> None:
    junk = "".join(f"%{number}%\n&\n\n{number}\n" for number in range(100_000))
    (inputs / "drugs_junk.csv").write_text("drug\n" + junk + '""\n" "\nname of nothing\n')
    done = command("run", "in")
    assert done.code == 0
    assert outputs().found() == GOOD
    assert "match nothing" in done.err
    assert outputs().file("in/drugs_junk.csv")["blanks"] == 100_002


@pytest.mark.slow
def test_a_drug_list_of_a_million_junk_names(inputs: Path, outputs: Read, tmp_path: Path) -> None:
    (inputs / "drugs_junk.csv").write_text("drug\n" + "".join(f"junk name {number:x}\n" for number in range(1_000_000)))
    code, memory = peak(tmp_path, "run", "in")
    assert code == 0
    assert memory < 3 * MEMORY
    assert outputs().found() == GOOD


def test_no_file_outside_of_out_is_touched(command: Command, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("id,title\n1,Ethanol\n")
    (inputs / "pubmed_link.csv").symlink_to(tmp_path / "outside.csv")
    (inputs / "../in/pubmed_;touch evil;.csv").write_text("id,title\n3,Ethanol\n")
    (inputs / "pubmed_$(touch evil)[1]*?.csv").write_text("id,title\n4,Ethanol\n")
    (inputs / "--out=evil.csv").write_text(DRUGS)
    before = {path: path.stat() for path in tmp_path.rglob("*") if path.is_file()}
    assert command("run", "in").code == 0
    after = {
        path: path.stat() for path in tmp_path.rglob("*") if path.is_file() and (tmp_path / "out") not in path.parents
    }
    assert after.keys() == before.keys()
    assert all(after[path].st_mtime_ns == status.st_mtime_ns for path, status in before.items())
    found = {
        row["id"] for row in json.loads((tmp_path / "out/graph.json").read_bytes())["drugs"][1]["mentions"]["pubmed"]
    }
    assert found == {"1", "2", "3", "4"}
