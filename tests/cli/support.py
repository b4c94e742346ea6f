"""What tests of the command share: how a process ended, and what a run left in a directory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
DRUGS = "atccode,drug\nV03AB,ETHANOL\nA01AD,EPINEPHRINE\n"
PUBMED = "id,title,date,journal\n1,Ethanol in mice,01/01/2020,J\n2,Epinephrine and ethanol,2020-01-02,K\n"


class Done(NamedTuple):
    """A process that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


class Outputs:
    """What a run left in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.graph = json.loads((path / "graph.json").read_bytes())
        self.run = json.loads((path / "run.json").read_bytes())
        self.mentions = pl.read_parquet(path / "mentions.parquet")
        self.rejects = pl.read_parquet(path / "rejects.parquet")

    def found(self) -> set[tuple[str, str | None]]:
        """Pairs of drug and id."""
        return set(self.mentions.select("drug", "id").rows())

    def file(self, name: str) -> dict[str, Any]:
        """What run.json says of a source file; checks that its records add up."""
        report = next(file for file in self.run["files"] if file["file"] == name)
        parts = ("publications", "deletions", "rejects", "blanks")
        assert report["read"] == sum(report[part] for part in parts)
        return dict(report)


Read = Callable[[], Outputs]
