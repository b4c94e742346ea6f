"""What `lexicon check` finds in a list, by small lists with one flaw each."""

import polars as pl
import pytest

from drugmentions.config import Matching
from drugmentions.matching.check import FINDINGS, find_flaws
from drugmentions.matching.lexicon import build_lexicon
from drugmentions.matching.names import count_rules
from drugmentions.matching.rules import build_rules

Row = tuple[str, str]


def names_of(rows: list[Row], profile: str = "default") -> pl.DataFrame:
    lists = pl.DataFrame(rows, schema=["drug", "synonyms"], orient="row").with_columns(atccode=pl.lit(None, pl.String))
    return build_lexicon(lists, build_rules(Matching(profile=profile))).names  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "profile", "found"),
    [
        ([("KETAMINE", "ketalar")], "strict", []),
        ([("2%", "x")], "default", [("dropped", "unusable_names", "2%"), ("dropped", "unusable_names", "x")]),
        ([("WATER", "")], "default", [("suspicious", "stop_names", "WATER")]),
        ([("WATER", "")], "strict", [("dropped", "stop_names", "WATER")]),
        ([("NMDA receptor", "")], "default", [("suspicious", "class_names", "NMDA receptor")]),
        ([("NMDA receptor", "")], "strict", [("dropped", "class_names", "NMDA receptor")]),
        ([("KETAMINE", "ketalar,")], "default", [("changed", "punctuation", "ketalar")]),
        ([("KETAMINE", "ketalar,")], "plain", []),
        ([("ALFA", "shared"), ("BETTA", "Shared")], "plain",
         [("ambiguous", None, "shared"), ("ambiguous", None, "Shared")]),
        ([("KETAMINE HYDROCHLORIDE", ""), ("KETAMINE SULFATE", "")], "default",
         [("ambiguous", None, "KETAMINE HYDROCHLORIDE"), ("ambiguous", None, "KETAMINE SULFATE")]),
        ([("KETAMINE", "Kétamine")], "plain", [("duplicated", None, "KETAMINE")]),
        ([("KETAMINE", ""), ("ketamine", "")], "plain", [("duplicated", None, "KETAMINE")]),
    ],
)  # fmt: skip
def test_flaws(rows: list[Row], profile: str, found: list[tuple[str, str | None, str]]) -> None:
    flaws = find_flaws(names_of(rows, profile))
    assert flaws.schema == FINDINGS
    assert flaws.select("finding", "rule", "term").rows() == found
    assert flaws["remedy"].null_count() == 0


def test_details() -> None:
    flaws = find_flaws(names_of([("ALFA", "shared"), ("BETTA", "shared|SHARED")], "plain"))
    assert flaws.select("drug", "detail").rows() == [
        ("ALFA", "also of BETTA"),
        ("BETTA", "also of ALFA"),
        ("BETTA", "also of ALFA"),
        ("BETTA", "2 times: SHARED, shared"),
    ]


def test_rules_are_counted() -> None:
    rows = [("KETAMINE HYDROCHLORIDE", "ketalar,|NO|blood|2%"), ("sulfazine", ""), ("NMDA receptor", "")]
    assert count_rules(names_of(rows, "strict")) == {
        "punctuation": 1, "unusable_names": 1, "stop_names": 1, "stop_synonyms": 0, "class_names": 1,
        "salts": 1, "spelling": 4, "short_names": 1,
    }  # fmt: skip
    assert count_rules(names_of(rows, "plain")) == {
        "punctuation": 0, "unusable_names": 1, "stop_names": 0, "stop_synonyms": 0, "class_names": 0,
        "salts": 0, "spelling": 0, "short_names": 1,
    }  # fmt: skip
