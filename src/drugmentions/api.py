"""The Python face: what a notebook or another pipeline needs to reuse a single step."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from drugmentions.config import Config, Matching, load_config
from drugmentions.errors import NoDrugsError
from drugmentions.extract import read_drug_lists
from drugmentions.graph import Graph, load_graph
from drugmentions.matching.engine import find_mentions
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.rules import build_rules
from drugmentions.outputs import scan_mentions, scan_publications, scan_rejects
from drugmentions.pipeline import RunReport, check_lexicon
from drugmentions.pipeline import run as _run
from drugmentions.plan import plan_drug_lists
from drugmentions.queries import drugs_of_journal, journals_of_drug, related_drugs, top_journals

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
    lists, _ = plan_drug_lists([str(path) for path in paths], Config())
    readable = [file for file in lists if not file.note]
    if not readable:
        notes = "; ".join(f"{file.file}: {file.note}" for file in lists) or "no file"
        raise NoDrugsError(f"no drug list: {notes}", "a drug list is a table with a column `drug`")
    with tempfile.TemporaryDirectory(prefix="drugmentions-") as scratch:
        lexicon, _, _ = read_drug_lists(readable, Path(scratch), build_rules(matching))
    check_lexicon(lexicon, [file.file for file in readable])
    return lexicon


def run(*inputs: str | Path, out: str | Path = "out", drugs: Sequence[str | Path] = (), **flags: object) -> RunReport:
    """Read `inputs` and write graph, mentions, rejects and report into `out`, as the command does; returns the report.

    `flags` are those of the command (`strict`, `max_rejects`, `overlaps`, ...); environment and drugmentions.toml count
    too. Raises an error of `drugmentions.errors`; the outputs are then the old ones.
    """
    config = load_config(None, os.environ, {"out": out, "drugs": list(drugs), **flags})
    return _run([str(path) for path in inputs], config)
