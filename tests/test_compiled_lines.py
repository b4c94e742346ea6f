"""Lines of the graph by compiled code: the bytes that Polars gives, whatever stands in them, and whatever room is."""

import ctypes
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drugmentions.compiled import Int
from drugmentions.compiled import _type_of as type_of
from drugmentions.graph import compiled_lines, encoding, lines_kernel
from drugmentions.graph.compiled_lines import can_encode, line_writer
from drugmentions.graph.form import BETWEEN
from drugmentions.model import MENTION_PART

DRUGS = pl.DataFrame(
    {"drug": ["a", 'b "c"', "d", "é"], "atccode": ["A", None, "B", "1"], "atccodes": [["A"], [], ["B", "\\"], ["1"]]}
)
CONTROLS = "".join(map(chr, range(0x20))) + '"\\\x7f '


def sorted_rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    usual = {"drug": "a", "source": "pubmed", "retracted": False, "found_in": "title", "spans": [], "file": "f"}
    return encoding.ordered_mentions(pl.DataFrame([usual | row for row in rows], schema=MENTION_PART), DRUGS)


def written(rows: pl.DataFrame, sources: tuple[str, ...] = ()) -> tuple[bytes, list[int]]:
    file = BytesIO()
    sizes = line_writer(rows, DRUGS, sources)(file)
    return file.getvalue(), sizes.to_list()


def check_same(rows: list[dict[str, Any]], sources: tuple[str, ...] = ()) -> None:
    ordered = sorted_rows(rows)
    lines = [line.encode() for line in encoding.drug_lines(ordered, DRUGS, sources)]
    assert written(ordered, sources) == (BETWEEN.join(lines), list(map(len, lines)))


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little room as there may be, and nothing is written behind it."""
    encode: Callable[..., Int] = lines_kernel.encode
    mark = 99

    def checked(*arguments: Any) -> Int:
        *others, out, room, at, sizes = arguments
        memory = np.full(room + mark, mark, np.uint8)
        size = encode(*others, memory.ctypes.data, room, at, sizes)
        assert (memory[room:] == mark).all()
        ctypes.memmove(out, memory.ctypes.data, int(size))
        return size

    monkeypatch.setattr(compiled_lines, "_ROOM", 1)
    monkeypatch.setattr(lines_kernel, "encode", checked)


texts = st.text(st.one_of(st.sampled_from(CONTROLS + "aé\u2028😀"), st.characters(codec="utf-8")), max_size=30)
rows_of_mentions = st.lists(
    st.fixed_dictionaries(
        {
            "drug": st.sampled_from(DRUGS["drug"].to_list()),
            "source": st.sampled_from(["pubmed", "clinical_trials", "europepmc"]),
            "id": st.none() | texts,
            "title": texts,
            "journal": st.none() | texts,
            "journal_kind": st.sampled_from([None, "journal", "sponsor"]),
            "date": st.sampled_from([None, "2020", "2020-01", "2020-01-02"]),
            "retracted": st.booleans(),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of_mentions, st.sampled_from([(), ("registry",), ('a "source"', "z")]))
@example([{"title": CONTROLS, "id": CONTROLS, "journal": CONTROLS}], ())
def test_the_same_bytes_in_as_little_room_as_there_may_be(
    no_room: None, rows: list[dict[str, Any]], sources: tuple[str, ...]
) -> None:
    check_same(rows, sources)


@pytest.mark.parametrize("size", [*range(28), 100, 1_000, 100_000])
@pytest.mark.parametrize("sign", ["a", '"', "\0", "é"])
def test_titles_of_every_size(no_room: None, sign: str, size: int) -> None:
    check_same([{"title": sign * size, "id": "x" * size}, {"drug": "é", "title": "x" * size + sign}])


@pytest.mark.parametrize("sign", ["a", "\0"])
def test_room_that_ends_anywhere_in_a_mention(no_room: None, sign: str) -> None:
    longest = {"journal": "J", "journal_kind": "sponsor", "retracted": True}
    check_same([{"title": sign * size, "date": str(1_000 + size), **longest} for size in range(300)])


def test_many_mentions_in_usual_room() -> None:
    check_same([{"id": str(nth), "title": "a title " * (nth % 7), "journal": str(nth % 3)} for nth in range(30_000)])


def test_one_code_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = sorted_rows([{"title": f"{nth}", "journal": "J", "date": "2020"} for nth in range(9)])
    frames = [usual, pl.concat([usual.head(1), usual.tail(-1)], rechunk=False), sorted_rows([{"title": "no journal"}])]
    assert [frame.n_chunks() for frame in frames] == [1, 2, 1]
    encode, types = lines_kernel.encode, set()

    def noted(*arguments: Any) -> Any:
        types.add("".join(map(type_of, arguments)))
        return encode(*arguments)

    monkeypatch.setattr(lines_kernel, "encode", noted)
    assert [written(frame) for frame in frames[1:2]] == [written(usual)]
    written(frames[2])
    assert len(types) == 1


def test_it_works_here() -> None:
    assert can_encode()


def test_where_it_raises_polars_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(*_arguments: object) -> int:
        raise RuntimeError("no LLVM here")

    monkeypatch.setattr(lines_kernel, "encode", encode)
    assert not can_encode.__wrapped__()


def test_where_it_writes_something_else_polars_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_lines, "_ENDS", ["]", "]", "]", "]"])
    assert not can_encode.__wrapped__()


SCRIPT = """
import sys
if lacks := "{lacks}":
    sys.modules[lacks] = None
else:
    from drugmentions.graph import compiled_lines
    line_writer = compiled_lines.line_writer
    compiled_lines.can_encode()
    compiled_lines.line_writer = lambda *arguments: print("encoded") or line_writer(*arguments)
import drugmentions
from drugmentions.graph import writing
from drugmentions.matching import engine
engine.WORTH_COMPILING = 1
drugmentions.run(sys.argv[1], out=sys.argv[2])
print(bool(writing._compiled_lines()))
"""


@pytest.mark.parametrize("lacks", ["", "llvmlite", "nanoarrow"])
def test_a_run_takes_compiled_code_where_it_can_be_imported(lacks: str, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    (data / "drugs.csv").write_text("atccode,drug\nA,ethanol\nB,atropine\n")
    rows = [
        f"{nth},Ethanol and {'atropine' if nth % 2 else 'something else'} {nth:99d},1/1/2020,J" for nth in range(9_999)
    ]
    (data / "pubmed.csv").write_text("\n".join(["id,title,date,journal", *rows]))
    script = SCRIPT.format(lacks=lacks)
    done = subprocess.run([sys.executable, "-c", script, data, out], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("False\n" if lacks else "encoded\nTrue\n", 0), done.stderr
    drugs = orjson.loads((out / "graph.json").read_bytes())["drugs"]
    assert [len(drug["mentions"]["pubmed"]) for drug in drugs] == [4_999, 9_999]
