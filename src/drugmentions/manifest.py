"""What a run tells the next one of parts, lists and outputs, and how it is laid down in a Parquet file."""

from importlib.metadata import version
from typing import Final

import msgspec
import polars as pl

from drugmentions.model import FileCounts, Fingerprint, Part, Parts, SourceFile

VERSION: Final = f"{version('drugmentions')}/3"
"""Of what parts hold; those of another version are made anew."""

MANIFEST_SCHEMA: Final = pl.Schema(
    {
        "file": pl.String,
        "kind": pl.String,
        "batch": pl.String,
        **dict.fromkeys(("read", "publications", "deletions", "rejects", "blanks", "unread_dates"), pl.Int64),
        "source_file": pl.String,
    }
)
"""One row per source file: its batch (null for a drug list), what became of its records, and all that was known of it
(`SourceFile` as JSON)."""
_COUNTS: Final = MANIFEST_SCHEMA.names()[3:-1]


class ListFile(msgspec.Struct, frozen=True):
    """A drug list, and what became of its entries."""

    file: SourceFile
    counts: FileCounts


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs left that can be used.

    parts: those that check; `mentions` is None where only these are lost. Where two hold the same file, the first is
        to be used.
    published: names of the batches that a manifest named; kept: of those in OUT/kept, from which files that are gone
        still count; damaged: those of them that don't check.
    recognised_by: what source files were recognised by.
    lexicon_of: what the lexicon of digest `lexicon` was made of; terms: a table of its terms.
    made_of: what the outputs were made of; outputs: their fingerprints; drugs: a table of the drugs in the graph, and
        where each stands.
    """

    parts: tuple[Parts, ...] = ()
    published: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    damaged: tuple[Parts, ...] = ()
    lists: tuple[ListFile, ...] = ()
    recognised_by: str = ""
    lexicon_of: str = ""
    lexicon: str = ""
    terms: Part | None = None
    made_of: str = ""
    outputs: dict[str, Fingerprint] = {}
    drugs: Part | None = None


class Stored(msgspec.Struct, frozen=True):
    """Parts as an entry or the manifest holds them: paths relative to OUT, in the manifest without files and counts."""

    version: str
    written: int
    parts: Parts


class State(msgspec.Struct, frozen=True):
    """What the manifest holds beside its rows."""

    version: str
    parts: tuple[Stored, ...]
    recognised_by: str
    lexicon_of: str
    lexicon: str
    terms: Part | None
    made_of: str
    outputs: dict[str, Fingerprint]
    drugs: Part | None


def manifest_rows(store: Store) -> pl.DataFrame:
    """The files of a store: `MANIFEST_SCHEMA`."""
    files = [file for parts in store.parts for file in parts.batch.files]
    counts = [count for parts in store.parts for count in parts.counts]
    batches: list[str | None] = [parts.batch.name for parts in store.parts for _ in parts.batch.files]
    files += [entry.file for entry in store.lists]
    counts += [entry.counts for entry in store.lists]
    batches += [None] * len(store.lists)
    encoder = msgspec.json.Encoder()
    return pl.DataFrame(
        {
            "file": [file.file for file in files],
            "kind": [str(file.kind) for file in files],
            "batch": batches,
            **{name: [getattr(count, name) for count in counts] for name in _COUNTS},
            "source_file": [encoder.encode(file).decode() for file in files],
        },
        schema=MANIFEST_SCHEMA,
    )


def with_files(state: State, rows: pl.DataFrame) -> tuple[State, tuple[ListFile, ...]]:
    """A state with the files and counts that the rows (`MANIFEST_SCHEMA`) hold, and the drug lists among them."""
    files = msgspec.json.decode(_json_array(rows["source_file"]), type=list[SourceFile])
    counts = msgspec.convert(rows.select("file", *_COUNTS).to_dicts(), list[FileCounts])
    members: dict[str | None, list[int]] = {}
    for number, batch in enumerate(rows["batch"].to_list()):
        members.setdefault(batch, []).append(number)
    stored = []
    for entry in state.parts:
        at = members.get(entry.parts.batch.name, [])
        batch = msgspec.structs.replace(entry.parts.batch, files=tuple(files[number] for number in at))
        whole = msgspec.structs.replace(entry.parts, batch=batch, counts=tuple(counts[number] for number in at))
        stored.append(msgspec.structs.replace(entry, parts=whole))
    lists = tuple(ListFile(files[number], counts[number]) for number in members.get(None, []))
    return msgspec.structs.replace(state, parts=tuple(stored)), lists


def without_files(parts: Parts) -> Parts:
    """Parts as a `State` holds them: their files and counts are rows of the manifest."""
    return msgspec.structs.replace(parts, batch=msgspec.structs.replace(parts.batch, files=()), counts=())


def _json_array(texts: pl.Series) -> bytes:
    joined: str = texts.str.join(",").item()
    return f"[{joined}]".encode()
