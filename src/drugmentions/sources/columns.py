"""The names under which sources write our fields, and what a header made of them says about a file."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from drugmentions.config import FIELDS
from drugmentions.model import Kind

STATUS: Final = "status"
"""The mark of a record that its format makes: RETRACTED, DELETED, or nothing."""
RETRACTED: Final = "retracted"
DELETED: Final = "deleted"
ORIGIN_MARK: Final = "origin"
"""The source of a record, where it isn't its file's."""
MARKS: Final[tuple[str, ...]] = (STATUS, ORIGIN_MARK)
"""What readers of some formats say of a record beyond its fields: no column of a table is ever taken for one."""
PUBLICATION_FIELDS: Final = (*FIELDS["publications"], *MARKS)
DRUG_FIELDS: Final = FIELDS["drugs"]

Named = tuple[tuple[str, tuple[str, ...]], ...]
"""Pairs of a field and the names of its columns, preferred first: `Source.columns` as something hashable."""

_PUBLICATION_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title", "scientific_title", "brief_title", "study title", "study_title", "article_title", "title_e"),
    "id": ("id", "pmid", "nct_id", "nctid", "nct number", "nct_number"),
    "official_title": ("official_title", "official title"),
    "journal": ("journal", "journal_title", "journal title", "journal/book", "journal_name"),
    "sponsor": ("sponsor", "lead_sponsor", "lead sponsor", "sponsor/collaborators"),
    "date": (
        "date", "publication_date", "publication date", "pub_date", "start_month_year", "start_date", "start date",
        "create date", "first posted", "first_posted", "publication year", "year",
    ),
    "version": ("version",),
}  # fmt: skip
_DRUG_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "drug": ("drug", "drug_name", "drug name", "common name", "name"),
    "atccode": ("atccode", "atc_code", "atc code", "atc", "code"),
    "synonyms": ("synonyms",),
}
NAMES: Final[Mapping[Kind, Mapping[str, tuple[str, ...]]]] = {
    Kind.PUBLICATIONS: _PUBLICATION_NAMES,
    Kind.DRUGS: _DRUG_NAMES,
    Kind.UNKNOWN: {},
}
"""Kind -> field -> names of its columns, preferred first, case-folded; they are compared so, outer blanks ignored."""

_KNOWN: Final = frozenset(name for kind in NAMES.values() for names in kind.values() for name in names)
# Names that all sorts of tables have; alone, they don't make a drug list.
_GENERIC: Final = frozenset({"name", "code"})
# The table of studies of AACT, the database of ClinicalTrials.gov; `source` can be anything elsewhere.
_AACT: Final = frozenset({"nct_id", "brief_title", "official_title", "source"})
_POSTED: Final = frozenset({"first posted", "first_posted"})
_OF_TRIALS: Final = frozenset({
    "scientific_title", "brief_title", "study title", "study_title", "nct_id", "nctid", "nct number", "nct_number",
})  # fmt: skip


@lru_cache(256)
def find_columns(header: tuple[str, ...], kind: Kind, configured: Named = ()) -> dict[str, list[str]]:
    """Field -> the columns of `header` that hold it, in the file's spelling, preferred first; without one, left out.

    `configured` names come before ours. The day when a trial was posted doesn't stand in for that when it starts,
    unless it is configured. The result is shared between files: don't change it.
    """
    existing = frozenset(header)
    found = {
        field: [name for name in names if name in existing]
        for field, names in find_keys(header, kind, configured).items()
    }
    said = {_folded(name) for _, names in configured for name in names}
    if len(dates := found.get("date", [])) > 1:
        found["date"] = dates[:1] + [name for name in dates[1:] if _folded(name) not in _POSTED - said]
    return {field: names for field, names in found.items() if names}


@lru_cache(256)
def find_keys(seen: tuple[str, ...], kind: Kind, configured: Named = ()) -> dict[str, list[str]]:
    """Every field -> all the keys that may hold it, preferred first, for records that needn't have the same keys.

    A key that isn't among `seen`, those met so far, stands there in our spelling. Shared: don't change it.
    """
    spellings: dict[str, list[str]] = {}
    for key in dict.fromkeys(seen):
        spellings.setdefault(_folded(key), []).append(key)
    extra = dict(configured)
    if _AACT.issubset(spellings):
        extra["sponsor"] = (*extra.get("sponsor", ()), "source")
    keys: dict[str, list[str]] = {}
    for field, names in NAMES[kind].items():
        preferred = (*extra.get(field, ()), *names)
        keys[field] = list(dict.fromkeys(key for name in preferred for key in spellings.get(_folded(name), [name])))
    return keys


def recognise_kind(header: tuple[str, ...], configured: Named = ()) -> Kind:
    """What a table with this header holds: publications if a title, else drugs if a drug's name; UNKNOWN if neither.

    `name` counts as a drug's only beside another column of a drug list, as everything has a name.
    """
    if "title" in find_columns(header, Kind.PUBLICATIONS, configured):
        return Kind.PUBLICATIONS
    drugs = find_columns(header, Kind.DRUGS, configured)
    if "drug" in drugs and any(_folded(name) not in _GENERIC for names in drugs.values() for name in names):
        return Kind.DRUGS
    return Kind.UNKNOWN


def recognise_source(header: Iterable[str]) -> str:
    """The source whose columns these are: `clinical_trials` if one of them is its own, else `pubmed`."""
    return "pubmed" if _OF_TRIALS.isdisjoint(map(_folded, header)) else "clinical_trials"


def count_known(header: Iterable[str], configured: Named = ()) -> int:
    """How many of the columns have a name that we know."""
    extra = {_folded(name) for _, names in configured for name in names}
    return sum(name in _KNOWN or name in extra for name in map(_folded, header))


def _folded(name: str) -> str:
    return name.strip().casefold()
