"""What benchmark scripts promise: corpora that grow by themselves, memory of whole trees, ratios that are guarded."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import corpus
import growth
import limit
import measuring
import peers
import plot
import polars as pl
import pytest
import regression
import run_against_peers
import tables
from corpus import Titles

BENCHMARKS = Path(corpus.__file__).parent


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "CHUNK", 1000)
    monkeypatch.setattr(corpus, "DISTINCT", 2)


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


# The corpus.


def test_longer_corpora_begin_with_the_shorter_ones(tmp_path: Path, small_chunks: None) -> None:
    titles = Titles(tmp_path / "grown.csv", drawn=10)
    lengths = []
    for count in (700, 1000, 3100):
        lengths.append(titles.grow(titles=count).stat().st_size)
        assert read(titles.path).height == count
    at_once = Titles(tmp_path / "at-once.csv", drawn=10).grow(titles=3100)
    assert at_once.read_bytes() == titles.path.read_bytes()
    assert Titles(tmp_path / "short.csv", drawn=10).grow(titles=700).read_bytes() == at_once.read_bytes()[: lengths[0]]


def test_titles_that_come_again_are_other_publications(tmp_path: Path, small_chunks: None) -> None:
    rows = read(Titles(tmp_path / "titles.csv", drawn=10).grow(titles=4000))
    assert rows["title"].head(2000).equals(rows["title"].tail(2000))
    assert rows["id"].n_unique() == 4000
    assert not rows["journal"].head(2000).equals(rows["journal"].tail(2000))


def test_titles_left_out_are_the_first_ones(tmp_path: Path, small_chunks: None) -> None:
    whole = read(Titles(tmp_path / "whole.csv", drawn=10).grow(titles=1500))
    rest = read(Titles(tmp_path / "rest.csv", drawn=10, first=1200).grow(titles=1500))
    assert rest.equals(whole.tail(300))


def test_a_corpus_as_large_as_was_asked_for(tmp_path: Path, small_chunks: None) -> None:
    size = Titles(tmp_path / "titles.csv", drawn=10).grow(megabytes=1).stat().st_size
    assert 1e6 <= size < 1.3e6


def test_a_longer_drug_list_holds_the_shorter_one_and_no_word_of_titles(tmp_path: Path) -> None:
    short, long = (read(corpus.write_drugs(tmp_path / f"{n}.csv", n)) for n in (50, 5000))
    assert short.equals(long.head(50))
    assert long["drug"].n_unique() == 5000
    assert not set(long["drug"]) & set(corpus.title_words(1))


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_the_share_of_titles_that_name_drugs(tmp_path: Path, small_chunks: None, share: float) -> None:
    names = [name.lower() for name in corpus.drug_names(10)]
    titles = read(Titles(tmp_path / "titles.csv", share=share, drawn=10).grow(titles=2000))["title"]
    found = titles.str.to_lowercase().str.contains_any(names).mean()
    assert found == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("kind", corpus.FORMATS)
def test_every_format_holds_the_same_rows(tmp_path: Path, small_chunks: None, kind: str) -> None:
    rows = read(Titles(tmp_path / "titles.csv", drawn=10).grow(titles=50))
    path = corpus.convert(tmp_path / "titles.csv", kind)
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "json": pl.read_json,
        "ndjson": pl.read_ndjson,
        "parquet": pl.read_parquet,
    }
    assert readers.get(kind, read)(path).equals(rows)


# Processes.

CHILD = "x = bytearray(150 << 20); import time; time.sleep(0.5)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}]); print('said')"


def test_memory_of_children_counts_and_that_of_parents_does_not() -> None:
    own = bytearray(400 << 20)
    timing = measuring.measure([sys.executable, "-c", PARENT])
    del own
    assert 150 < timing.peak < 300
    assert timing.said == "said"
    assert 0 < timing.cpu < timing.seconds - 0.4  # the child sleeps for half a second


def timing(seconds: float, cpu: float, peak: float) -> measuring.Timing:
    return measuring.Timing(seconds, cpu, peak, "", {})


def test_the_best_of_some_rounds_and_no_second_one_of_what_is_slow() -> None:
    rounds: dict[str, Iterator[measuring.Timing]] = {
        "quick": iter([timing(2, 3, 10), timing(1, 4, 20)]),
        "slow": iter([timing(9, 9, 9)]),
    }
    best = measuring.best_of(2, {name: lambda of=of: next(of) for name, of in rounds.items()}, patience=5)  # type: ignore[misc]
    assert best == {"quick": timing(1, 3, 20), "slow": timing(9, 9, 9)}


# Peers.


@pytest.mark.parametrize("way", sorted(set(peers.WAYS) - {"scan", "spark"}))  # Spark takes ten seconds to start
def test_ways_count_the_same_pairs(tmp_path: Path, way: str) -> None:
    if lacking := run_against_peers.missing(way):
        pytest.skip(f"{lacking} is missing")
    (tmp_path / "drugs.csv").write_text("drug\nAspirin\nfolic acid\n2-naphthol\nbeta-carotene\n")
    titles = ["Aspirin, 2-naphthol", "FOLIC ACID-induced folic", "aspirins and paspirin", "On beta-carotene (n=2)"]
    (tmp_path / "pubmed.csv").write_text(
        "id,title,date,journal\n" + "".join(f'{n},"{title}",2020,J\n' for n, title in enumerate(titles))
    )
    assert peers.WAYS[way](str(tmp_path / "drugs.csv"), str(tmp_path / "pubmed.csv")) == 4


@pytest.mark.parametrize(
    ("way", "terms", "titles"), [("pandas", 10_000, 2000), ("spacy", 10_000, 200_000), ("loop", 10_000, 1_000_000)]
)
def test_slow_ways_are_given_the_first_titles(way: str, terms: int, titles: int) -> None:
    assert run_against_peers.capped(way, 1_000_000, terms) == titles


# Ratios.


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"case": ["way", "names"], "rows": [{"way": "loop", "names": 7, "seconds": 1, **row} for row in rows]}


@pytest.mark.parametrize(
    ("recorded", "measured", "fallen"),
    [
        ({"cpu_ratio": 1}, {"cpu_ratio": 1}, 0),
        ({"cpu_ratio": 1}, {"cpu_ratio": 5}, 0),
        ({"cpu_ratio": 1}, {"cpu_ratio": 0.76}, 0),
        ({"cpu_ratio": 1}, {"cpu_ratio": 0.74}, 1),
        ({"memory_ratio": 0.8}, {"memory_ratio": 0.61}, 0),
        ({"memory_ratio": 0.8}, {"memory_ratio": 0.59}, 1),
        ({"ratio": 10}, {"ratio": 4.1}, 0),
        ({"ratio": 10}, {"ratio": 3.9}, 1),
        ({"ratio": 10, "cpu_ratio": 10}, {"ratio": 3.9, "cpu_ratio": 6}, 2),
        ({"ratio": None}, {"ratio": None}, 0),
        ({"ratio": 1}, {"ratio": None}, 1),
        ({"ratio": 1}, {}, 1),
        ({"ratio": 1}, {"ratio": 1, "names": 8}, 1),
        ({"seconds": 1}, {"seconds": 9}, 0),
    ],
)
def test_what_fell(recorded: dict[str, Any], measured: dict[str, Any], fallen: int) -> None:
    compared = list(regression.compare(results(recorded), results(measured)))
    assert sum(worse for _, worse in compared) == fallen


@pytest.mark.parametrize(("now", "fell"), [(0.5, False), (1.0, False), (2.0, True)])
def test_a_run_by_another_engine_is_worse_where_it_takes_longer(now: float, fell: bool) -> None:
    before, after = ({"case": ["way"], "rows": [{"way": "run compiled", "cpu_ratio": ratio}]} for ratio in (1.0, now))
    assert [worse for _, worse in regression.compare(before, after)] == [fell]


def test_a_doubled_tolerance_lets_more_pass() -> None:
    lines = list(regression.compare(results({"cpu_ratio": 1}), results({"cpu_ratio": 0.5}), 2))
    assert lines == [("loop 7 cpu_ratio: 1 recorded, 0.5 now", False)]


def write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found))


def test_a_fall_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*flags: str) -> int:
        monkeypatch.setattr(sys, "argv", ["regression.py", str(tmp_path / "old"), str(tmp_path / "new"), *flags])
        return regression.main()

    write(tmp_path / "new/growth.json", results({"cpu_ratio": 1}))
    write(tmp_path / "new/limit.json", results({}))
    with pytest.raises(SystemExit, match="no ratio is recorded"):
        run()
    assert run("--record") == 0
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["growth.json"]
    assert run() == 0
    write(tmp_path / "new/growth.json", results({"cpu_ratio": 0.5}))
    assert run() == 1
    assert "WORSE growth: loop 7 cpu_ratio: 1 recorded, 0.5 now, fell\n1 of 1 ratios fell" in capsys.readouterr().out
    (tmp_path / "new/growth.json").unlink()
    with pytest.raises(SystemExit, match="not there"):
        run()


def test_what_is_recorded_has_ratios() -> None:
    recorded = sorted((BENCHMARKS / "results/short").glob("*.json"))
    assert {path.stem for path in recorded} == {"growth", "incremental", "run_against_peers"}
    for path in recorded:
        assert regression.ratios(json.loads(path.read_bytes()))


# Stages and files.


def test_stages_add_up_to_their_steps() -> None:
    calls = ("scan_csv", "scan_parquet", "read", "clean", "parts", "cut", "join", "verify", "spans", "merge")
    took = {name: float(place) for place, name in enumerate(calls)}
    steps = {"plan": 1.0, "extract": 20.0, "assemble": 30.0}
    found = limit.stages(took, steps, run=60)
    for step in ("extract", "assemble"):
        assert sum(value for (of, _), value in found.items() if of == step) == steps[step]
    assert found["run", "start"] == 9
    assert found["extract", "verify"] == 1


@pytest.mark.parametrize("files", [1, 7, 50])
def test_titles_split_into_files_are_the_same(tmp_path: Path, small_chunks: None, files: int) -> None:
    whole = Titles(tmp_path / "titles.csv", drawn=10).grow(titles=50)
    paths = sorted(growth.split(whole, files, 50).rglob("*.csv"))
    assert len(paths) == files
    assert pl.concat(read(path) for path in paths).equals(read(whole))


# Tables and plot.

MACHINE = {
    "date": "2026-01-02",
    "cores": 2,
    "processor": "P",
    "platform": "L",
    "versions": {"python": "3.12"},
    "command": "python x.py",
}


def test_a_table() -> None:
    rows = [
        {"way": "loop", "engine": "default", "titles": 20_000, "ratio": None},
        {"way": "run", "engine": "default", "titles": 7, "ratio": 1.5},
    ]
    found = {"question": "How?", "machine": MACHINE, "case": ["way", "engine"], "rows": rows}
    assert tables.table(found).splitlines()[-4:] == [
        "| way | titles | ratio |",
        "|---|--:|--:|",
        "| loop | 20,000 |  |",
        "| run | 7 | 1.5 |",
    ]
    rows[1]["engine"] = "other"
    assert "| run | other | 7 | 1.5 |" in tables.table(found)


def test_readme_says_what_the_results_say() -> None:
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    marked = [name for _, name, _ in tables.MARKED.findall(text)]
    assert marked == sorted(set(marked), key=marked.index)
    assert {f"results/{path.name}" for path in (BENCHMARKS / "results").glob("*.json")} <= set(marked)
    assert tables.render(text, BENCHMARKS) == text, "python benchmarks/tables.py"


def test_a_point_a_row(tmp_path: Path) -> None:
    rows = [
        {"axis": axis, "at": at, "engine": engine, "seconds": at / 1000, "peak_mib": 300}
        for axis, places in {"titles": (10, 1000), "files": (1, 100), "share": (0, 1)}.items()
        for at in places
        for engine in ("a", "b")
    ]
    plot.draw(rows, tmp_path / "growth.svg")
    drawn = ET.parse(tmp_path / "growth.svg")
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == len(rows)
    assert [float(n) for n in drawn.getroot().attrib["viewBox"].split()] == [0, 0, 900, 520]
