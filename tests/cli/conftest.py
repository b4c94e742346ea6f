"""The real command as a process, and small input directories to run it on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
DRUGS = "atccode,drug\nV03AB,ETHANOL\nA01AD,EPINEPHRINE\n"
PUBMED = "id,title,date,journal\n1,Ethanol in mice,01/01/2020,J\n2,Epinephrine and ethanol,2020-01-02,K\n"


class Done(NamedTuple):
    """A process that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `drugmentions ARGUMENTS` in `tmp_path`."""

    def run(*arguments: object, stdin: str | bytes = b"", environ: dict[str, str] | None = None) -> Done:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DRUGMENTIONS_")}
        done = subprocess.run(
            [sys.executable, "-m", "drugmentions", *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=tmp_path,
            env=clean | {"COLUMNS": "200"} | (environ or {}),
            timeout=100,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A directory `in` with a drug list and two publications."""
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / "drugs.csv").write_text(DRUGS)
    (directory / "pubmed.csv").write_text(PUBMED)
    return directory


class Outputs:
    """What a run left in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.graph = json.loads((path / "graph.json").read_bytes())
        self.run = json.loads((path / "run.json").read_bytes())
        self.mentions = pl.read_parquet(path / "mentions.parquet")
        self.rejects = pl.read_parquet(path / "rejects.parquet")

    def found(self) -> set[tuple[str, str | None]]:
        """Pairs of drug and id."""
        return set(self.mentions.select("drug", "id").rows())

    def file(self, name: str) -> dict[str, Any]:
        """What run.json says of a source file; checks that its records add up."""
        report = next(file for file in self.run["files"] if file["file"] == name)
        parts = ("publications", "deletions", "rejects", "blanks")
        assert report["read"] == sum(report[part] for part in parts)
        return dict(report)


@pytest.fixture
def outputs(tmp_path: Path) -> Callable[[], Outputs]:
    """Read `out`, and see that the report's sums are those of its files."""

    def read() -> Outputs:
        found = Outputs(tmp_path / "out")
        for file in found.run["files"]:
            found.file(file["file"])
        assert sum(file["rejects"] for file in found.run["files"]) == found.rejects.height == found.run["counts"]["rejects"]
        return found

    return read
