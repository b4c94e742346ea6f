"""Files as planned, and both ways of reading them, for the tests of readers."""

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from drugmentions.model import Compression, Fingerprint, Format, Kind, SourceFile
from drugmentions.sources.reading import Reading, open_fast, read_slow

FIELDS = ("title", "id", "date")
COLUMNS: Mapping[str, list[str]] = {"title": ["title", "scientific_title"], "id": ["id"], "date": ["date"]}


@pytest.fixture(scope="session")
def fields() -> tuple[str, ...]:
    return FIELDS


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SourceFile]:
    """Write a file, each under a new name, and plan it."""
    directory = tmp_path_factory.mktemp("planned")
    numbers = count()

    def plan(content: str | bytes, format_: Format = Format.CSV, **options: Any) -> SourceFile:
        path = directory / options.pop("name", f"file-{next(numbers)}")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        options = {"file": path.name, "columns": dict(COLUMNS), "compression": Compression.NONE, **options}
        fingerprint = Fingerprint(path.stat().st_size, 0, 0, 0)
        return SourceFile(
            path=str(path), kind=Kind.PUBLICATIONS, source="pubmed", format=format_, fingerprint=fingerprint, **options
        )

    return plan


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Reading]:
    """Read files record by record."""
    directory: Path = tmp_path_factory.mktemp("spools")

    def read(*files: SourceFile, fields: tuple[str, ...] = FIELDS) -> Reading:
        return read_slow(files, fields, directory)

    return read


@pytest.fixture(scope="session")
def fast() -> Callable[..., Reading | None]:
    """Open a file for a lazy scan."""

    def read(file: SourceFile, fields: tuple[str, ...] = FIELDS) -> Reading | None:
        return open_fast(file, fields)

    return read
