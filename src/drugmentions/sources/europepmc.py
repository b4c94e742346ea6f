"""Read what Europe PMC's search gives as JSON: pages of results, `lite` or `core`.

Records with a PMID are PubMed's; the others, preprints most of them, are of a source of their own.
Source: https://europepmc.org/RestfulWebService.
"""

import html
from collections.abc import Sequence
from typing import Final

from drugmentions.model import SourceFile
from drugmentions.sources.columns import ORIGIN_MARK, RETRACTED, STATUS
from drugmentions.sources.json_pages import Pages
from drugmentions.sources.nested_json import Record, Shape, read_nested, text_at
from drugmentions.sources.pubmed_record import printed_date, without_brackets
from drugmentions.sources.spool import Spool

COLUMNS: Final = ("id", "title", "journal", "publication_date", STATUS, ORIGIN_MARK)
RESULT_LIST: Final = "resultList"
ERROR: Final = "errCode"
IS_ERROR: Final = "an error of Europe PMC, not its results"
_PAGE_KEYS: Final = frozenset({"version", "hitCount", "nextCursorMark", "nextPageUrl", "request", RESULT_LIST, ERROR})
_MARKUP: Final = frozenset(("b", "em", "h1", "h2", "h3", "h4", "i", "p", "small", "span", "strong", "sub", "sup", "u"))


def read_into(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a file result by result; raises UnreadableError where nothing of it can be read."""
    read_nested(file, fields, spool, _SHAPE)


def _flatten(result: Record) -> tuple[str | None, ...]:
    """The values of COLUMNS."""
    pmid = text_at(result, "pmid") or (text_at(result, "id") if result.get("source") == "MED" else None)
    title = text_at(result, "title")
    return (
        pmid or text_at(result, "id"),
        title and without_brackets(without_markup(title).strip()),
        text_at(result, "journalInfo", "journal", "title")
        or text_at(result, "journalTitle")
        or text_at(result, "bookOrReportDetails", "publisher"),
        text_at(result, "firstPublicationDate")
        or printed_date(text_at(result, "journalInfo", "dateOfPublication"))
        or text_at(result, "pubYear"),
        RETRACTED if _is_retracted(result) else None,
        "pubmed" if pmid else None,
    )


def _is_retracted(result: Record) -> bool:
    kinds = result.get("pubTypeList")
    named = kinds.get("pubType") if isinstance(kinds, dict) else text_at(result, "pubType")
    return "retracted publication" in str(named).lower()


def without_markup(title: str) -> str:
    """The text of a title that may hold HTML: `C<sub>60</sub> &amp; <i>x</i>` is `C60 & x`, `a<b and c>d` itself."""
    if "<" not in title and "&" not in title:
        return title
    text, *pieces = title.split("<")
    return html.unescape(text + "".join(map(_without_tag, pieces)))


def _without_tag(piece: str) -> str:
    """What follows a less-than sign, without the tag, if it begins with one that titles use; else with the sign."""
    tag, end, text = piece.partition(">")
    name, _, attributes = tag.strip("/ ").partition(" ")
    is_tag = end and not tag.startswith(" ") and (not attributes or '="' in attributes or "='" in attributes)
    if is_tag and name.lower() in _MARKUP:
        return text
    return " " + text if is_tag and name.lower() == "br" else "<" + piece


_SHAPE: Final = Shape(
    COLUMNS,
    _flatten,
    Pages((RESULT_LIST, "result"), frozenset({"id"}), _PAGE_KEYS, "no list of results", {ERROR: IS_ERROR}),
    "not a Europe PMC result",
)
