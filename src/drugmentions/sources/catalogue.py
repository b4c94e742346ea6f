"""The formats that are read, for people: what each holds, and what it is recognised by."""

from typing import Final, NamedTuple

from drugmentions.model import Format


class Entry(NamedTuple):
    """A format. `source`: where the file's name and the configuration say nothing; `by`: first bytes that tell it."""

    format: str
    holds: str
    source: str
    by: str


_BY_COLUMNS: Final = "by columns"

FORMATS: Final = (
    Entry(Format.CSV, "a table, separated by , tab ; or |", _BY_COLUMNS, "column names in its first line"),
    Entry(Format.JSON, "an array of objects, or one object", _BY_COLUMNS, "[ or {, and the first objects' keys"),
    Entry(Format.NDJSON, "an object a line", _BY_COLUMNS, "{, an object that ends with its line"),
    Entry(Format.PARQUET, "a table", _BY_COLUMNS, "PAR1"),
    Entry(
        Format.PUBMED_XML,
        "PubMed: baseline, update files, efetch output, single records",
        "pubmed",
        "root element PubmedArticleSet, PubmedArticle, MedlineCitation, ...",
    ),
    Entry(
        Format.CTGOV_JSON,
        "ClinicalTrials.gov, version 2: studies or pages of them, one a file in a zip too",
        "clinical_trials",
        "keys protocolSection, studies",
    ),
    Entry(
        Format.CTGOV_XML,
        "ClinicalTrials.gov, classic: a study a file, in a zip too",
        "clinical_trials",
        "root element clinical_study",
    ),
    Entry(Format.MEDLINE, "PubMed as saved in MEDLINE format (.nbib)", "pubmed", "lines that begin with PMID- "),
    Entry(
        Format.EUROPEPMC,
        "Europe PMC: pages of search results, lite or core",
        "pubmed; europepmc for records without a PMID",
        "key resultList",
    ),
    Entry(Format.RXNORM, "RXNCONSO.RRF: ingredients and brand names", "a drug list", "19 cells a line, the last empty"),
    Entry(
        Format.NAMES, "a drug's name a line", "a drug list", "one cell in the first line of a file named as a drug list"
    ),
    Entry(Format.QUERY, "what an SQL query gives", "its name", "uri and query in the configuration"),
)
"""Every format, in the order in which people are shown them."""
