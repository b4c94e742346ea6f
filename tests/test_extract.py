"""Extracting a batch: parts that add up, the same by both readers, and an error where they don't."""

import errno
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from drugmentions import extract as extracting
from drugmentions import sorted_runs
from drugmentions.api import read_lexicon
from drugmentions.config import Config
from drugmentions.durable import checksum
from drugmentions.errors import AccountingError
from drugmentions.extract import extract
from drugmentions.matching.engine import Engine, Matcher
from drugmentions.matching.lexicon import Lexicon
from drugmentions.model import MENTION_PART, REJECT, Batch, Parts
from drugmentions.plan import plan
from drugmentions.sources import line_scan
from drugmentions.sources.conform import CONFORMED, conform

KINDS = ("publications", "mentions", "rejects")
ROWS = "id,title,date,journal\n1,Ethanol,01/01/2020,J\n2,,2020,J\n,,,\n\n3,No drug,31/02/2020,\n"


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    (tmp_path / "drugs.csv").write_text("drug\nETHANOL\n")
    return read_lexicon(tmp_path / "drugs.csv")


def batches_of(directory: Path) -> tuple[Batch, ...]:
    return plan([str(directory)], Config(), directory / "out").batches


def read(parts: Parts, kind: str) -> pl.DataFrame:
    return pl.read_parquet(getattr(parts, kind).path)


def extracted(batch: Batch, lexicon: Lexicon, directory: Path, engine: Engine = "auto") -> Parts:
    scratch = directory / "scratch"
    parts = directory / "parts"
    scratch.mkdir(parents=True)
    parts.mkdir()
    return extract(batch, Matcher(lexicon, engine=engine), parts, scratch)


@pytest.mark.parametrize("fast_from", [0, 1 << 40])
def test_a_batch_becomes_three_parts_that_add_up(
    tmp_path: Path, lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch, fast_from: int
) -> None:
    monkeypatch.setattr(extracting, "FAST_FROM", fast_from)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/pubmed.csv").write_text(ROWS)
    (batch,) = batches_of(tmp_path / "in")
    parts = extracted(batch, lexicon, tmp_path / "work")
    (counts,) = parts.counts
    assert (counts.read, counts.publications, counts.rejects, counts.blanks, counts.unread_dates) == (5, 2, 1, 2, 1)
    publications, mentions, rejects = (read(parts, kind) for kind in KINDS)
    assert (publications.schema, mentions.schema, rejects.schema) == (CONFORMED, MENTION_PART, REJECT)
    assert publications.select("record", "id", "date", "unread_date").rows() == [
        (1, "1", "2020-01-01", None),
        (5, "3", None, "31/02/2020"),
    ]
    assert mentions.select("drug", "record", "found_in").rows() == [("ETHANOL", 1, "title")]
    assert rejects.select("record", "reason").rows() == [(2, "no title")]


def test_doing_it_again_gives_the_same_rows(tmp_path: Path, lexicon: Lexicon) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/pubmed.csv").write_text(ROWS)
    (batch,) = batches_of(tmp_path / "in")
    first, second = (extracted(batch, lexicon, tmp_path / name) for name in ("a", "b"))
    for kind in KINDS:
        assert Path(getattr(first, kind).path).name == Path(getattr(second, kind).path).name
        assert read(first, kind).equals(read(second, kind))


def test_a_bad_row_in_a_large_file_costs_a_row(
    tmp_path: Path, lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extracting, "FAST_FROM", 0)
    (tmp_path / "in").mkdir()
    rows = "".join(f"{number},Ethanol,2020,J\n" for number in range(50_000))
    (tmp_path / "in/pubmed.csv").write_text("id,title,date,journal\n" + rows + "x,Ethanol,2020,J,too many\n")
    (tmp_path / "in/pubmed_2.csv").write_text(ROWS)
    (batch,) = batches_of(tmp_path / "in")
    counts = {count.file.rpartition("/")[2]: count for count in extracted(batch, lexicon, tmp_path / "work").counts}
    assert (counts["pubmed.csv"].publications, counts["pubmed.csv"].rejects) == (50_000, 1)
    assert counts["pubmed_2.csv"].publications == 2


def test_a_lost_record_is_an_error(tmp_path: Path, lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/pubmed.csv").write_text(ROWS)
    (batch,) = batches_of(tmp_path / "in")
    whole = conform
    monkeypatch.setattr(extracting, "conform", lambda *read: whole(*read).filter(pl.col("id") != "3"))
    with pytest.raises(AccountingError, match=r"pubmed\.csv"):
        extracted(batch, lexicon, tmp_path / "work")


def test_small_files_share_a_batch_and_sources_do_not(tmp_path: Path) -> None:
    for name in ("pubmed_1.csv", "pubmed_2.csv", "clinical_trials.csv"):
        (tmp_path / name).write_text(ROWS)
    assert [[file.file.rpartition("/")[2] for file in batch.files] for batch in batches_of(tmp_path)] == [
        ["clinical_trials.csv"],
        ["pubmed_1.csv", "pubmed_2.csv"],
    ]


@pytest.mark.parametrize(
    ("last", "beside"),
    [
        ("4,Ethanol at last,2020,J", True),
        ("4,Ethanol at last,2020,J,too long", False),
        ('4,"Ethanol" at last,2020,J', False),
    ],
)
@pytest.mark.parametrize("official", ["", "official_title"])
def test_titles_are_searched_as_compiled_code_reads_them_or_later_with_the_same_parts(
    tmp_path: Path, lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch, last: str, beside: bool, official: str
) -> None:
    monkeypatch.setattr(extracting, "FAST_FROM", 0)
    monkeypatch.setattr(line_scan, "_BLOCK", 100)
    searched_later: list[Path] = []
    write_mentions = extracting.write_mentions

    def noted(publications: Path, *arguments: Any, **options: Any) -> None:
        searched_later.append(publications)
        write_mentions(publications, *arguments, **options)

    monkeypatch.setattr(extracting, "write_mentions", noted)
    (tmp_path / "in").mkdir()
    name = "clinical_trials.csv" if official else "pubmed.csv"
    header = f"id,title,date,{official or 'journal'}\n"
    (tmp_path / "in" / name).write_text(header + ROWS.partition("\n")[2] + "9,Of ethanol,2020,Ethanol\n" * 200 + last)
    (batch,) = batches_of(tmp_path / "in")
    one = extracted(batch, lexicon, tmp_path / "one", "compiled")
    assert searched_later == ([] if beside else [Path(one.publications.path)])
    other = extracted(batch, lexicon, tmp_path / "other", "polars")
    assert one.counts == other.counts
    assert one.publications.checksum == checksum(Path(one.publications.path))
    for kind in KINDS:
        order = [name for name in ("record", "drug", "found_in") if name in read(one, kind).columns]
        assert read(one, kind).sort(order).equals(read(other, kind).sort(order))
    assert read(one, "mentions").height > (400 if official else 200)
    assert {path.name for path in (tmp_path / "one/parts").iterdir()} == {
        Path(getattr(one, kind).path).name for kind in KINDS
    }


def test_what_fails_as_mentions_are_laid_down_is_raised(
    tmp_path: Path, lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(extracting, "FAST_FROM", 0)
    monkeypatch.setattr(line_scan, "_BLOCK", 100)
    monkeypatch.setattr(sorted_runs, "_sink", full)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/pubmed.csv").write_text(ROWS + "9,Of ethanol,2020,J\n" * 200)
    (batch,) = batches_of(tmp_path / "in")
    with pytest.raises(OSError, match="no space left"):
        extracted(batch, lexicon, tmp_path / "work", "compiled")
    assert [path for path in (tmp_path / "work/parts").iterdir() if "mentions" in path.name] == []
