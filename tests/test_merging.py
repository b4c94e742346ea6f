"""Merging within a source: by id and revision, equal records without an id, and those that join a publication."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions import merging
from drugmentions.matching.oracle import normal_form
from drugmentions.merging import merge
from drugmentions.model import PUBLICATION, VERSION_UNIT

Row = dict[str, Any]


def row(at: str, id_: str | None = None, title: str | None = "T", **fields: Any) -> Row:
    """A publication at `file:record`."""
    file, _, record = at.partition(":")
    journal = fields.get("journal")
    return {
        "source": "pubmed",
        "id": id_,
        "title": title,
        "journal_kind": "journal" if journal else None,
        "revision": 0,
        "deleted": title is None,
        "retracted": False,
        "file": file,
        "record": int(record or 1),
        **fields,
    }


def merged(*rows: Row) -> tuple[list[Row], dict[str, tuple[str, str | None]]]:
    """What is left (untouched and merged publications, nulls left out), and what became of the others by place."""
    publications = pl.DataFrame(rows, schema=PUBLICATION)
    result = merge(publications.lazy())
    untouched = publications.filter(~pl.col("deleted")).join(result.touched, on=["file", "record"], how="anti")
    left = pl.concat([untouched, result.merged.select(PUBLICATION.names())]).sort("file", "record").to_dicts()
    shown = ("id", "title", "official_title", "journal", "date")
    outcomes = {
        f"{row['file']}:{row['record']}": (
            row["outcome"],
            f"{row['into_file']}:{row['into_record']}" if row["into_file"] else None,
        )
        for row in result.merges.to_dicts()
    }
    return [{name: row[name] for name in shown if row[name] is not None} for row in left], outcomes


def test_the_later_file_wins_and_its_nulls_are_filled_from_the_highest_below() -> None:
    left, outcomes = merged(
        row("a", "1", "Old", journal="A", date="2018", official_title="Long"),
        row("b", "1", "Middle", journal="B"),
        row("c", "1", "New"),
    )
    assert left == [{"id": "1", "title": "New", "journal": "B", "date": "2018", "official_title": "Long"}]
    assert outcomes == {"a:1": ("overridden", "c:1"), "b:1": ("overridden", "c:1")}


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        (row("a:1", "1", "x"), row("a:2", "1", "y"), "y"),
        (row("a:9", "1", "x"), row("a:10", "1", "y"), "y"),  # records are numbers
        (row("z", "1", "x", revision=0), row("a", "1", "y", revision=1), "y"),
        (row("z", "1", "x", revision=240_001), row("a", "1", "y", revision=240_002), "y"),
        (row("z", "1", "x", revision=250_001), row("a", "1", "y", revision=2 * VERSION_UNIT), "y"),
    ],
)
def test_the_revision_key_is_version_release_file_record(first: Row, second: Row, winner: str) -> None:
    for rows in ((first, second), (second, first)):
        assert [publication["title"] for publication in merged(*rows)[0]] == [winner]


def test_an_id_belongs_to_its_source() -> None:
    left, outcomes = merged(row("a", "1", "x"), row("b", "1", "y", source="clinical_trials"))
    assert [publication["title"] for publication in left] == ["x", "y"]
    assert outcomes == {}


@pytest.mark.parametrize(
    ("tombstone", "left"),
    [
        (row("d", "1", None, revision=240_003), []),
        (row("d", "1", None, revision=240_000), ["old", "new"]),
        (row("b", "1", None, revision=240_001), ["old", "new"]),
        (row("c", "1", None, revision=240_001), ["new"]),  # within a release the file's name decides
        (row("f", "1", None, revision=240_002), []),
        (row("d", "2", None, revision=240_009), ["old", "new"]),
    ],
)
def test_a_deletion_removes_the_records_below_it(tombstone: Row, left: list[str]) -> None:
    old, new = row("b", "1", "old", revision=240_001), row("e", "1", "new", revision=240_002, date="2020")
    publications, outcomes = merged(old, new, tombstone)
    assert [publication["title"] for publication in publications] == left[-1:]
    assert sum(outcome == "deleted" for outcome, _ in outcomes.values()) == 2 - len(left)


def test_a_version_does_not_lift_a_record_above_a_deletion() -> None:
    left, _ = merged(row("a", "1", "x", revision=5 * VERSION_UNIT + 1), row("b", "1", None, revision=2))
    assert left == []


def test_equal_records_without_an_id_are_one() -> None:
    left, outcomes = merged(row("a:1", journal="J"), row("a:2", journal="J"), row("b:1", journal="J", date="2020"))
    assert left == [{"title": "T", "journal": "J"}, {"title": "T", "journal": "J", "date": "2020"}]
    assert outcomes == {"a:2": ("duplicate", "a:1")}


@pytest.mark.parametrize(
    ("publication", "without_id", "joins"),
    [
        ({"date": "2020", "journal": "J"}, {"date": "2020"}, True),
        ({"date": "2020"}, {"date": "2020", "journal": "J"}, True),
        ({"date": "2020", "journal": "the J."}, {"date": "2020", "journal": "The  j"}, True),
        ({"date": "2020", "journal": "J"}, {"date": "2020", "journal": "K"}, False),
        ({"date": "2020"}, {"date": "2020-01"}, False),
        ({"date": "2020"}, {}, False),
        ({}, {}, True),
        ({"title": "Use of X: a trial"}, {"title": "use of X - a trial"}, True),
        ({"title": "Use of X"}, {"title": "Use of Y"}, False),
        ({"source": "pubmed"}, {"source": "clinical_trials"}, False),
    ],
)
def test_a_record_without_an_id_joins(publication: Row, without_id: Row, joins: bool) -> None:
    left, outcomes = merged(row("a", "1", **publication), row("b", **without_id))
    assert outcomes == ({"b:1": ("joined", "a:1")} if joins else {})
    assert len(left) == (1 if joins else 2)


def test_what_joins_fills_nulls_in_order_of_place() -> None:
    left, _ = merged(
        row("z", "1", date="2020"),
        row("b", date="2020", journal="B", official_title="from b"),
        row("a", date="2020", journal="A"),
    )
    assert left == [{"id": "1", "title": "T", "date": "2020", "journal": "A", "official_title": "from b"}]


def test_a_record_that_fits_two_publications_stays_alone() -> None:
    left, outcomes = merged(row("a", "1", date="2020"), row("b", "2", date="2020"), row("c", date="2020"))
    assert len(left) == 3
    assert outcomes == {}


def test_joining_looks_at_merged_publications() -> None:
    left, outcomes = merged(row("a", "1", "old", date="2020"), row("b", "1", "new"), row("c", None, "old", date="2020"))
    assert [publication["title"] for publication in left] == ["new", "old"]
    left, outcomes = merged(row("a", "1", "old", date="2020"), row("b", "1", "new"), row("c", None, "NEW", date="2020"))
    assert outcomes["c:1"] == ("joined", "b:1")


# Against a plain reading of the rules.


def plain_merge(rows: list[Row]) -> list[Row]:
    """The rules, one publication at a time."""
    left: list[Row] = []
    ids = {(row["source"], row["id"]) for row in rows if row["id"] is not None}
    for identity in sorted(ids):
        records = [row for row in rows if (row["source"], row["id"]) == identity]
        removed = [(row["revision"] % VERSION_UNIT, row["file"]) for row in records if row["deleted"]]
        standing = [
            row
            for row in records
            if not row["deleted"] and all((row["revision"] % VERSION_UNIT, row["file"]) >= until for until in removed)
        ]
        if standing:
            left.append(filled(sorted(standing, key=lambda row: (row["revision"], row["file"], row["record"]))[::-1]))
    content = ("source", "title", "official_title", "journal", "date")
    single: dict[tuple[Any, ...], Row] = {}
    for record in sorted((row for row in rows if row["id"] is None), key=lambda row: (row["file"], row["record"])):
        single.setdefault(tuple(record[name] for name in content), record)
    joined: dict[int, list[Row]] = {}
    alone = []
    for record in single.values():
        fitting = [at for at, publication in enumerate(left) if fits(record, publication)]
        if len(fitting) == 1:
            joined.setdefault(fitting[0], []).append(record)
        else:
            alone.append(record)
    return [filled([publication, *joined.get(at, [])]) for at, publication in enumerate(left)] + alone


def fits(record: Row, publication: Row) -> bool:
    ours, theirs = (((row["journal"] or "").casefold().replace(" ", "").rstrip(".")) for row in (record, publication))
    same_title = normal_form(record["title"]) == normal_form(publication["title"])
    same = all(record[name] == publication[name] for name in ("source", "date"))
    return same and same_title and (ours == theirs or not ours or not theirs)


def filled(rows: list[Row]) -> Row:
    return {name: next((row[name] for row in rows if row[name] is not None), None) for name in rows[0]}


records = st.builds(
    lambda source, id_, title, journal, date, official, revision, deleted: row(
        "x", id_, title, source=source, journal=journal, date=date, official_title=official, revision=revision,
        deleted=deleted and id_ is not None,
    ),
    st.sampled_from(["pubmed", "clinical_trials"]),
    st.sampled_from([None, None, "1", "2"]),
    st.sampled_from(["A b", "a-B", "C"]),
    st.sampled_from([None, "J", "j.", "K"]),
    st.sampled_from([None, "2020"]),
    st.sampled_from([None, None, "O", "P"]),
    st.sampled_from([0, 1, 2, VERSION_UNIT]),
    st.sampled_from([False, False, False, True]),
)  # fmt: skip


@given(st.lists(records, max_size=10), st.randoms(use_true_random=False), st.sampled_from([1, 2, 1_000]))
def test_agrees_with_a_plain_reading(rows: list[Row], random: Any, bucket: int) -> None:
    rows = [{**record, "file": "abc"[at % 3], "record": at} for at, record in enumerate(rows)]
    shuffled = random.sample(rows, len(rows))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(merging, "BUCKET", bucket)
        left, _ = merged(*shuffled)
    shown = ("id", "title", "official_title", "journal", "date")
    wanted = [{name: row[name] for name in shown if row[name] is not None} for row in plain_merge(rows)]
    order = sorted(wanted, key=lambda row: sorted(row.items()))
    assert sorted(left, key=lambda row: sorted(row.items())) == order
