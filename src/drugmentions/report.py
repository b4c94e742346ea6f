"""run.json: what a run read, what became of it, and size and digest of what it wrote; written last, and read back."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from drugmentions.cache import RUN, Output, describe_output
from drugmentions.config import Config
from drugmentions.durable import replacing
from drugmentions.failpoints import failpoint
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.names import count_rules
from drugmentions.model import EMPTY_FILE, FileCounts, Kind, SourceFile
from drugmentions.plan import Ignored, Plan

RUN_SCHEMA = "drugmentions/run/1"


class FileReport(FileCounts, kw_only=True, frozen=True, gc=False):
    """What a source file was taken for, and what became of its records. `modified`: nanoseconds since 1970."""

    kind: str
    source: str
    format: str
    bytes: int
    modified: int
    note: str


class LexiconReport(msgspec.Struct, frozen=True):
    """What the drug lists gave.

    `terms`: forms that are looked for, a drug's once. `unusable`: names without a letter, or of one character.
    `suspicious`: names that are looked for though they may be no drug's. `rules`: what each rule did (`count_rules`).
    """

    drugs: int
    terms: int
    unusable: int
    suspicious: int
    rules: dict[str, int]


class DrugChange(msgspec.Struct, frozen=True):
    """How many publications began, and ceased, to mention a drug."""

    drug: str
    added: int
    removed: int


class FileChanges(msgspec.Struct, frozen=True):
    """Files of publications by how they differ from what the run before had.

    `changed`: read anew under a name that was known; `known`: not read again; `kept`: gone, but still counted;
    `unreadable`: nothing could be read of them.
    """

    new: int
    changed: int
    gone: int
    known: int
    kept: int
    unreadable: int


class Changes(msgspec.Struct, frozen=True):
    """What differs from the run before, which started at `since` (null: there was none).

    `nothing_new`: inputs and configuration are what they were, and so are the outputs. `added`, `removed`: mentions,
    null where the ones before are lost. `drugs`: those whose mentions changed, by name.
    """

    since: str | None
    nothing_new: bool
    files: FileChanges
    added: int | None
    removed: int | None
    drugs: tuple[DrugChange, ...]


class RunReport(msgspec.Struct, frozen=True):
    """run.json. `made_of`: digest of all that the outputs depend on. Times in seconds, sizes in bytes."""

    schema: str
    inputs: list[str]
    started: str
    seconds: dict[str, float]
    versions: dict[str, str]
    config: Config
    lexicon: LexiconReport
    counts: dict[str, int]
    changes: Changes
    made_of: str
    outputs: dict[str, Output]
    ignored: list[Ignored]
    files: list[FileReport]


class _ReadReport(RunReport, frozen=True):
    """A report as it is read: with whatever configuration there was."""

    config: Any


def read_report(out: Path) -> RunReport | None:
    """The report of the last run that published into `out`; None where there is none that can be read."""
    try:
        return msgspec.json.decode((out / RUN).read_bytes(), type=_ReadReport)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def write_report(report: RunReport, out: Path) -> None:
    """Replace run.json: a key a line, and a file a line."""
    with replacing(out / RUN) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    failpoint("report-replaced")


def versions() -> dict[str, str]:
    """The versions of what made the outputs."""
    return {"drugmentions": version("drugmentions"), "polars": pl.__version__, "python": platform.python_version()}


def file_reports(planned: Plan, counts: Sequence[FileCounts]) -> list[FileReport]:
    """One entry per source file, sorted by name; a file that can't be read is one record and one reject."""
    by_name = {count.file: count for count in counts}
    reports = [
        _file_report(file, by_name[file.file], "gone; its records are kept" if file.file in planned.missing else "")
        for file in [*planned.drug_lists, *planned.files]
    ]
    for file in planned.unreadable:
        lost = 0 if file.note == EMPTY_FILE else 1
        reports.append(_file_report(file, FileCounts(file.file, read=lost, rejects=lost), file.note))
    return sorted(reports, key=lambda report: report.file)


def _file_report(file: SourceFile, counts: FileCounts, note: str) -> FileReport:
    return FileReport(
        kind=file.kind,
        source=file.source,
        format=file.format,
        bytes=max(file.fingerprint.size, 0),
        modified=file.fingerprint.mtime,
        note=note,
        **msgspec.structs.asdict(counts),
    )


def lexicon_report(lexicon: Lexicon) -> LexiconReport:
    """What a lexicon's names came to."""
    doubt, dropped = pl.col("doubt"), pl.col("dropped")
    own = lexicon.names.filter(pl.col("added").is_null())
    return LexiconReport(
        drugs=lexicon.drugs.height,
        terms=lexicon.terms.height,
        unusable=own.filter(doubt == "unusable_names").height,
        suspicious=own.filter(doubt.is_not_null() & ~dropped).height,
        rules=count_rules(lexicon.names),
    )


def totals(files: Sequence[FileReport]) -> dict[str, int]:
    """Sums over the files of publications. Drug lists aren't in them."""
    read = [file for file in files if file.kind == Kind.PUBLICATIONS]
    names = {"records": "read", "deletions": "deletions", "blanks": "blanks", "unread_dates": "unread_dates"}
    return {"files": len(read)} | {name: sum(getattr(file, of) for file in read) for name, of in names.items()}


def damaged_outputs(out: Path) -> list[str]:
    """Names of published files that by their size aren't those of the last run: a run was killed between two of them.

    Quick, and for readers; `is_whole` compares every byte. Without a run.json there is nothing to compare.
    """
    try:
        outputs = msgspec.json.decode((out / RUN).read_bytes(), type=_Outputs).outputs
        return [name for name, output in outputs.items() if (out / name).stat().st_size != output.bytes]
    except (OSError, msgspec.DecodeError, RecursionError):
        return []


class _Outputs(msgspec.Struct):
    """What readers need of a run.json."""

    outputs: dict[str, Output] = {}


def is_whole(path: Path, wanted: Output | None) -> bool:
    """Whether a published file is what a report says of it."""
    try:
        return wanted is not None and path.stat().st_size == wanted.bytes and describe_output(path) == wanted
    except OSError:
        return False
