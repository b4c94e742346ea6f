"""Files as planned, and both ways of reading them, for the tests of readers."""

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from drugmentions.config import Source
from drugmentions.model import Compression, Fingerprint, Format, Kind, SourceFile
from drugmentions.sources.columns import DRUG_FIELDS, PUBLICATION_FIELDS
from drugmentions.sources.conform import conform
from drugmentions.sources.dates import parse_date_expr
from drugmentions.sources.detect import detect
from drugmentions.sources.locate import locate
from drugmentions.sources.reading import Reading, open_fast, read_slow
from drugmentions.sources.spool import ORIGIN, PARSED_DATE
from drugmentions.text import clean_text_expr
from tests.sources.support import Found

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
    """Open a file for a lazy scan, with and without compiled code, which are to say the same."""

    def read(file: SourceFile, fields: tuple[str, ...] = FIELDS) -> Reading | None:
        plain, compiled = (open_fast(file, fields, compiled=way) for way in (lambda: False, lambda: True))
        if compiled is None:
            assert plain is None
        else:
            assert_same_reading(plain, compiled, file)
        return plain

    return read


def assert_same_reading(plain: Reading | None, compiled: Reading, file: SourceFile) -> None:
    """Compiled code refuses what Polars refuses, if only when it is collected, and reads the rest alike."""
    try:
        expected = plain and _collected(plain, file)
    except pl.exceptions.PolarsError:
        expected = None
    if expected is None:
        with pytest.raises(pl.exceptions.ComputeError):
            _collected(compiled, file)
        return
    for own, other in zip(_collected(compiled, file), expected, strict=True):
        assert own.equals(other)
    assert plain
    assert compiled.read == plain.read


def _collected(reading: Reading, file: SourceFile) -> tuple[pl.DataFrame, ...]:
    """Records as cleaning leaves them, with the parsed date; and those without a title."""
    texts = [name for name in reading.records.collect_schema() if name not in {*ORIGIN, PARSED_DATE}]
    records = reading.records.with_columns(clean_text_expr(pl.col(name)) for name in texts if name not in reading.clean)
    if "date" in texts and PARSED_DATE not in reading.clean:
        records = records.with_columns(parse_date_expr(pl.col("date"), file.dates).alias(PARSED_DATE))
    return records.select(*ORIGIN, *sorted({*texts, PARSED_DATE})).collect(), reading.untitled.collect()


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Found]:
    """Write a file, recognise it, and read it record by record; sees that nothing is lost."""
    tmp_path = tmp_path_factory.mktemp("found")
    numbers = count()

    def find(content: str | bytes, name: str = "x", *sources: Source, kind: Kind | None = None) -> Found:
        directory = tmp_path / str(next(numbers))
        directory.mkdir()
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
        (located,) = locate([str(directory)], tmp_path / "out").files
        file = detect(located, sources, kind=kind)
        if file.note or file.kind == Kind.UNKNOWN:
            return Found(file, [], [], [])
        fields = DRUG_FIELDS if file.kind == Kind.DRUGS else PUBLICATION_FIELDS
        reading = read_slow([file], fields, directory / "spool")
        untitled = reading.untitled.sort("record").collect()
        rejects = reading.rejects.sort("record").collect()
        records = reading.records.sort("record").collect()
        assert reading.read[file.file] == records.height + rejects.height
        kept = records.join(untitled, on="record", how="anti", maintain_order="left")
        if file.kind == Kind.PUBLICATIONS:
            kept = conform(records.lazy(), (file,)).collect()
            assert kept.height + untitled.height == records.height
        rows = [{name: value for name, value in row.items() if value and name != "file"} for row in kept.to_dicts()]
        return Found(file, rows, rejects.drop("file").to_dicts(), untitled["blank"].to_list())

    return find
