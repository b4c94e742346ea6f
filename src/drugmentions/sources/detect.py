"""Recognise what a file holds by its first bytes, the configuration and its name, and how it is to be read.

The configuration decides first, then a format that is of one source alone, then the file's name and those of the
directories around it, then the columns. Content alone says the format.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from drugmentions.config import Source
from drugmentions.model import Format, Kind, SourceFile
from drugmentions.sources.columns import (
    MARKS,
    ORIGIN_MARK,
    Named,
    count_known,
    find_columns,
    find_keys,
    recognise_kind,
    recognise_source,
)
from drugmentions.sources.locate import LocatedFile
from drugmentions.sources.sniff import FIXED, Content, sniff

_PUBMED: Final = ("pubmed",)
_TRIALS: Final = ("clinical_trial", "clinical-trial", "clinicaltrial", "ctg-studies")
_DRUG_LISTS: Final = ("drugs_", "drugs-", "drug_list", "druglist", "drug_names")
_REQUIRED: Final = {Kind.DRUGS: ("drug", "the drug's name"), Kind.PUBLICATIONS: ("title", "the title")}
_BY_CONTENT: Final = "source by the content"
_OF_ONE_SOURCE: Final = frozenset(
    {Format.PUBMED_XML, Format.MEDLINE, Format.EUROPEPMC, Format.CTGOV_JSON, Format.CTGOV_XML}
)
"""Formats that say more of the source than any name."""
_SHOWN: Final = 200
"""Characters of a file's column names that a note quotes."""


class Detected(NamedTuple):
    """What a file is, and by what that was told. `names`: the columns, or keys, that were seen."""

    file: SourceFile
    why: str
    names: tuple[str, ...]


def detect(located: LocatedFile, sources: Sequence[Source] = (), *, kind: Kind | None = None) -> SourceFile:
    """What a file is, from at most its first 64 KiB; a `note` says why it isn't to be read.

    `kind` beats what configuration, name and content say of it. Raises nothing for a file that can't be read.
    """
    return explain(located, sources, kind=kind).file


def explain(located: LocatedFile, sources: Sequence[Source] = (), *, kind: Kind | None = None) -> Detected:
    """`detect`, with the reason."""
    source = configured_source(located.file, sources, kind)
    configured = tuple(source.columns.items()) if source else ()
    compression, content = sniff(located.path, source, configured)
    if source:
        found, origin, said = Kind(source.kind), source.name, "source by the configuration"
    else:
        found, origin, said = _recognise(located, content, kind)
    is_said = source or kind or _said_by_name(located.file.rpartition("/")[2])
    if found == Kind.DRUGS and is_said and not (source and source.format):
        content = _as_names(content, configured)
    file = SourceFile(
        file=located.file,
        path=located.path,
        kind=found,
        source=origin,
        format=Format.UNKNOWN if found == Kind.UNKNOWN and content.format == Format.CSV else content.format,
        compression=compression,
        fingerprint=located.fingerprint,
        separator=content.separator,
        quoted=content.quoted,
        encoding=source.encoding if source and source.encoding else "utf-8",
        columns=_columns(content, found, configured, by_content=said == _BY_CONTENT),
        dates=list(source.dates) if source else [],
        note=content.problem or _missing(content, found, configured),
    )
    return Detected(file, "; ".join(filter(None, (content.why, said))), content.names)


# By configuration and name.


def configured_source(file: str, sources: Sequence[Source], kind: Kind | None) -> Source | None:
    """The first of the configured sources that has this file."""
    base = file.rpartition("/")[2]
    for source in sources:
        if kind in {None, source.kind} and any(
            fnmatchcase(name, glob) for glob in source.files for name in (file, base)
        ):
            return source
    return None


def _recognise(located: LocatedFile, content: Content, kind: Kind | None) -> tuple[Kind, str, str]:
    """Kind and source, of which drug lists have none, and by what they were told."""
    if content.format in _OF_ONE_SOURCE and kind in {None, Kind.PUBLICATIONS}:
        return Kind.PUBLICATIONS, content.source or recognise_source(content.names), _BY_CONTENT
    by_name = next(_said_by_names(located), None)
    if kind is None:
        kind = by_name[0] if by_name else recognise_kind(content.names)
    if kind != Kind.PUBLICATIONS:
        return kind, "", "drug list by the name" if by_name and kind == Kind.DRUGS else ""
    if by_name and by_name[1]:
        return kind, by_name[1], "source by the name"
    return kind, content.source or recognise_source(content.names), _BY_CONTENT


def _said_by_names(located: LocatedFile) -> Iterator[tuple[Kind, str]]:
    """What the file's name says, then those of the directories below the INPUT, nearest first."""
    names = (located.below or located.file.rpartition("/")[2]).split("/")
    return filter(None, map(_said_by_name, reversed(names)))


def _said_by_name(name: str) -> tuple[Kind, str] | None:
    name = name.lower()
    stem = name.partition(".")[0]
    if any(part in name for part in _PUBMED):
        return Kind.PUBLICATIONS, "pubmed"
    if any(part in name for part in _TRIALS):
        return Kind.PUBLICATIONS, "clinical_trials"
    return (Kind.DRUGS, "") if stem in {"drug", "drugs"} or stem.startswith(_DRUG_LISTS) else None


def _as_names(content: Content, configured: Named) -> Content:
    """What is said to be a drug list, and is a table of one column that nobody knows, is a list of names."""
    if content.format != Format.CSV or len(content.names) != 1 or count_known(content.names, configured):
        return content
    return Content(Format.NAMES, FIXED[Format.NAMES], why="one cell in its first line, and no column name")


def _columns(content: Content, kind: Kind, configured: Named, *, by_content: bool) -> dict[str, list[str]]:
    """The columns of each field, and of the marks that the format has; the origin counts where nothing else is said."""
    find = find_keys if content.format in {Format.JSON, Format.NDJSON} else find_columns
    marks = [mark for mark in MARKS if content.format in FIXED and mark in content.names]
    kept = [mark for mark in marks if mark != ORIGIN_MARK or by_content]
    return find(content.names, kind, configured) | {mark: [mark] for mark in kept}


def _missing(content: Content, kind: Kind, configured: Named) -> str:
    """What the file would have to have, and hasn't."""
    names = "".join(char if char.isprintable() else " " for char in ", ".join(content.names)[: _SHOWN + 1])
    shown = names[:_SHOWN] + "..." if len(names) > _SHOWN else names or "none"
    if kind == Kind.UNKNOWN:
        return f"not recognised: no column for a title or a drug's name (columns: {shown})"
    field, what = _REQUIRED[kind]
    return "" if field in find_columns(content.names, kind, configured) else f"no column for {what} (columns: {shown})"
