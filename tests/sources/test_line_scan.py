"""Files read by compiled code: as clean as Polars finds them, the same records, every cell as cleaning leaves it."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import nanoarrow
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import drugmentions as dm
from drugmentions import extract
from drugmentions.model import SourceFile
from drugmentions.sources import delimited, line_kernel, line_scan
from drugmentions.sources.dates import parse_date_expr
from drugmentions.sources.reading import Reading
from drugmentions.sources.scans import CLEAN, DATE, ROW, prepared_column
from drugmentions.text import clean_text_expr

Planned = Callable[..., SourceFile]
Fast = Callable[..., Reading | None]

HEADER = "title,id,date\n"


BEFORE = [0, 5, 57, 59, 60, 4_091]
"""Letters before what is tried: blocks end behind 64 bytes, and what is marked together behind 4,096."""


def scanned(path: Path, content: str, width: int) -> pl.DataFrame:
    path.write_bytes(content.encode())
    return line_scan.scan_lines(str(path), 1, ",", width).collect()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("plain", "plain"),
        ("two words", "two words"),
        *((text, text) for size in (1, 3, 4, 5, 11, 12, 13, 16, 17) for text in ["abcdefghijklmnopq"[:size]]),
        ("of more than eight bytes", "of more than eight bytes"),
        ('"a, b"', "a, b"),
        ('"a , b"', "a , b"),
        ("", ""),
        ('""', ""),
        (" a", " a"),
        ("a ", "a "),
        (" ", " "),
        ('" a"', " a"),
        ('"a "', "a "),
        ("a  b", "a  b"),
        ('"a,  b"', "a,  b"),
        ("a\tb", "a\tb"),
        ("a\\xc3\\xa9", "a\\xc3\\xa9"),
        ("\u00e9", "\u00e9"),
        ("e\u0301", "e\u0301"),
        ('"say ""a"""', 'say "a"'),
        ('"""a"" and ""b"", or longer words"', '"a" and "b", or longer words'),
        ('""""', '"'),
        ('""""""', '""'),
    ],
)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_cells_are_cut_and_cleaned(cell: str, text: str, before: int, end: str, tmp_path: Path) -> None:
    frame = scanned(tmp_path / "x", f"h\r\n{'x' * before},a\n{cell},{cell},z\nb,{cell}{end}", 3)
    assert frame[ROW].to_list() == [1, 2, 3]
    assert frame.select("0", "1", "2").rows() == [("x" * before, "a", ""), (text, text, "z"), ("b", text, "")]
    for place in range(3):
        assert frame[prepared_column(CLEAN, place)].equals(
            frame.select(clean_text_expr(pl.col(str(place)))).to_series(), null_equal=True
        )


def test_every_character_is_cleaned_that_cleaning_changes(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(0x80, 0x20000) if not 0xD800 <= code < 0xE000]
    cells = [cell.format(character) for cell in ("{}", "e{}b", "a {} b", "ab{}") for character in characters]
    frame = scanned(tmp_path / "x", "h,h\n" + "".join(f"{cell},a{cell}\n" for cell in cells), 2)
    for place in range(2):
        cleaned = frame.select(clean_text_expr(pl.col(str(place)))).to_series()
        assert frame[prepared_column(CLEAN, place)].equals(cleaned, null_equal=True)


@pytest.mark.parametrize("sign", ["", "\u2265", "\u0301", "\u00a0", "\u2009", "\u2028"])
def test_letters_that_nothing_changes_are_not_cleaned(
    sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned: list[pl.Expr] = []

    def clean(text: pl.Expr) -> pl.Expr:
        cleaned.append(text)
        return clean_text_expr(text)

    monkeypatch.setattr(line_scan, "clean_text_expr", clean)
    text = f"na\u00efve \u03b1-blockers \u2013 \u201cGr\u00f6\u00dfe\u201d \u203a{sign}, \u0394\u03c9"
    frame = scanned(tmp_path / "x", f'h\n"{text}"\n', 1)
    assert (
        frame[prepared_column(CLEAN, 0)].to_list() == frame.select(clean_text_expr(pl.col("0"))).to_series().to_list()
    )
    assert bool(cleaned) == bool(sign)


@pytest.mark.parametrize(
    "line",
    ['a"b', '"a"b', '"a', 'a,"b', '"a""', '"a\nb"', "a\rb", '"a\r"', '"a" ,b', ' "a"', '"a"\rb', "a\rb\n", "a,b,c"],
)
@pytest.mark.parametrize("before", [*range(58, 64), *range(4_090, 4_096)])
def test_what_polars_may_misread_is_refused(line: str, before: int, tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="not to be cut"):
        scanned(tmp_path / "x", f"h\n{'x' * before}\n{line}", 2)


def test_what_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"h\na,b\xff\n")
    with pytest.raises(pl.exceptions.ComputeError):
        line_scan.scan_lines(str(tmp_path / "x"), 1, ",", 2).select("0").collect()


def test_parts_of_a_scan_are_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_scan, "_BLOCK", 16)
    (tmp_path / "x").write_text("h\n" + "".join(f"a,{row}\n" for row in range(100)))
    counts: list[int] = []
    scan = line_scan.scan_lines(str(tmp_path / "x"), 1, ",", 2, on_end=counts.append)
    assert scan.select("1", ROW).filter(pl.col(ROW).is_in([7, 50, 99])).collect().rows() == [
        ("6", 7),
        ("49", 50),
        ("98", 99),
    ]
    assert counts == [100]
    assert scan.head(19).collect()[ROW].to_list() == list(range(1, 20))
    assert counts == [100]
    assert scan.select(prepared_column(DATE, 1)).collect().to_series().null_count() == 100


def test_texts_stay_as_long_as_they_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_scan, "_BLOCK", 64)
    lines = [f"{row} is a text that no view holds,{row}" for row in range(1_000)]
    (tmp_path / "x").write_text("h\n" + "\n".join(lines))
    scan = line_scan.scan_lines(str(tmp_path / "x"), 1, ",", 2)
    assert scan.select(pl.concat_str("0", pl.lit(","), "1")).collect().to_series().to_list() == lines


def test_memory_is_taken_again_once_no_text_stands_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(size: int) -> bytearray:
        made.append(bytearray(size))
        return made[-1]

    monkeypatch.setattr(line_scan, "_BLOCK", 64)
    monkeypatch.setattr(line_scan, "bytearray", make, raising=False)
    lines = [f"{row} is a text that no view holds" for row in range(200)]
    (tmp_path / "x").write_text("\n".join(lines))
    with (tmp_path / "x").open("rb") as file:
        for _ in line_scan._blocks(file):
            pass
        assert len(made) == 2
        file.seek(0)
        made.clear()
        texts = [
            line_scan._cut(block, stop, separator=44, width=1, names={"0"}, formats=())["0"]
            for block, stop in line_scan._blocks(file)
        ]
        assert len(made) == len(texts) > 100
        assert pl.concat(texts).to_list() == lines


@pytest.mark.parametrize("is_kept", [False, True])
def test_no_more_memory_is_lent_while_some_may_come_back(
    is_kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def make(size: int) -> bytearray:
        made.append(size)
        return bytearray(size)

    monkeypatch.setattr(line_scan, "_BLOCK", 64)
    monkeypatch.setattr(line_scan, "_LENT", 2 * line_scan._SPARE)
    monkeypatch.setattr(line_scan, "_PATIENCE", 0.3 if is_kept else 60)
    monkeypatch.setattr(line_scan, "bytearray", make, raising=False)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 4)
    lines = b"".join(b"%030d\n" % row for row in range(100))
    (tmp_path / "x").write_bytes(lines)
    held, read = deque[object](), []
    with (tmp_path / "x").open("rb") as file:
        for lent, stop in line_scan._blocks(file):
            read.append(lent[:stop].tobytes())
            held.append(lent)
            if not is_kept and len(held) > 3:  # by another thread, while this one waits
                Timer(0.01, held.popleft).start()
            del lent
    assert b"".join(read) == lines
    assert len(read) > 40
    assert len(made) >= len(read) if is_kept else len(made) <= 5


def test_dates_hold_on_to_nothing_but_themselves(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("h\n" + "1 March 2020\n" * 10_000)
    dates = line_scan.scan_lines(str(path), 1, ",", 1).select(prepared_column(DATE, 0)).collect().to_series()
    assert dates.unique().to_list() == ["2020-03-01"]
    (array,) = nanoarrow.c_array_stream(dates)
    assert array.n_buffers == 3  # validity, views, and how many bytes each other buffer has


bodies = st.text(alphabet=st.sampled_from('ab,,\n\n  "\r\t\\\u00e9'), max_size=60)


@given(body=bodies, block=st.integers(1, 40))
@example(body='"a\r\n"', block=1)
@example(body="a,b,c,\n" * 3 + "a", block=3)
@example(body="a\r", block=1)
def test_blocks_change_nothing(body: str, block: int, fast: Fast, planned: Planned) -> None:
    file = planned(HEADER + body)
    fast(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_scan, "_BLOCK", block)
        fast(file)


@given(rows=st.lists(st.tuples(*[st.text(alphabet="ab \u00e9\t\\xc3", max_size=6)] * 3), min_size=1, max_size=9))
def test_records_are_the_same(rows: list[tuple[str, str, str]], planned: Planned, fast: Fast) -> None:
    assert fast(planned(HEADER + "".join(",".join(row) + "\n" for row in rows)))


def test_a_line_longer_than_blocks_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_scan, "_BLOCK", 16)
    monkeypatch.setattr(line_scan, "_SPARE", 16)
    frame = scanned(tmp_path / "x", f"h\n{'x' * 1000},1\na,2\n{'y' * 500},3", 2)
    assert frame["0"].str.len_bytes().to_list() == [1000, 1, 500]
    assert frame["1"].to_list() == ["1", "2", "3"]


number = st.integers(0, 32)
months = st.sampled_from(["May", "jun", "Sept", "MARCH", "Marc", "Decembre", "Feb"])
others = [
    "2020",
    "2020-03",
    "2020 Mar 1",
    "Spring 2020",
    "2020-03/01",
    "1 May 2020.",
    "12 May  2020",
    " 1 May 2020",
    "x",
]
printed_dates = st.one_of(
    st.builds("{:04}-{:02}-{:02}".format, st.integers(990, 2110), number, number),
    st.builds("{:04}/{:02}/{:02}".format, st.integers(990, 2110), number, number),
    st.builds("{:02}/{:02}/{:04}".format, number, number, st.integers(990, 2110)),
    st.builds("{:d} {} {:04}".format, number, months, st.integers(990, 2110)),
    st.sampled_from(others),
    st.text(alphabet="0129 /-Maycht", max_size=16),
)


@given(dates=st.lists(printed_dates, min_size=1, max_size=20), formats=st.sampled_from([(), ("%m/%d/%Y",)]))
@example(dates=["29/02/1900", "29/02/2000", "2100-12-31", "2101-01-01", "1000-01-01", "0999-12-31"], formats=())
@example(dates=["00/01/2000", "1 January 2000", "01 jan 2000", "31 April 2000", "1  May 2000"], formats=())
def test_dates_are_those_of_polars(
    dates: list[str], formats: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("dates") / "x"
    path.write_text("h\n" + "".join(f"{date},\n" for date in dates))
    frame = line_scan.scan_lines(str(path), 1, ",", 2, formats).collect()
    parsed = frame.select(parse_date_expr(clean_text_expr(pl.col("0")), formats)).to_series()
    assert frame[prepared_column(DATE, 0)].to_list() == parsed.to_list()


def test_a_run_reads_large_files_by_the_engine_that_it_matches_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def by(name: str, check: Callable[..., object]) -> Callable[..., object]:
        def noted(*arguments: object) -> object:
            looked.append(name)
            return check(*arguments)

        return noted

    for name in ("_count_clean", "_read_by_compiled_code"):
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
    assert looked == ["_count_clean", "_read_by_compiled_code"]
    assert graphs[0] == graphs[1]
    assert rejects[0].equals(rejects[1])
    assert rejects[0].height == 8_000


def test_polars_reads_where_compiled_code_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("no LLVM here")

    assert line_scan.can_scan.__wrapped__()
    monkeypatch.setattr(line_kernel, "cut_lines", broken)
    assert not line_scan.can_scan.__wrapped__()
    monkeypatch.setattr(line_scan, "can_scan", line_scan.can_scan.__wrapped__)
    monkeypatch.setattr(extract, "read_slow", broken)
    source = tmp_path / "in"
    source.mkdir()
    (source / "drugs.csv").write_text("drug\nethanol\n" + "".join(f"drug {n}\n" for n in range(100_000)))
    (source / "pubmed.csv").write_text("id,title,date\n" + "".join(f"{n},Ethanol again,2020\n" for n in range(60_000)))
    assert dm.run(str(source), out=str(tmp_path / "out"), engine="compiled").counts["mentions"] == 60_000
