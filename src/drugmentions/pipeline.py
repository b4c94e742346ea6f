"""A run: plan, extract every batch, assemble, and the report they fill."""

import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import polars as pl

from drugmentions.assemble import assemble
from drugmentions.cache import (
    GRAPH,
    MENTIONS,
    REJECTS,
    RUN,
    Output,
    Workspace,
    describe_output,
    output_errors,
    replacing,
)
from drugmentions.config import Config, MaxRejects, parse_limit
from drugmentions.errors import NoDrugsError, NoInputError, TooManyRejectsError
from drugmentions.extract import extract, read_drug_lists
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.names import count_rules
from drugmentions.matching.rules import build_rules
from drugmentions.model import EMPTY_FILE, REJECT, FileCounts, Kind, Parts, SourceFile
from drugmentions.plan import Ignored, Plan, plan

RUN_SCHEMA = "drugmentions/run/1"


class FileReport(FileCounts, kw_only=True):
    """What a source file was taken for, and what became of its records."""

    kind: str
    source: str
    format: str
    bytes: int
    note: str


class LexiconReport(msgspec.Struct):
    """What the drug lists gave.

    `terms`: forms that are looked for, a drug's once. `unusable`: names without a letter, or of one character.
    `suspicious`: names that are looked for though they may be no drug's. `rules`: what each rule did (`count_rules`).
    """

    drugs: int
    terms: int
    unusable: int
    suspicious: int
    rules: dict[str, int]


class RunReport(msgspec.Struct):
    """run.json: written last, it holds size and digest of the other outputs. Times in seconds, sizes in bytes."""

    schema: str
    inputs: list[str]
    started: str
    seconds: dict[str, float]
    versions: dict[str, str]
    config: Config
    lexicon: LexiconReport
    counts: dict[str, int]
    files: list[FileReport]
    ignored: list[Ignored]
    outputs: dict[str, Output]


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


def run(inputs: Sequence[str], config: Config, progress: Progress | None = None) -> RunReport:
    """Read `inputs`, and write graph, mentions, rejects and report into the directory `config.run.out`.

    Raises NoInputError, NoDrugsError, TooManyRejectsError, ConfigError, OutputError; the outputs are then the old ones.
    """
    progress = progress or Progress()
    out = Path(config.run.out)
    clock = _Clock()
    with clock.timed("plan"):
        rules = build_rules(config.matching)
        planned = plan_run(inputs, config)
    with output_errors(out), Workspace(out).opened() as workspace:
        progress.planned(sum(len(batch.files) for batch in planned.batches), _size(planned))
        with clock.timed("lexicon"), workspace.scratch_dir("lists") as scratch:
            lexicon, list_rejects, list_counts = read_drug_lists(planned.drug_lists, scratch, rules)
            check_lexicon(lexicon, [file.file for file in planned.drug_lists])
        with clock.timed("extract"):
            parts = list(_extract_all(planned, lexicon, config, workspace, progress))
        files = _file_reports(planned, [*list_counts, *(count for part in parts for count in part.counts)])
        check_limit(files, config)
        others = pl.concat([list_rejects, _unreadable_rejects(planned.unreadable)])
        with clock.timed("assemble"), workspace.scratch_dir("assemble") as scratch:
            progress.step("assemble")
            sources = sorted({source.name for source in config.source if source.kind == "publications"})
            counts = assemble(parts, lexicon, others, sources, out, scratch)
        report = RunReport(
            schema=RUN_SCHEMA,
            inputs=list(inputs),
            started=clock.started,
            seconds=clock.seconds,
            versions=_versions(),
            config=config,
            lexicon=_lexicon_report(lexicon),
            counts=_totals(files) | counts,
            files=files,
            ignored=list(planned.ignored),
            outputs=_describe_outputs(out),
        )
        _write_report(report, out / RUN)
        workspace.write_manifest(parts)
    return report


def plan_run(inputs: Sequence[str], config: Config) -> Plan:
    """Plan, and see that there is something to do. Raises NoInputError or NoDrugsError."""
    planned = plan(inputs, config, Path(config.run.out))
    if not planned.batches and not any(file.kind == Kind.PUBLICATIONS for file in planned.unreadable):
        raise NoInputError(
            f"no publications or trials found in {', '.join(inputs) or 'nothing'}{_why_ignored(planned)}",
            "name a directory that holds CSV, JSON, NDJSON or Parquet files with a column `title`",
        )
    if not planned.drug_lists:
        raise NoDrugsError(
            f"no drug list found in {', '.join(inputs)}{_why_unreadable(planned, Kind.DRUGS)}",
            "add a CSV file with a column `drug` (drugs.csv), or name one with --drugs",
        )
    return planned


def _why_ignored(planned: Plan) -> str:
    return "".join(f"\n  {entry.file}: {entry.reason}" for entry in planned.ignored[:5])


def _why_unreadable(planned: Plan, kind: Kind) -> str:
    return "".join(f"\n  {file.file}: {file.note}" for file in planned.unreadable if file.kind == kind)


def check_lexicon(lexicon: Lexicon, names: Sequence[str]) -> None:
    """Raise NoDrugsError where drug lists, of these names, hold no drug name that can be searched."""
    if lexicon.terms.is_empty():
        hint = "a name needs two letters or digits, one of them a letter"
        raise NoDrugsError(f"no usable drug name in {', '.join(names)}", hint)


def _extract_all(
    planned: Plan, lexicon: Lexicon, config: Config, workspace: Workspace, progress: Progress
) -> Iterator[Parts]:
    for batch in planned.batches:
        progress.step(batch.files[0].file)
        with workspace.scratch_dir(batch.name) as scratch:
            yield extract(
                batch,
                lexicon,
                workspace.parts,
                scratch,
                overlaps=config.matching.overlaps,
                on_rows=progress.rows,
            )
        progress.batch_done(len(batch.files), sum(file.fingerprint.size for file in batch.files))


def _size(planned: Plan) -> int:
    return sum(file.fingerprint.size for batch in planned.batches for file in batch.files)


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


def _file_reports(planned: Plan, counts: Sequence[FileCounts]) -> list[FileReport]:
    """One entry per source file, sorted by name; a file that can't be read is one record and one reject."""
    by_name = {count.file: count for count in counts}
    readable = [*planned.drug_lists, *(file for batch in planned.batches for file in batch.files)]
    reports = [_file_report(file, by_name[file.file]) for file in readable]
    for file in planned.unreadable:
        lost = 0 if file.note == EMPTY_FILE else 1
        reports.append(_file_report(file, FileCounts(file.file, read=lost, rejects=lost)))
    return sorted(reports, key=lambda report: report.file)


def _file_report(file: SourceFile, counts: FileCounts) -> FileReport:
    return FileReport(
        kind=file.kind,
        source=file.source,
        format=file.format,
        bytes=file.fingerprint.size,
        note=file.note,
        **msgspec.structs.asdict(counts),
    )


def _unreadable_rejects(files: Sequence[SourceFile]) -> pl.DataFrame:
    rows = [{"file": file.file, "reason": file.note} for file in files if file.note != EMPTY_FILE]
    return pl.DataFrame(rows, schema=REJECT)


def _totals(files: Sequence[FileReport]) -> dict[str, int]:
    """Sums over the files of publications. Drug lists aren't in them."""
    read = [file for file in files if file.kind == Kind.PUBLICATIONS]
    names = {"records": "read", "deletions": "deletions", "blanks": "blanks", "unread_dates": "unread_dates"}
    return {"files": len(read)} | {name: sum(getattr(file, of) for file in read) for name, of in names.items()}


def _lexicon_report(lexicon: Lexicon) -> LexiconReport:
    doubt, dropped = pl.col("doubt"), pl.col("dropped")
    own = lexicon.names.filter(pl.col("added").is_null())
    return LexiconReport(
        drugs=lexicon.drugs.height,
        terms=lexicon.terms.height,
        unusable=own.filter(doubt == "unusable_names").height,
        suspicious=own.filter(doubt.is_not_null() & ~dropped).height,
        rules=count_rules(lexicon.names),
    )


def _describe_outputs(out: Path) -> dict[str, Output]:
    names = (GRAPH, MENTIONS, REJECTS)
    with ThreadPoolExecutor() as pool:  # hashing lets go of the interpreter
        return dict(zip(names, pool.map(describe_output, (out / name for name in names)), strict=True))


def _versions() -> dict[str, str]:
    return {"drugmentions": version("drugmentions"), "polars": pl.__version__, "python": platform.python_version()}


def _write_report(report: RunReport, path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


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
