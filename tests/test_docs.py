"""What README and docs say is what happens."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from drugmentions.cli import app
from drugmentions.errors import ExitCode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory that looks like a checkout to someone who follows the README."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    command = tmp_path / ".venv/bin/drugmentions"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m drugmentions "$@"\n')
    command.chmod(0o755)
    return tmp_path


def shell(command: str, where: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DRUGMENTIONS_")}
    return subprocess.run(
        ["sh", "-c", command], cwd=where, capture_output=True, text=True, check=True, env=environ, timeout=100
    )


def test_the_sixty_seconds_print_what_readme_says(checkout: Path) -> None:
    first_line = blocks("sh")[0].strip()
    assert first_line.count("\n") == 0
    run = first_line.rpartition(" && ")[2]
    assert shell(run, checkout).stderr == blocks("text")[0]
    console = blocks("console")[0]
    for part in console.split("$ ")[1:]:
        command, _, printed = part.partition("\n")
        assert shell(command, checkout).stdout == printed


def test_the_tests_are_one_line() -> None:
    assert blocks("sh")[1].strip().count("\n") == 0
    assert "pytest" in blocks("sh")[1]


def test_the_python_example_prints_what_it_says(checkout: Path) -> None:
    (example,) = blocks("python", (ROOT / "docs/python.md").read_text(encoding="utf-8"))
    said = [line.removeprefix("# ") for line in example.splitlines() if re.match(r"# [\[(\d]", line)]
    done = subprocess.run([sys.executable, "-c", example], cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == said


def test_every_command_is_in_readme() -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups if group.typer_instance}
    names = [command.name for command in app.registered_commands]
    names += [f"{name} {command.name}" for name, group in groups.items() for command in group.registered_commands]
    assert len(names) >= 9
    for name in names:
        assert re.search(rf"^\| `{name}\b", README, re.MULTILINE), name


def test_every_exit_code_in_readme_exists() -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    codes = [int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(", ")]
    assert set(codes) <= set(ExitCode)
    assert len(codes) == 10


def test_the_configuration_example_is_valid(checkout: Path) -> None:
    (example,) = blocks("toml")
    (checkout / "drugmentions.toml").write_text(example)
    assert 'name = "registry"' in shell(".venv/bin/drugmentions config show", checkout).stdout


def test_every_promise_names_tests_that_exist() -> None:
    promises = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", promises))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 30
    assert {name for name in named if not re.search(rf"(?:^|def ){name}\b", tests, re.MULTILINE)} == set()


PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/promises.md", "docs/python.md"]


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / path).read_text(encoding="utf-8")):
        assert ((ROOT / path).parent / target).exists(), target
