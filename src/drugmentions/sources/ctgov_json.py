"""Read studies of ClinicalTrials.gov as its API (version 2) and its downloads give them: JSON, or a zip of it.

Source: https://clinicaltrials.gov/data-api/about-api/study-data-structure.
"""

from collections.abc import Sequence
from typing import Final

from drugmentions.model import SourceFile
from drugmentions.sources.json_pages import Pages
from drugmentions.sources.nested_json import Record, Shape, read_nested, text_at
from drugmentions.sources.spool import Spool

COLUMNS: Final = ("nct_id", "brief_title", "official_title", "lead_sponsor", "start_date", "first_posted")
STUDIES: Final = "studies"
PROTOCOL: Final = "protocolSection"
_STUDY_KEYS: Final = frozenset(
    {PROTOCOL, "resultsSection", "annotationSection", "documentSection", "derivedSection", "hasResults"}
)
_PAGE_KEYS: Final = frozenset({STUDIES, "totalCount", "nextPageToken"})


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file study by study; raises UnreadableError where nothing of it can be read."""
    read_nested(file, fields, spool, _SHAPE)


def _flatten(study: Record) -> tuple[str | None, ...]:
    """The values of COLUMNS."""
    return (
        text_at(study, PROTOCOL, "identificationModule", "nctId"),
        text_at(study, PROTOCOL, "identificationModule", "briefTitle"),
        text_at(study, PROTOCOL, "identificationModule", "officialTitle"),
        text_at(study, PROTOCOL, "sponsorCollaboratorsModule", "leadSponsor", "name"),
        text_at(study, PROTOCOL, "statusModule", "startDateStruct", "date"),
        text_at(study, PROTOCOL, "statusModule", "studyFirstPostDateStruct", "date"),
    )


_SHAPE: Final = Shape(
    COLUMNS, _flatten, Pages((STUDIES,), _STUDY_KEYS, _PAGE_KEYS, "no list of studies", {}), "not a study"
)
