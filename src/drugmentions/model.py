"""The records that the steps hand to each other: Polars schemas for frames, msgspec structs for plain data."""

from enum import StrEnum
from typing import Final

import msgspec
import polars as pl

PUBLICATION: Final = pl.Schema(
    {
        "source": pl.String,
        "id": pl.String,
        "title": pl.String,
        "official_title": pl.String,
        "journal": pl.String,
        "journal_kind": pl.String,
        "date": pl.String,
        "revision": pl.Int64,
        "deleted": pl.Boolean,
        "retracted": pl.Boolean,
        "file": pl.String,
        "record": pl.UInt32,
    }
)
"""One row per record that could be read, before merging. `date`: ISO text of its own precision. `revision`: version x
10^9 + year x 10^4 + number of the PubMed file, each 0 where unknown. `record`: 1-based, the header not counted.
`deleted`: a tombstone, with an id and no title."""

VERSION_UNIT: Final = 1_000_000_000
"""What a version counts for in `revision`; what is left is the release."""

REJECT: Final = pl.Schema(
    {
        "file": pl.String,
        "record": pl.UInt32,
        "line": pl.UInt64,
        "reason": pl.String,
        "raw": pl.String,
    }
)
"""One row per record (or rest of a file) that couldn't be read. `raw`: at most 2,000 characters of it."""

SPANS: Final = pl.List(pl.Struct({"start": pl.UInt32, "end": pl.UInt32, "term": pl.String}))
"""Where a drug stands in a title: half-open, 0-based, in characters, with the term that matched; sorted."""

MENTION: Final = pl.Schema(
    {
        "drug": pl.String(),
        "atccode": pl.String(),
        "source": pl.String(),
        "id": pl.String(),
        "title": pl.String(),
        "journal": pl.String(),
        "journal_kind": pl.String(),
        "date": pl.String(),
        "retracted": pl.Boolean(),
        "found_in": pl.String(),
        "spans": SPANS,
    }
)
"""One row per (drug, merged publication). `found_in`: which column, `title` or `official_title`, `spans` refer to."""

MENTION_PART: Final = pl.Schema(
    {
        "drug": pl.String(),
        **{
            name: PUBLICATION[name]
            for name in ("source", "id", "title", "journal", "journal_kind", "date", "retracted")
        },
        "found_in": pl.String(),
        "spans": SPANS,
        "file": pl.String(),
        "record": pl.UInt32(),
    }
)
"""One row per (drug, record, title it was found in), before merging: what extracting leaves of a batch's mentions."""

RAW_LIMIT: Final = 2_000
"""Characters of a rejected record that are kept."""


class Kind(StrEnum):
    """What a source file holds."""

    DRUGS = "drugs"
    PUBLICATIONS = "publications"
    UNKNOWN = "unknown"


class Compression(StrEnum):
    """What wraps a file's bytes."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    ZIP = "zip"


class Format(StrEnum):
    """How records are written in a file; found by content."""

    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    PUBMED_XML = "pubmed-xml"
    CTGOV_JSON = "ctgov-json"
    CTGOV_XML = "ctgov-xml"
    MEDLINE = "medline"
    EUROPEPMC = "europepmc-json"
    RXNORM = "rxnorm"
    NAMES = "names"
    QUERY = "query"
    UNKNOWN = "unknown"


class Fingerprint(msgspec.Struct, frozen=True, gc=False):
    """What tells a file from its changed self without reading it. Sizes in bytes, times in nanoseconds."""

    size: int
    mtime: int
    ctime: int
    inode: int


class SourceFile(msgspec.Struct, frozen=True, gc=False):
    """One input file, or a query in place of one, as planned.

    `file` is the name shown to people and in outputs, `path` where its bytes are, or the address of a `query`.
    `columns` maps our field names to the file's own column names, first one that exists; `quoted`: whether quotes
    enclose cells, or are text like any other; `note` says why a file is not read, where it isn't.
    """

    file: str
    path: str
    kind: Kind
    source: str
    format: Format
    compression: Compression
    fingerprint: Fingerprint
    separator: str = ","
    quoted: bool = True
    encoding: str = "utf-8"
    query: str = ""
    columns: dict[str, list[str]] = {}
    dates: list[str] = []
    note: str = ""

    def unstable(self) -> "SourceFile":
        """The same with a fingerprint that no file has: what was read of it is never taken for what it is.

        A query's address, which may hold a password, isn't in it.
        """
        fingerprint = msgspec.structs.replace(self.fingerprint, size=-1)
        return msgspec.structs.replace(self, fingerprint=fingerprint, path="" if self.query else self.path)


EMPTY_FILE: Final = "empty file"
"""The note of a file of no bytes: it holds no record, and isn't a reject."""


class Batch(msgspec.Struct, frozen=True):
    """Source files that are extracted together, into parts of one name."""

    name: str
    files: tuple[SourceFile, ...]


class FileCounts(msgspec.Struct, frozen=True, gc=False):
    """What became of a file's records: read = publications + deletions + rejects + blanks."""

    file: str
    read: int = 0
    publications: int = 0
    deletions: int = 0
    rejects: int = 0
    blanks: int = 0
    unread_dates: int = 0


class Part(msgspec.Struct, frozen=True):
    """A Parquet file of extracted rows, never changed once written, and its `durable.checksum`."""

    path: str
    checksum: str
    fingerprint: Fingerprint


class Parts(msgspec.Struct, frozen=True):
    """What extracting one batch left on disk, and what it counts.

    `matched` says what the mentions were found with: the lexicon's digest and the rule for overlaps. Where there are no
    `mentions`, they are still to be found.
    """

    batch: Batch
    counts: tuple[FileCounts, ...]
    publications: Part
    rejects: Part
    mentions: Part | None
    matched: str
