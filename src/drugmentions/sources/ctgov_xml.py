"""Read studies in the XML of the classic ClinicalTrials.gov: one a file, or a zip of such files.

Source: the elements of https://clinicaltrials.gov/ct2/html/images/info/public.xsd, as it was until 2024.
"""

from collections.abc import Sequence
from typing import Final

from drugmentions.model import SourceFile
from drugmentions.sources.ctgov_json import COLUMNS
from drugmentions.sources.named_rows import NamedRows, read_each_text
from drugmentions.sources.spool import Spool
from drugmentions.sources.xml_records import StoppedError, XmlRecords, line_of, source_of

RECORDS: Final = frozenset({"clinical_study"})
_PATHS: Final = (
    "id_info/nct_id",
    "brief_title",
    "official_title",
    "sponsors/lead_sponsor/agency",
    "start_date",
    "study_first_posted",
)
"""Where the values of COLUMNS stand."""


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file study by study; raises UnreadableError where nothing of it can be read."""
    rows = NamedRows(file, COLUMNS, fields, spool)
    read_each_text(file, rows, spool, lambda blocks: _read_text(XmlRecords(blocks, file.encoding, RECORDS), rows))


def _read_text(studies: XmlRecords, rows: NamedRows) -> None:
    try:
        for element in studies:
            values = tuple(map(element.findtext, _PATHS))
            if element.tag in RECORDS and (any(values) or not len(element)):
                rows.keep(values, line_of(element))
            else:
                rows.reject("not a study", source_of(element), line_of(element))
    except StoppedError as error:
        rows.reject(error.reason, error.raw, error.line)
