"""Mentions in sorted runs: none is lost, and a range of drugs is read without the rest."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nanoarrow
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drugmentions import sorted_runs
from drugmentions.sorted_runs import collect_picked, of_drugs, sink_beside, sink_runs

drugs = st.sampled_from(["", "a", "b", "ba", "β", "ß", "Z", "\U0010ffff"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(drugs), st.lists(drugs, unique=True), st.integers(1, 5), st.integers(1, 3))
def test_the_mentions_of_some_drugs_are_those_filtered_out(
    tmp_path: Path, names: list[str], wanted: list[str], run: int, group: int
) -> None:
    mentions = pl.DataFrame({"drug": names, "n": range(len(names))}, schema={"drug": pl.String, "n": pl.Int64})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sorted_runs, "RUN", run)
        patched.setattr(sorted_runs, "GROUP", group)
        sink_runs(mentions.iter_slices(3), mentions.schema, tmp_path / "runs")
    held = pl.scan_parquet(tmp_path / "runs", glob=False)
    assert held.sort("n").collect().equals(mentions)
    chosen = pl.Series(wanted, dtype=pl.String)
    among = mentions.filter(pl.col("drug").is_in(wanted))
    assert of_drugs(held, chosen, whole_range=False).sort("n").collect().equals(among)
    if wanted:
        between = mentions.filter((pl.col("drug") >= min(wanted)) & (pl.col("drug") <= max(wanted)))
        assert of_drugs(held, chosen, whole_range=True).sort("n").collect().equals(between)


def test_row_groups_beyond_the_range_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "GROUP", 100)
    names = pl.Series([f"drug {number % 50:02}" for number in range(5_000)])
    mentions = pl.DataFrame({"drug": names, "n": range(5_000)})
    sink_runs([mentions], mentions.schema, tmp_path / "runs")
    raw = bytearray((tmp_path / "runs").read_bytes())
    raw[4 : len(raw) // 2] = bytes(len(raw) // 2 - 4)  # the pages of the drugs that come first
    (tmp_path / "runs").write_bytes(raw)
    held = pl.scan_parquet(tmp_path / "runs", glob=False)
    last = of_drugs(held, pl.Series(["drug 49"]), whole_range=True).select("n").collect(engine="streaming")
    assert last["n"].sort().to_list() == list(range(49, 5_000, 50))
    with pytest.raises(pl.exceptions.PolarsError):
        of_drugs(held, pl.Series(["drug 00"]), whole_range=True).collect(engine="streaming")


@pytest.mark.parametrize("are_left", [False, True])
def test_picked_mentions_hold_on_to_no_others(are_left: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "GROUP", 1_000)
    names = pl.Series([f"drug {number % 50:02}" for number in range(5_000)])
    titles = [f"a long title {number:0200}" for number in range(5_000)]
    mentions = pl.DataFrame({"drug": names, "title": titles, "n": range(5_000)})
    sink_runs([mentions], mentions.schema, tmp_path / "runs")
    held = pl.scan_parquet(tmp_path / "runs", glob=False)
    some = pl.Series(["drug 07", "drug 23"])
    picked = [of_drugs(held, some, whole_range=False), of_drugs(held, some.head(1), whole_range=True)]
    if are_left:
        picked.append(of_drugs(held.slice(700, 2_000), some, whole_range=False))
        picked.append(held.join(pl.LazyFrame({"n": range(100, 5_000)}), on="n", how="anti"))
    for left in picked:
        found = collect_picked(left, are_left=are_left)
        assert 0 < found.height <= 200
        chunks = [chunk.view() for chunk in nanoarrow.c_array_stream(found["title"])]
        memory = [memoryview(chunk.buffer(nth)).nbytes for chunk in chunks for nth in range(1, chunk.n_buffers)]
        assert sum(memory) < 300 * found.height  # not what `estimated_size` adds up, which is what views show


def test_mentions_are_taken_from_any_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "RUN", 70)
    mentions = pl.DataFrame({"drug": [f"drug {number % 50:02}" for number in range(5_000)], "n": range(5_000)})
    with sink_beside(mentions.schema, tmp_path / "runs") as hand_over, ThreadPoolExecutor(4) as pool:
        list(pool.map(hand_over, mentions.iter_slices(9)))
    assert pl.read_parquet(tmp_path / "runs").sort("n").equals(mentions)


def test_who_hands_over_mentions_that_cannot_be_written_does_not_wait(tmp_path: Path) -> None:
    mentions = pl.DataFrame({"drug": ["a"]})

    def hand_over_some() -> None:
        with sink_beside(mentions.schema, tmp_path / "nowhere/runs") as hand_over:
            for _ in range(100):
                hand_over(mentions)

    with pytest.raises(FileNotFoundError):
        hand_over_some()


def test_an_error_of_who_hands_over_mentions_ends_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), sink_beside(pl.Schema({"drug": pl.String()}), tmp_path / "runs"):
        _ = 1 / 0
