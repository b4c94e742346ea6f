"""The evaluation script on a gold standard small enough to count by hand."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "quality.py"
TITLES = ["Ketamine and blood", "Oral ketamine sulfate", "No drug"]
TSV = (
    "doc_id\ttext\tstart\tend\tsurface\ttype\n"
    f"1\t{TITLES[0]}\t0\t8\tKetamine\tChemical\n"
    f"2\t{TITLES[1]}\t5\t21\tketamine sulfate\tChemical\n"
    f"3\t{TITLES[2]}\t\t\t\t\n"
)
PUBTATOR = (
    f"1|t|{TITLES[0]}\n1|a|Ketamine.\n1\t0\t8\tKetamine\tChemical\tD1\n1\t19\t27\tKetamine\tChemical\tD1\n"
    f"1\t13\t18\tblood\tTissue\tD2\n1\tCID\tD1\tD2\n\n2|t|{TITLES[1]}\n2|a|\n2\t5\t21\tketamine sulfate\tChemical\tD1\n"
    f"\n3|t|{TITLES[2]}\n3|a|\n"
)


def evaluate(directory: Path, gold: str, *options: str) -> tuple[list[dict[str, Any]], str]:
    (directory / "gold").write_text(gold)
    (directory / "drugs.csv").write_text("drug\nketamine\nblood\n")
    done = subprocess.run(
        [sys.executable, SCRIPT, "gold", "drugs.csv", "--json", "figures.json", *options],
        cwd=directory, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads((directory / "figures.json").read_text())["rows"], done.stdout


def test_figures_of_each_profile(tmp_path: Path) -> None:
    rows, said = evaluate(tmp_path, TSV, "--profile", "plain", "default", "strict")
    assert [tuple(row["spans"].values()) for row in rows] == [(1, 2, 1), (2, 1, 0), (2, 0, 0)]
    assert rows[0]["span"] == [33.33, 50.0, 40.0]
    assert "wrong: blood 1, ketamine 1\n  missed: ketamine sulfate 1" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--profile", "strict"], (2, 0, 1)),
        (["--profile", "strict", "--types", "Chemical"], (2, 0, 0)),
        (["--profile", "default", "--types", "Chemical"], (2, 1, 0)),
        (["--profile", "default", "--ignore", "Tissue"], (2, 0, 0)),
    ],
)
def test_pubtator_gives_titles_and_types(tmp_path: Path, options: list[str], expected: tuple[int, int, int]) -> None:
    rows, said = evaluate(tmp_path, PUBTATOR, *options)
    right, _, missed = expected
    assert said.startswith(f"3 titles, {right + missed} spans")
    assert tuple(rows[0]["spans"].values()) == expected


def test_parts_share_no_title(tmp_path: Path) -> None:
    titles = []
    for split in ("tune", "held-out", "unseen"):
        _, said = evaluate(tmp_path, TSV, "--split", split)
        titles.append(int(said.partition(" ")[0]))
    assert sum(titles) == 3


def test_rules_are_switched(tmp_path: Path) -> None:
    rows, said = evaluate(tmp_path, TSV, "--rules")
    assert len(rows) == 10
    assert {"default with stop_names", "default without salts"} <= {line[25:53].strip() for line in said.splitlines()}
