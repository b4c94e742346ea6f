"""Lines looked through by compiled code: as clean as Polars finds them, with every cell that cleaning may change."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import drugmentions as dm
from drugmentions.model import SourceFile
from drugmentions.sources import delimited, line_check
from drugmentions.sources.columns import PUBLICATION_FIELDS
from drugmentions.sources.conform import conform
from drugmentions.sources.reading import Reading, open_fast

Planned = Callable[..., SourceFile]
Fast = Callable[..., Reading | None]

HEADER = "title,id,date\n"


@pytest.mark.parametrize(
    ("cell", "is_untidy"),
    [
        ("plain", False),
        ("two words", False),
        ('"a, b"', False),
        ('"a , b"', False),
        ("", False),
        ('""', False),
        (" a", True),
        ("a ", True),
        (" ", True),
        ('" a"', True),
        ('"a "', True),
        ("a  b", True),
        ('"a,  b"', True),
        ("a\tb", True),
        ("a\\xc3\\xa9", True),
        ("\u00e9", True),
        ('"say ""a"""', True),
        ('""""""', True),
    ],
)
@pytest.mark.parametrize("before", range(0, 18, 3))
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_cell_that_cleaning_may_change_is_known(
    cell: str, is_untidy: bool, before: int, end: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(f"h\r\n{'x' * before},a\n{cell},{cell},z\nb,{cell}{end}".encode())
    checked = line_check.check_lines(str(tmp_path / "x"), 1, ",")
    assert checked
    assert checked.lines == 3
    masks = checked.untidy or {}
    assert {column: mask.arg_true().to_list() for column, mask in masks.items()} == (
        {0: [2], 1: [2, 3]} if is_untidy else {}
    )


@pytest.mark.parametrize(
    "line", ['a"b', '"a"b', '"a', 'a,"b', '"a""', '"a\nb"', "a\rb", '"a\r"', '"a" ,b', ' "a"', '"a"\rb', "a\r"]
)
@pytest.mark.parametrize("before", range(0, 18, 3))
def test_what_polars_may_misread_is_not_clean(line: str, before: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(f"h\n{'x' * before}\n{line}".encode())
    assert line_check.check_lines(str(tmp_path / "x"), 1, ",") is None


bodies = st.text(alphabet=st.sampled_from('ab,,\n\n  "\r\t\\\u00e9'), max_size=60)


@given(body=bodies, block=st.integers(1, 40))
@example(body='"a\r\n"', block=1)
def test_blocks_change_nothing(body: str, block: int, fast: Fast, planned: Planned) -> None:
    file = planned(HEADER + body)
    whole = open_fast(file, PUBLICATION_FIELDS, compiled=lambda: True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_check, "_BLOCK", block)
        parted = open_fast(file, PUBLICATION_FIELDS, compiled=lambda: True)
        fast(file)
    assert (whole is None) == (parted is None)
    if whole and parted:
        assert parted.read == whole.read
        untidy = [{name: mask.to_list() for name, mask in (some.untidy or {}).items()} for some in (whole, parted)]
        assert untidy[0] == untidy[1]


@given(rows=st.lists(st.tuples(*[st.text(alphabet="ab \u00e9\t\\xc3", max_size=6)] * 3), min_size=1, max_size=9))
def test_publications_are_the_same(rows: list[tuple[str, str, str]], planned: Planned) -> None:
    file = planned(HEADER + "".join(",".join(row) + "\n" for row in rows))
    plain, compiled = (open_fast(file, PUBLICATION_FIELDS, compiled=way) for way in (lambda: False, lambda: True))
    assert plain
    assert compiled
    assert compiled.untidy is not None
    expected = conform(plain.records, (file,)).collect()
    assert conform(compiled.records, (file,), compiled.untidy).collect().equals(expected)


def test_too_many_untidy_cells_are_not_remembered(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    file = planned(HEADER + "a  b,1,\n" * 100)
    monkeypatch.setattr(line_check, "_BLOCK", 64)
    monkeypatch.setattr(line_check, "_MOST", 50)
    reading = open_fast(file, PUBLICATION_FIELDS, compiled=lambda: True)
    assert reading
    assert reading.untidy is None
    assert conform(reading.records, (file,), reading.untidy).collect()["title"].unique().to_list() == ["a b"]


def test_a_run_looks_through_large_files_by_the_engine_that_it_matches_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def by(name: str, check: Callable[..., object]) -> Callable[..., object]:
        def noted(*arguments: object) -> object:
            looked.append(name)
            return check(*arguments)

        return noted

    for name in ("_count_clean", "_check_by_numba"):
        monkeypatch.setattr(delimited, name, by(name, getattr(delimited, name)))
    source = tmp_path / "in"
    source.mkdir()
    (source / "drugs.csv").write_text("drug\nethanol\nbetamethasone\n")
    titles = ["Ethanol  and  b\u00e9tamethasone", '"Oral, ethanol"', "none at all, ethanol", '"say ""ethanol"""', " "]
    rows = [f"{row},{titles[row % 5] if row % 5 != 2 else titles[0]},{row % 28 + 1} May 2020" for row in range(40_000)]
    (source / "pubmed.csv").write_text("id,title,date\n" + "\n".join(rows))
    graphs, rejects = [], []
    for engine in ("polars", "compiled"):
        out = tmp_path / engine
        dm.run(str(source), out=str(out), engine=engine)
        graphs.append((out / "graph.json").read_bytes())
        rejects.append(pl.read_parquet(out / "rejects.parquet"))
    assert looked == ["_count_clean", "_check_by_numba"]
    assert graphs[0] == graphs[1]
    assert rejects[0].equals(rejects[1])
    assert rejects[0].height == 8_000
