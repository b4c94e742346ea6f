"""The real command as a process, and small input directories to run it on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import DRUGS, PUBMED, Command, Done, Outputs, Read


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


@pytest.fixture
def outputs(tmp_path: Path) -> Read:
    """Read `out`, and see that the report's sums are those of its files."""

    def read() -> Outputs:
        found = Outputs(tmp_path / "out")
        for file in found.run["files"]:
            found.file(file["file"])
        assert (
            sum(file["rejects"] for file in found.run["files"])
            == found.rejects.height
            == found.run["counts"]["rejects"]
        )
        return found

    return read
