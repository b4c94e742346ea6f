"""The drug lists of a run: read, and made a lexicon, only once that is needed."""

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

import msgspec
import polars as pl

from drugmentions.cache import Workspace
from drugmentions.carryover import changed_tokens, lexicon_rows
from drugmentions.config import Config
from drugmentions.durable import current_fingerprint
from drugmentions.errors import NoDrugsError, UnstableInputError
from drugmentions.extract import read_drug_lists
from drugmentions.manifest import VERSION, ListFile, Store
from drugmentions.matching.engine import Matcher, check_engine, matched_with
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.rules import build_rules
from drugmentions.model import FileCounts, Part, SourceFile


class _Read(NamedTuple):
    """What the lists gave: `rejects` as `REJECT`, `counts` by file."""

    lexicon: Lexicon
    rejects: pl.DataFrame
    counts: list[FileCounts]


class DrugLists:
    """The drug lists of a run, and what earlier runs made of them."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        config: Config,
        store: Store,
        workspace: Workspace,
        *,
        on_trouble: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """`on_trouble` is told where the engine that is to match doesn't start."""
        self.files = files
        self._on_trouble = on_trouble
        check_engine(config.matching.engine)
        self._engine = config.matching.engine
        self._rules = build_rules(config.matching)
        self._overlaps = config.matching.overlaps
        self.made_of = sha256(msgspec.json.encode((VERSION, files, self._overlaps, self._rules))).hexdigest()
        self._store = store
        self._workspace = workspace
        self._reading = Lock()
        self._read: _Read | None = None

    @property
    def read(self) -> _Read:
        """The lists, read once. Raises NoDrugsError without a usable name, UnstableInputError where a list changes."""
        with self._reading:
            self._read = self._read or self._read_now()
            return self._read

    def _read_now(self) -> _Read:
        with self._workspace.scratch_dir("lists") as scratch:
            read = _Read(*read_drug_lists(self.files, scratch, self._rules))
        check_lexicon(read.lexicon, [file.file for file in self.files])
        for file in self.files:
            if not file.query and current_fingerprint(file.path) != file.fingerprint:
                raise UnstableInputError(
                    f"{file.file}: changed while it was read", "run again when the drug list is complete"
                )
        return read

    @property
    def lexicon(self) -> Lexicon:
        """The lexicon of all lists."""
        return self.read.lexicon

    @cached_property
    def matcher(self) -> Matcher:
        """What finds the lexicon's mentions; the lists are read once it needs them, and beside others if many do."""
        return Matcher(lambda: self.lexicon, self._overlaps, self._engine, on_trouble=self._on_trouble)

    @property
    def _known(self) -> bool:
        """Whether an earlier run read these very lists."""
        return self._store.lexicon_of == self.made_of

    @property
    def digest(self) -> str:
        """The lexicon's digest, without reading the lists where it is known."""
        return self._store.lexicon if self._known else self.lexicon.digest

    @property
    def matched(self) -> str:
        """What mentions are to be found with."""
        return matched_with(self.digest, self._overlaps)

    @property
    def counts(self) -> list[FileCounts]:
        """What became of the lists' entries, by file."""
        return [entry.counts for entry in self._store.lists] if self._known else self.read.counts

    @property
    def entries(self) -> tuple[ListFile, ...]:
        """The lists as the manifest names them."""
        counts = {count.file: count for count in self.counts}
        return tuple(ListFile(file.unstable() if file.query else file, counts[file.file]) for file in self.files)

    @cached_property
    def changed(self) -> list[str] | None:
        """Tokens of the forms that differ from those of the lexicon before; None where that is lost, or too many do."""
        if self._store.terms is None:
            return None
        return changed_tokens(pl.read_parquet(self._store.terms.path, glob=False), self.lexicon)

    def searched_before(self, matched: str) -> bool:
        """Whether mentions that were found with `matched` are those of the lexicon before, under the same rules."""
        return matched == matched_with(self._store.lexicon, self._overlaps)

    def terms(self) -> Part | None:
        """The table of the lexicon's terms, for the run that finds it changed."""
        if self._store.terms and self._store.lexicon == self.digest:
            return self._store.terms
        return self._workspace.write_table("terms", lexicon_rows(self.lexicon))


def check_lexicon(lexicon: Lexicon, names: Sequence[str]) -> None:
    """Raise NoDrugsError where drug lists, of these names, hold no drug name that can be searched."""
    if lexicon.terms.is_empty():
        hint = "a name needs two letters or digits, one of them a letter"
        raise NoDrugsError(f"no usable drug name in {', '.join(names)}", hint)
