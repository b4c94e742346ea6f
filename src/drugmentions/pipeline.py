"""A run: plan, extract every batch that isn't known yet, assemble, and report; what is known is carried."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from drugmentions.assemble import assemble
from drugmentions.cache import GRAPH, MENTIONS, OUTPUTS, Output, Workspace, describe_output
from drugmentions.changes import all_added, changes_since, mention_changes
from drugmentions.config import Config, MaxRejects, parse_duration, parse_limit, without_passwords
from drugmentions.durable import current_fingerprint, output_errors
from drugmentions.errors import AccountingError, TooManyRejectsError
from drugmentions.failpoints import failpoint
from drugmentions.graph.writing import Standing
from drugmentions.guards import check_queries, check_shrink, check_space, locked
from drugmentions.lists import DrugLists
from drugmentions.manifest import VERSION, Store
from drugmentions.model import EMPTY_FILE, REJECT, Fingerprint, Part, Parts, SourceFile
from drugmentions.plan import Plan, plan_run, recognised_by
from drugmentions.report import (
    RUN_SCHEMA,
    DrugChange,
    FileReport,
    LexiconReport,
    RunReport,
    file_reports,
    is_whole,
    lexicon_report,
    read_report,
    totals,
    versions,
    write_report,
)
from drugmentions.upkeep import Progress, bring_up_to_date


def run(
    inputs: Sequence[str],
    config: Config,
    progress: Progress | None = None,
    *,
    full: bool = False,
    allow_shrink: bool = False,
) -> RunReport:
    """Read `inputs`, and write graph, mentions, rejects and report into the directory `config.run.out`.

    `full`: use nothing of earlier runs but records that were kept, and write all outputs. `allow_shrink`: go on where
    known files vanished. Raises NoInputError, NoDrugsError, TooManyRejectsError, ShrunkError, UnstableInputError,
    ConfigError, OutputError, LockedError; the outputs are then the old ones.
    """
    progress = progress or Progress()
    out = Path(config.run.out)
    clock = _Clock()
    tmp = Path(config.run.tmp) if config.run.tmp else None
    workspace = Workspace(out, tmp)
    with locked(out, parse_duration(config.run.wait)), output_errors(out, tmp):
        failpoint("locked")
        with clock.timed("plan"):
            previous, store = read_report(out), workspace.load(full=full)
            planned = plan_run(inputs, config, store)
            if not allow_shrink:
                check_shrink(previous, planned, store)
            check_space(out, planned, previous)
        failpoint("planned")
        with workspace.opened():
            lists = DrugLists(planned.drug_lists, config, store, workspace, on_trouble=progress.warning)
            with clock.timed("extract"):
                planned, parts = bring_up_to_date(inputs, config, planned, store, lists, workspace, progress)
            files = file_reports(planned, [*lists.counts, *(count for some in parts for count in some.counts)])
            known = {some.batch.name for some in store.parts}
            check_accounts([some for some in parts if some.batch.name not in known], files)
            if not allow_shrink:
                check_queries(previous, files)
            check_limit(files, config)
            made_of = _made_of(planned, parts, lists, config)
            with clock.timed("assemble"):
                published = None if full else _standing(out, made_of, previous, store)
                if published is None:
                    progress.step("assemble")
                    published = _publish(planned, parts, lists, config, previous, store, workspace)
            report = RunReport(
                schema=RUN_SCHEMA,
                inputs=list(inputs),
                started=clock.started,
                seconds=clock.seconds,
                versions=versions(),
                config=without_passwords(config),
                lexicon=published.lexicon,
                counts=totals(files) | published.counts,
                changes=changes_since(
                    previous, planned, published.changes, nothing_new=_is_known(made_of, previous, store)
                ),
                made_of=made_of,
                outputs=published.outputs,
                ignored=list(planned.ignored),
                files=files,
            )
            write_report(report, out)
            try:
                _leave(parts, lists, config, made_of, published, store, workspace)
            except OSError as error:
                progress.warning(f"{error}: the next run will do all of this again")
    return report


def check_accounts(parts: Sequence[Parts], files: Sequence[FileReport]) -> None:
    """Raise AccountingError where files, batches and the rows that lie in parts don't tell of the same records.

    parts: those that are new; of the others, fingerprint or digest has been compared.
    """
    counted = [count for some in parts for count in some.counts]
    rows = {
        "publications": sum(count.publications + count.deletions for count in counted),
        "rejects": sum(count.rejects for count in counted),
    }
    for kind, expected in rows.items():
        paths = [getattr(some, kind).path for some in parts]
        found = pl.scan_parquet(paths, glob=False).select(pl.len()).collect().item() if paths else 0
        if found != expected:
            raise AccountingError(f"{found} {kind} lie in the parts, {expected} were counted")
    by_name = {file.file: file for file in files}
    for count in counted:
        told = by_name[count.file]
        if any(getattr(told, name) != getattr(count, name) for name in count.__struct_fields__):
            raise AccountingError(f"{count.file}: {count} was counted, {told} is reported")


def check_limit(files: Sequence[FileReport], config: Config) -> None:
    """Raise TooManyRejectsError where there are more rejects than the configuration allows."""
    rejects, read = sum(file.rejects for file in files), sum(file.read for file in files)
    limit = parse_limit(config.run.max_rejects) if config.run.max_rejects else MaxRejects()
    allowed = 0 if config.run.strict else limit.allowed(read)
    if allowed is not None and rejects > allowed:
        worst = max(files, key=lambda file: file.rejects)
        raise TooManyRejectsError(
            f"{rejects} of {read} records rejected, {allowed} allowed; most of them in {worst.file} ({worst.rejects})",
            "see them with `drugmentions rejects` after a run without --strict or --max-rejects",
        )


# Outputs.


class _Published(NamedTuple):
    """What the outputs hold.

    changes: the drugs whose mentions are others than before; None: nobody knows. drugs: a table of the graph's drugs,
    for the next run. fingerprints: what the outputs were when they were described.
    """

    lexicon: LexiconReport
    counts: dict[str, int]
    changes: tuple[DrugChange, ...] | None
    outputs: dict[str, Output]
    drugs: Part | None
    fingerprints: dict[str, Fingerprint]


_COUNTED = ("publications", "merged", "mentions", "rejects")


def _made_of(planned: Plan, parts: Sequence[Parts], lists: DrugLists, config: Config) -> str:
    """Digest of all that the outputs depend on: what has the same digest has the same outputs."""
    files = sorted(
        ((file, count) for some in parts for file, count in zip(some.batch.files, some.counts, strict=True)),
        key=lambda pair: pair[0].file,
    )
    refused = sorted((file.file, file.note) for file in planned.unreadable)
    return sha256(msgspec.json.encode((VERSION, lists.made_of, _sources(config, parts), files, refused))).hexdigest()


def _sources(config: Config, parts: Sequence[Parts]) -> list[str]:
    """The names that every drug's object has: of the configured sources, and of the files that were read."""
    configured = {source.name for source in config.source if source.kind == "publications"}
    return sorted(configured | {file.source for some in parts for file in some.batch.files})


def _is_known(made_of: str, previous: RunReport | None, store: Store) -> bool:
    """Whether the last run ended with the same inputs and configuration."""
    return previous is not None and previous.made_of == store.made_of == made_of


def _standing(out: Path, made_of: str, previous: RunReport | None, store: Store) -> _Published | None:
    """What is published, if a run would publish the same again, and every file is whole."""
    if previous is None or previous.made_of != made_of or not set(_COUNTED) <= previous.counts.keys():
        return None
    found = {name: present for name in OUTPUTS if (present := current_fingerprint(out / name))}
    unsure = [name for name in OUTPUTS if name not in found or found[name] != store.outputs.get(name)]
    if not all(is_whole(out / name, previous.outputs.get(name)) for name in unsure):
        return None
    counts = {name: previous.counts[name] for name in _COUNTED}
    drugs = None if {GRAPH, MENTIONS} & set(unsure) else store.drugs
    return _Published(previous.lexicon, counts, (), previous.outputs, drugs, found)


def _standing_graph(out: Path, store: Store) -> Standing | None:
    """The graph in `out`, if it is the one that the last run left."""
    if store.drugs is None or not {GRAPH, MENTIONS} <= store.outputs.keys():
        return None
    drugs = pl.read_parquet(store.drugs.path, glob=False)
    standing = Standing(out / GRAPH, out / MENTIONS, (store.outputs[GRAPH], store.outputs[MENTIONS]), drugs)
    return standing if standing.stands() else None


def _publish(
    planned: Plan,
    parts: Sequence[Parts],
    lists: DrugLists,
    config: Config,
    previous: RunReport | None,
    store: Store,
    workspace: Workspace,
) -> _Published:
    """Assemble the parts, and replace what is published but for what provably stays the same."""
    out, lexicon = workspace.out, lists.lexicon
    others = pl.concat([lists.read.rejects, _unreadable_rejects(planned.unreadable)])
    changes: list[tuple[DrugChange, ...] | None] = []

    standing = _standing_graph(out, store)

    def compare(table: Path) -> None:
        old = out / MENTIONS
        if previous:
            can_tell = standing or is_whole(old, previous.outputs.get(MENTIONS))
            changes.append(mention_changes(old, table) if can_tell else None)

    with workspace.scratch_dir("assemble") as scratch:
        assembled = assemble(
            parts,
            lexicon,
            others,
            _sources(config, parts),
            out,
            scratch,
            standing=standing,
            before_replacing=compare,
            compiled=lists.matcher.can_compile,
        )
    drugs = store.drugs if assembled.drugs is None else workspace.write_table("drugs", assembled.drugs)
    outputs = {name: output for name, (output, _) in assembled.outputs.items()}
    fingerprints = {name: found for name, (_, found) in assembled.outputs.items()}
    if standing and assembled.drugs is None:
        fingerprints |= dict(zip((GRAPH, MENTIONS), standing.fingerprints, strict=True))
        outputs |= {name: describe_output(out / name) for name in (GRAPH, MENTIONS)}
    if previous is None and assembled.drugs is not None:
        changes.append(all_added(assembled.drugs))
    changed = changes[0] if changes else ()
    in_order = {name: outputs[name] for name in OUTPUTS}
    return _Published(lexicon_report(lexicon), assembled.counts, changed, in_order, drugs, fingerprints)


def _unreadable_rejects(files: Sequence[SourceFile]) -> pl.DataFrame:
    rows = [{"file": file.file, "reason": file.note} for file in files if file.note != EMPTY_FILE]
    return pl.DataFrame(rows, schema=REJECT)


def _leave(
    parts: Sequence[Parts],
    lists: DrugLists,
    config: Config,
    made_of: str,
    published: _Published,
    store: Store,
    workspace: Workspace,
) -> None:
    """Leave the next run word of all that this one did, and remove what nobody needs any more."""
    left = Store(
        parts=tuple(parts),
        published=frozenset(some.batch.name for some in parts),
        kept=frozenset(some.batch.name for some in parts if workspace.is_kept(some)),
        lists=lists.entries,
        recognised_by=recognised_by(config),
        lexicon_of=lists.made_of,
        lexicon=lists.digest,
        terms=lists.terms(),
        made_of=made_of,
        outputs=_ours(workspace.out, published.fingerprints),
        drugs=published.drugs,
    )
    if left != store:
        workspace.write_manifest(left)
    workspace.collect(left)


def _ours(out: Path, described: dict[str, Fingerprint]) -> dict[str, Fingerprint]:
    """Fingerprints of the published files, but for those of another run, should one have slipped past the lock."""
    found = {name: present for name in described if (present := current_fingerprint(out / name))}
    return {
        name: present
        for name, present in found.items()
        if msgspec.structs.replace(present, ctime=0) == msgspec.structs.replace(described[name], ctime=0)
    }


class _Clock:
    """When a run started, and how long each of its steps took."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - begin, 3)
