"""Files that are replaced in one step, and errors of the system that say what to do."""

from pathlib import Path

import polars as pl
import pytest

from drugmentions.cache import describe_output
from drugmentions.durable import output_errors, replacing
from drugmentions.errors import OutputError


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, *, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path, durable=durable) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    with replacing(path, durable=durable) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_an_output_error(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(OutputError, match="No space left on device") as caught, output_errors(tmp_path):
        raise error
    assert "free space" in caught.value.hint


def test_a_damaged_part_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="out of specification"), output_errors(tmp_path):
        raise pl.exceptions.ComputeError("parquet: File out of specification: page size")


def test_other_errors_of_polars_are_bugs(tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.ComputeError), output_errors(tmp_path):
        raise pl.exceptions.ComputeError("something else")


def test_an_output_is_described_by_size_and_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    described = describe_output(tmp_path / "file")
    assert described.bytes == 3
    assert described.sha256.startswith("ba7816bf")
