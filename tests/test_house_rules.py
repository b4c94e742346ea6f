"""What the code must not do, read off its syntax trees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import drugmentions

PACKAGE = Path(drugmentions.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ROW_LOOPS = {"iter_rows", "map_elements", "map_groups", "rows_by_key"}
COMPILED = {
    "arrow.py",
    "compiled.py",
    "compiling.py",
    "graph/compiled_lines.py",
    "graph/lines_kernel.py",
    "matching/kernel.py",
    "matching/compiled_engine.py",
    "sources/line_kernel.py",
    "sources/line_scan.py",
    "sources/date_kernel.py",
}  # an extra: imported by need alone
FAST = {"numpy", "numba", "llvmlite", "nanoarrow"}
REGEX_ALLOWED = {"config.py", "matching/oracle.py"}  # patterns of settings; what fast engines are tested against


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of the modules that a tree imports outside functions and outside `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_row_loops_no_pandas_no_regex_over_data(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert called & ROW_LOOPS == set()
    modules = {name.partition(".")[0] for node in ast.walk(tree) for name in imported(node)} | set(imported(tree))
    assert not modules & ({"pandas", "pyarrow"} if name_of(path) in COMPILED else {"pandas", "pyarrow", *FAST})
    ours = {f"{name.removeprefix('drugmentions.').replace('.', '/')}.py" for name in imported(tree)}
    assert name_of(path) in COMPILED or not ours & COMPILED
    if name_of(path) not in REGEX_ALLOWED:
        assert not modules & {"re", "regex"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_opens_with_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring.partition("\n\n")[0].rstrip().endswith((".", "?", ":"))


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after running `code`."""
    script = f"{code}\nimport sys; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import drugmentions", "import drugmentions.__main__", "import drugmentions.cli"])
def test_polars_is_imported_only_when_it_is_needed(code: str) -> None:
    assert not loaded_by(code) & {"polars", "orjson", "zstandard"}


def test_the_commands_do_import_it_when_they_run() -> None:
    assert "polars" in loaded_by("import drugmentions.pipeline")


def test_public_names_are_sorted_and_exist() -> None:
    assert sorted(drugmentions.__all__) == drugmentions.__all__
    for name in drugmentions.__all__:
        assert getattr(drugmentions, name) is not None
    with pytest.raises(AttributeError):
        _ = drugmentions.no_such_name
