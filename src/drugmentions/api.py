"""The Python face: what a notebook or another pipeline needs to reuse a single step."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from drugmentions.config import Config, Matching, load_config
from drugmentions.errors import NoDrugsError
from drugmentions.extract import read_drug_lists
from drugmentions.graph.reading import Graph, load_graph
from drugmentions.lists import check_lexicon
from drugmentions.matching.check import FINDINGS, find_flaws
from drugmentions.matching.engine import find_mentions
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.names import count_rules
from drugmentions.matching.rules import build_rules
from drugmentions.outputs import scan_mentions, scan_publications, scan_rejects
from drugmentions.pipeline import run as _run
from drugmentions.plan import plan_drug_lists
from drugmentions.queries import drugs_of_journal, journals_of_drug, related_drugs, top_journals
from drugmentions.report import RunReport

__all__ = [
    "Graph",
    "Lexicon",
    "drugs_of_journal",
    "find_mentions",
    "journals_of_drug",
    "load_graph",
    "read_lexicon",
    "related_drugs",
    "run",
    "scan_mentions",
    "scan_publications",
    "scan_rejects",
    "top_journals",
]

_DEFAULT = Matching()


def read_lexicon(*paths: str | Path, matching: Matching = _DEFAULT) -> Lexicon:
    """Read drug lists (files, globs or directories of them) and merge them into a lexicon, by the rules of `matching`.

    Raises NoInputError for a path that doesn't exist, NoDrugsError where no list holds a usable name, ConfigError for
    a stop list that can't be read.
    """
    lexicon, _, files = _read_lists(paths, matching)
    check_lexicon(lexicon, files)
    return lexicon


class CheckedLists(NamedTuple):
    """What `check_drug_lists` found: how many drugs and names there are, what each rule did, and `FINDINGS`."""

    drugs: int
    names: int
    rules: dict[str, int]
    findings: pl.DataFrame


def check_drug_lists(*paths: str | Path, matching: Matching = _DEFAULT) -> CheckedLists:
    """Read drug lists as `read_lexicon` does, and say what a person may want to mend in them.

    A list whose names are all dropped is no error here. Raises as `read_lexicon` does else.
    """
    lexicon, rejects, _ = _read_lists(paths, matching)
    record = pl.format("{}, record {}", "file", "record")
    rejected = rejects.select(
        pl.lit("rejected").alias("finding"),
        detail=pl.format("{}: {}", record, "reason"),
        remedy=pl.lit("mend the record"),
    )
    findings = pl.concat([FINDINGS.to_frame(), find_flaws(lexicon.names), rejected], how="diagonal")
    listed = lexicon.names.filter(pl.col("added").is_null())
    return CheckedLists(lexicon.drugs.height, listed.height, count_rules(lexicon.names), findings)


def _read_lists(paths: Sequence[str | Path], matching: Matching) -> tuple[Lexicon, pl.DataFrame, list[str]]:
    """The lexicon of drug lists, the rejected records (`REJECT`), and the names of the files."""
    lists, _ = plan_drug_lists([str(path) for path in paths], Config())
    readable = [file for file in lists if not file.note]
    if not readable:
        notes = "; ".join(f"{file.file}: {file.note}" for file in lists) or "no file"
        raise NoDrugsError(f"no drug list: {notes}", "a drug list is a table with a column `drug`")
    with tempfile.TemporaryDirectory(prefix="drugmentions-") as scratch:
        lexicon, rejects, _ = read_drug_lists(readable, Path(scratch), build_rules(matching))
    return lexicon, rejects, [file.file for file in readable]


def run(*inputs: str | Path, out: str | Path = "out", drugs: Sequence[str | Path] = (), **flags: object) -> RunReport:
    """Read `inputs` and write graph, mentions, rejects and report into `out`, as the command does; returns the report.

    `flags` are those of the command (`strict`, `max_rejects`, `overlaps`, ...); environment and drugmentions.toml count
    too. Raises an error of `drugmentions.errors`; the outputs are then the old ones.
    """
    config = load_config(None, os.environ, {"out": out, "drugs": list(drugs), **flags})
    return _run([str(path) for path in inputs], config)
