"""Bring all batches up to date: new ones are extracted, known ones carried, what changed meanwhile is read again."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from drugmentions.cache import Workspace
from drugmentions.carryover import carry, match_again
from drugmentions.config import Config
from drugmentions.durable import current_fingerprint
from drugmentions.extract import extract, match
from drugmentions.failpoints import failpoint
from drugmentions.lists import DrugLists
from drugmentions.manifest import Store
from drugmentions.model import Batch, Parts, SourceFile
from drugmentions.plan import Carried, Plan, make_batch, plan_run


class Progress:
    """What a run tells while it goes on; this one passes nothing on."""

    def planned(self, files: int, size: int) -> None:
        """The number and the bytes of the publication files to read."""

    def rows(self, count: int) -> None:
        """So many more publications were searched."""

    def batch_done(self, files: int, size: int) -> None:
        """A batch was extracted: its files and their bytes."""

    def step(self, name: str) -> None:
        """A step begins."""

    def warning(self, message: str) -> None:
        """Something went wrong that does the outputs no harm."""


def bring_up_to_date(
    inputs: Sequence[str],
    config: Config,
    planned: Plan,
    store: Store,
    lists: DrugLists,
    workspace: Workspace,
    progress: Progress,
) -> tuple[Plan, list[Parts]]:
    """The parts of all batches, and the plan as it was carried out: files that change all the time can't be read."""
    step = _Step(config, lists, workspace, progress)
    parts, unstable = step.parts_of(planned)
    if unstable:  # once more, with what is there now, and what was just done
        at_hand = msgspec.structs.replace(store, parts=(*parts, *store.parts))
        again = plan_run(inputs, config, at_hand)
        planned = msgspec.structs.replace(again, drug_lists=planned.drug_lists)
        parts, unstable = step.parts_of(planned)
    if unstable:
        planned = _without(planned, unstable)
    if config.run.keep_missing:
        return planned, [workspace.keep(some) for some in parts]
    kept = {file.file for some in store.parts if some.batch.name in store.kept for file in some.batch.files}
    return planned, [workspace.keep(some) if _has_any(some, kept) else some for some in parts]


def _without(planned: Plan, unstable: Sequence[SourceFile]) -> Plan:
    """The plan with some of its files unreadable, as they changed each time that they were read."""
    names = {file.file for file in unstable}
    left = ([file for file in batch.files if file.file not in names] for batch in planned.batches)
    lost = (msgspec.structs.replace(file, note="changed while it was read") for file in unstable)
    return msgspec.structs.replace(
        planned,
        batches=tuple(make_batch(files) for files in left if files),
        unreadable=(*planned.unreadable, *lost),
    )


def _has_any(parts: Parts, names: set[str]) -> bool:
    return any(file.file in names for file in parts.batch.files)


class _Step(NamedTuple):
    """Brings batches up to date, one after the other."""

    config: Config
    lists: DrugLists
    workspace: Workspace
    progress: Progress

    def parts_of(self, planned: Plan) -> tuple[list[Parts], list[SourceFile]]:
        """The parts of all batches, and the files that changed while they were read, which are in none."""
        self.progress.planned(sum(len(batch.files) for batch in planned.batches), _size(planned.batches))
        parts = [self._carry(carried) for carried in planned.carried]
        unstable: list[SourceFile] = []
        for batch in planned.batches:
            self.progress.step(batch.files[0].file)
            done = self._extract(batch, unstable)
            parts += [done] if done else []
            self.progress.batch_done(len(batch.files), _size([batch]))
        return parts, unstable

    def _extract(self, batch: Batch, unstable: list[SourceFile]) -> Parts | None:
        """Extract a batch, but for the files that change meanwhile; these are added to `unstable`."""
        while batch.files:
            with self.workspace.scratch_dir(batch.name) as scratch:
                parts = extract(
                    batch,
                    self.lists.matcher,
                    self.workspace.parts,
                    scratch,
                    on_rows=self.progress.rows,
                )
            changed = [
                file for file in batch.files if not file.query and current_fingerprint(file.path) != file.fingerprint
            ]
            if not changed:
                self.workspace.write_entry(parts)
                return parts
            unstable += changed
            batch = make_batch([file for file in batch.files if file not in changed])
        return None

    def _carry(self, carried: Carried) -> Parts:
        """Parts of earlier runs, with the mentions of today's lexicon."""
        parts = carry(carried, self.workspace.parts)
        if parts.mentions is None or parts.matched != self.lists.matched:
            parts = self._match(parts)
        if not carried.is_whole or parts != carried.parts[0]:
            self.workspace.write_entry(parts)
        return parts

    def _match(self, parts: Parts) -> Parts:
        told, directory, matcher = self.progress.rows, self.workspace.parts, self.lists.matcher
        tokens = self.lists.changed if parts.mentions and self.lists.searched_before(parts.matched) else None
        if tokens is None:
            parts = match(parts, matcher, directory, on_rows=told)
        else:
            with self.workspace.scratch_dir(parts.batch.name) as scratch:
                parts = match_again(parts, matcher, tokens, directory, scratch, on_rows=told)
        failpoint("matched")
        return parts


def _size(batches: Sequence[Batch]) -> int:
    return sum(file.fingerprint.size for batch in batches for file in batch.files)
