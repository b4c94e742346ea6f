"""The graph as it is written and read back: its bytes, its order, and that buckets don't show."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drugmentions import sorted_runs
from drugmentions.durable import current_fingerprint, digest
from drugmentions.errors import OutputError
from drugmentions.graph import encoding, form, writing
from drugmentions.graph.reading import GRAPH_MENTION, load_graph
from drugmentions.graph.writing import Standing, count_drugs, index_drugs, write_graph
from drugmentions.model import MENTION, MENTION_PART

GOLDEN = Path(__file__).parent / "golden" / "graph.json"
DRUGS = pl.DataFrame(
    {
        "drug": ["ATROPINE", 'Zinc "oxide"', "β-carotene"],
        "atccode": ["A03BA", None, "1"],
        "atccodes": [["A03BA", "S01"], [], ["1"]],
    },
    schema={"drug": pl.String, "atccode": pl.String, "atccodes": pl.List(pl.String)},
)
Writer = Callable[..., tuple[bytes, pl.DataFrame]]


def mention(drug: str = "ATROPINE", **fields: Any) -> dict[str, Any]:
    return {
        "drug": drug, "source": "pubmed", "title": "T", "retracted": False, "found_in": "title", "spans": [],
        "file": "f", "record": 1, "journal_kind": "journal" if fields.get("journal") else None, **fields,
    }  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def written(
        rows: list[dict[str, Any]],
        sources: tuple[str, ...] = (),
        drugs: pl.DataFrame = DRUGS,
        standing: list[Standing] | None = None,
    ) -> tuple[bytes, pl.DataFrame]:
        """Write a graph, beside the last one of `standing`, which it joins; every second one by compiled code."""
        number = len(list(tmp_path.iterdir()))
        directory = tmp_path / str(number)
        (directory / "scratch").mkdir(parents=True)
        mentions = pl.LazyFrame(rows, schema=MENTION_PART)
        json_path, table = directory / "graph.json", directory / "mentions.parquet"
        before = standing[-1] if standing else None
        index = index_drugs(mentions, drugs, sources)
        known = index if before else count_drugs(mentions, drugs)
        graph = write_graph(
            mentions,
            known,
            sources,
            json_path,
            table,
            directory / "scratch",
            standing=before,
            compiled=number % 2 == 1,
        )
        written = graph.drugs
        assert written.drop("bytes").equals(index)
        assert graph.sha256 == digest(json_path)
        if standing is not None:
            fingerprints = current_fingerprint(json_path), current_fingerprint(table)
            assert all(fingerprints)
            standing.append(Standing(json_path, table, fingerprints, written))  # type: ignore[arg-type]
        assert written["len"].sum() == len(rows)
        assert_drugs_stand_there(written, json_path.read_bytes())
        return json_path.read_bytes(), pl.read_parquet(table)

    return written


def assert_drugs_stand_there(drugs: pl.DataFrame, written: bytes) -> None:
    at = len(form.HEAD)
    for row in drugs.to_dicts():
        assert orjson.loads(written[at : at + row["bytes"]])["drug"] == row["drug"]
        at += row["bytes"] + len(form.BETWEEN)


def test_the_bytes_of_a_graph(write: Writer) -> None:
    rows = [
        mention(id="2", title='Say "\\" \u2028\x07 é', journal="J", date="2020-03-01"),
        mention(id="1", title="No journal"),
        mention("β-carotene", source="clinical_trials", id="NCT1", journal="Acme", journal_kind="sponsor", date="2020"),
        mention("β-carotene", id="3", journal="J", date="2003-04", retracted=True),
    ]  # fmt: skip
    for _ in range(2):
        assert write(rows)[0] == GOLDEN.read_bytes()


def test_an_object_a_line_in_compact_form(write: Writer) -> None:
    written, _ = write([mention(id="1", journal="J", date="2020"), mention("β-carotene")])
    head, *lines = written.decode().removesuffix("]}\n").split("\n")
    assert head == '{"schema":"drugmentions/graph/1","drugs":['
    objects = [line.removesuffix(",") for line in lines]
    assert [orjson.dumps(orjson.loads(text)).decode() for text in objects] == objects
    assert [json.loads(text)["drug"] for text in objects] == DRUGS["drug"].to_list()


def test_mentions_are_sorted_by_date_id_title_journal_nulls_last(write: Writer) -> None:
    keys = [
        ("2019", "9", "b", "J"), ("2019-01", "1", "a", None), ("2019-01-02", "10", "a", "J"),
        ("2019-01-02", "9", "a", "J"), ("2019-01-02", "9", "b", "J"), ("2019-01-02", "9", "b", "K"),
        ("2019-01-02", "9", "b", None),
        ("2019-01-02", None, "a", "A"), (None, "1", "a", "A"), (None, None, "a", None),
    ]  # fmt: skip
    rows = [mention(date=date, id=id_, title=title, journal=journal) for date, id_, title, journal in keys]
    written, table = write(rows[::-1])
    found = json.loads(written)["drugs"][0]["mentions"]["pubmed"]
    assert [(each["date"], each["id"], each["title"], each["journal"]) for each in found] == keys
    assert table.select("date", "id", "title", "journal").rows() == keys
    assert table.schema == MENTION


def test_journals_are_distinct_and_sorted_and_null_ones_give_none(write: Writer) -> None:
    rows = [
        mention(id="1", journal="K", date="2020"), mention(id="2", journal="K", date="2020"),
        mention(id="3", journal="J"), mention(id="4", date="2020"), mention(id="5", journal="J", date="2020"),
        mention(id="6", journal="J", date="2020", source="clinical_trials"),
    ]  # fmt: skip
    journals = json.loads(write(rows)[0])["drugs"][0]["journals"]
    assert [(each["date"], each["journal"], each["source"]) for each in journals] == [
        ("2020", "J", "clinical_trials"), ("2020", "J", "pubmed"), ("2020", "K", "pubmed"), (None, "J", "pubmed"),
    ]  # fmt: skip


def test_every_source_is_a_key_of_every_drug(write: Writer) -> None:
    for drug in json.loads(write([mention(source="europepmc")], ("registry",))[0])["drugs"]:
        assert list(drug["mentions"]) == ["clinical_trials", "europepmc", "pubmed", "registry"]


def test_it_fits_its_schema(write: Writer) -> None:
    schema = json.loads((files("drugmentions") / "schemas" / "graph.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(GOLDEN.read_bytes()), schema)
    broken = json.loads(GOLDEN.read_bytes())
    broken["drugs"][0]["mentions"]["pubmed"][0]["date"] = "1/1/2020"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


text = st.none() | st.sampled_from(["", "a", "b", 'q"', "é", "\u2028", "2020", "\\"])
mentions = st.lists(
    st.builds(
        mention,
        st.sampled_from(DRUGS["drug"].to_list()),
        id=text,
        title=st.sampled_from(["T", "t", "ß"]),
        journal=text,
        date=st.sampled_from([None, "2020", "2020-01"]),
        source=st.sampled_from(["pubmed", "clinical_trials"]),
        retracted=st.booleans(),
        journal_kind=st.sampled_from(["journal", "sponsor"]),
        record=st.integers(0, 3),
    ),
    max_size=12,
)


def make_all_small(patched: pytest.MonkeyPatch, bucket: int) -> None:
    """Few mentions fill whatever is worked on at a time."""
    patched.setattr(writing, "BUCKET", bucket)
    patched.setattr(writing, "FEW", 2)
    patched.setattr(encoding, "PIECE", 2)
    patched.setattr(sorted_runs, "RUN", 4)
    patched.setattr(sorted_runs, "GROUP", 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mentions, st.randoms(use_true_random=False), st.sampled_from([1, 3, 100]))
def test_order_and_buckets_change_nothing(write: Writer, rows: list[dict[str, Any]], random: Any, bucket: int) -> None:
    whole, table = write(rows)
    with pytest.MonkeyPatch.context() as patched:
        make_all_small(patched, bucket)
        again, table_again = write(random.sample(rows, len(rows)))
    assert again == whole
    assert table_again.equals(table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mentions, mentions, st.sets(st.integers(0, 2)), st.sampled_from([(), ("registry",)]), st.sampled_from([1, 3, 100])
)
def test_what_stands_is_copied_and_changes_nothing(
    write: Writer,
    rows: list[dict[str, Any]],
    more: list[dict[str, Any]],
    left: set[int],
    sources: tuple[str, ...],
    bucket: int,
) -> None:
    drugs = DRUGS[sorted(left)]
    kept = [row for row in rows + more if row["drug"] in drugs["drug"]]
    standing: list[Standing] = []
    with pytest.MonkeyPatch.context() as patched:
        make_all_small(patched, bucket)
        write(rows, standing=standing)
        beside, table_beside = write(kept, sources, drugs, standing)
        back, table_back = write(rows, standing=standing)
    anew, table_anew = write(kept, sources, drugs)
    assert (beside, table_beside.rows()) == (anew, table_anew.rows())
    first, table_first = write(rows)
    assert (back, table_back.rows()) == (first, table_first.rows())


def test_drugs_that_stand_are_not_encoded_again(write: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [mention(id="1", date="2020"), mention("β-carotene", id="2")]
    standing: list[Standing] = []
    write(rows, standing=standing)
    encoded: list[list[str]] = []
    as_table = encoding.as_table

    def noted(ordered: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
        encoded.append(drugs["drug"].to_list())
        return as_table(ordered, drugs)

    monkeypatch.setattr(encoding, "as_table", noted)
    for number in ("3", "4"):
        write([*rows, mention("β-carotene", id=number)], standing=standing)
    assert encoded == [["β-carotene"]] * 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mentions)
def test_what_is_written_is_read_back(write: Writer, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    written, table = write(rows)
    path = tmp_path / "0" / "again.json"
    order = GRAPH_MENTION.names()
    for text in (written, orjson.dumps(orjson.loads(written), option=orjson.OPT_INDENT_2)):
        path.write_bytes(text)
        found = load_graph(path)
        assert found.drugs.equals(DRUGS)
        wanted = table.select(order).with_columns(
            journal_kind=pl.when(pl.col("journal_kind") == "sponsor")
            .then(pl.lit("sponsor"))
            .when(pl.col("journal").is_not_null())
            .then(pl.lit("journal"))
        )
        assert found.mentions.collect().sort(order).equals(wanted.sort(order))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"schema":"other"}', '{"schema":"drugmentions/graph/1"}', "{}", "1"]
)
def test_what_is_no_graph_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "graph.json"
    path.write_text(content)
    with pytest.raises(OutputError, match=r"graph\.json: not a graph"):
        load_graph(path)


def test_no_graph_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        load_graph(tmp_path)
