"""Questions asked of the table of mentions: what matches most, and where."""

from typing import Any

import polars as pl
import pytest

from drugmentions.model import MENTION
from drugmentions.queries import frequent_names, mentions_of_drug, with_marked_titles


def table(*rows: tuple[str, str, list[tuple[int, int, str]]], **same: Any) -> pl.LazyFrame:
    """Mentions of drug, title and spans."""
    return pl.LazyFrame(
        [
            {
                "drug": drug,
                "title": title,
                "found_in": "title",
                "spans": [{"start": start, "end": end, "term": term} for start, end, term in spans],
            }
            | same
            for drug, title, spans in rows
        ],
        schema=MENTION,
    )


@pytest.mark.parametrize(
    ("title", "spans", "marked"),
    [
        ("Ketamine", [(0, 8)], "[[Ketamine]]"),
        ("é ketamine\u0301 x", [(2, 11)], "é [[ketamine\u0301]] x"),
        ("a bb a", [(0, 1), (5, 6)], "[[a]] bb [[a]]"),
        ("aa bb", [(0, 5), (0, 2), (3, 5)], "[[aa bb]]"),  # overlaps = "all"
        ("aa bb cc", [(0, 5), (3, 8)], "[[aa bb]] cc"),
        ("aa", [], "aa"),
    ],
)
def test_spans_are_marked(title: str, spans: list[tuple[int, int]], marked: str) -> None:
    mentions = table(("A", title, [(start, end, "t") for start, end in spans]))
    assert with_marked_titles(mentions).collect()["title"].to_list() == [marked]


def test_spans_of_another_title_are_not_marked() -> None:
    mentions = table(("A", "brief", [(0, 3, "t")]), found_in="official_title")
    assert with_marked_titles(mentions).collect()["title"].to_list() == ["brief"]


MENTIONS = table(
    ("A", "b a", [(2, 3, "a")]),
    ("A", "a aa", [(0, 1, "a"), (2, 4, "aa")]),
    ("B", "a aa", [(0, 1, "a")]),
    ("C", "c", [(0, 1, "c")]),
)


def test_frequent_terms_and_drugs() -> None:
    assert frequent_names(MENTIONS).collect().rows() == [
        ("a", ["A", "B"], 3, ["b [[a]]", "[[a]] [[aa]]", "[[a]] aa"]),
        ("aa", ["A"], 1, ["[[a]] [[aa]]"]),
        ("c", ["C"], 1, ["[[c]]"]),
    ]
    assert frequent_names(MENTIONS, by="drug", limit=2, samples=1).collect().rows() == [
        ("A", 2, ["b [[a]]"]),
        ("B", 1, ["[[a]] aa"]),
    ]


def test_mentions_of_a_drug_keep_their_order() -> None:
    found = mentions_of_drug(MENTIONS, "A").collect()
    assert found.select("terms", "title").rows() == [(["a"], "b [[a]]"), (["a", "aa"], "[[a]] [[aa]]")]
    assert mentions_of_drug(MENTIONS, "none").collect().is_empty()
