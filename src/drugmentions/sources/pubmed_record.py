"""The records of PubMed XML as values of fixed columns: one small function per field.

Source: the elements of the PubMed DTD, https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/250101/index.html.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from lxml import etree

from drugmentions.sources.columns import DELETED, RETRACTED, STATUS
from drugmentions.sources.dates import MONTH_NUMBERS
from drugmentions.sources.xml_records import line_of, source_of

COLUMNS: Final = ("pmid", "version", "title", "journal", "journal_abbreviation", "pub_date", STATUS)
ROOTS: Final = frozenset({"PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet"})
RECORDS: Final = frozenset({"PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation"})
NOT_RECORD: Final = "not a PubMed record"
NO_PMID: Final = "deletion without a PMID"

UNTITLED: Final = frozenset({"", "[Not Available].", "[Not Available]"})
"""What stands for the title of an article that has one in its own language alone."""
_ENDS: Final = ".?!"
_YEAR: Final = 4
_DIGITS: Final = 2
_MONTHS_A_YEAR: Final = 12
_MONTHS: Final = frozenset(name.lower() for name in MONTH_NUMBERS)


class Entry(msgspec.Struct, array_like=True):
    """What a record says: the values of COLUMNS, or else a `reason` to reject it, and its start. `line`: its own."""

    line: int | None
    values: tuple[str | None, ...] | None = None
    reason: str = ""
    raw: str | None = None


def entries_of(elements: Iterable[etree._Element]) -> Iterator[Entry]:
    """What records, and elements that stand where records should, say."""
    for element in elements:
        if element.tag == "DeleteCitation":
            yield from map(_deletion, element)
        elif (values := _article(element)) and (any(values) or not len(element)) and element.tag in RECORDS:
            yield Entry(line_of(element), values)
        else:
            yield Entry(line_of(element), None, NOT_RECORD, source_of(element))


def _deletion(pmid: etree._Element) -> Entry:
    if pmid.text and pmid.text.strip():
        return Entry(line_of(pmid), (pmid.text, None, None, None, None, None, DELETED))
    return Entry(line_of(pmid), None, NO_PMID, source_of(pmid))


def _article(record: etree._Element) -> tuple[str | None, ...]:
    """The values of COLUMNS. A record without a citation has none."""
    citation = record if record.tag == "MedlineCitation" else record.find("MedlineCitation")
    if citation is None:
        book = record.find("BookDocument")
        return (None,) * len(COLUMNS) if book is None else _chapter(book)
    pmid, article = citation.find("PMID"), citation.find("Article")
    journal = None if article is None else article.find("Journal")
    return (
        None if pmid is None else pmid.text,
        None if pmid is None else pmid.get("Version"),
        None if article is None else _title(article),
        None if journal is None else journal.findtext("Title") or journal.findtext("ISOAbbreviation"),
        citation.findtext("MedlineJournalInfo/MedlineTA"),
        None if journal is None else _date(journal.find("JournalIssue/PubDate")),
        None if article is None else _status(article),
    )


def _chapter(book: etree._Element) -> tuple[str | None, ...]:
    """The values of COLUMNS for a book, or a chapter of one, whose journal is the book."""
    pmid, title = book.find("PMID"), _title(book)
    whole = _inner_text(book.find("Book/BookTitle"))
    return (
        None if pmid is None else pmid.text,
        None if pmid is None else pmid.get("Version"),
        title or whole,
        whole or None,
        None,
        _date(book.find("Book/PubDate")),
        None,
    )


def _title(article: etree._Element) -> str:
    """The title with all its inner text; of an untitled one, that in its own language."""
    title = _inner_text(article.find("ArticleTitle"))
    if title in UNTITLED:
        title = _inner_text(article.find("VernacularTitle"))
    return without_brackets(title)


def _inner_text(element: etree._Element | None) -> str:
    if element is None:
        return ""
    if not len(element):
        return (element.text or "").strip()
    return "".join(map(str, element.itertext())).strip()


def without_brackets(title: str) -> str:
    """A title without the brackets that say it was translated: those that enclose all of it but a final stop.

    `[Use of aspirin.]` and `[Use of aspirin].` lose them; `[18F]FDG`, `[18F]FDG or [11C]PIB` and `[18F].` don't.
    """
    if not title.startswith("["):
        return title
    body, stop = (title[:-1], title[-1]) if title[-1] in _ENDS else (title, "")
    if body[1:2].isdecimal() and " " not in body:  # an isotope
        return title
    depth = 0
    for place, sign in enumerate(body, 1):
        depth += (sign == "[") - (sign == "]")
        if not depth:
            return body[1:-1] + stop if place == len(body) else title
    return title


def _date(published: etree._Element | None) -> str | None:
    """The date as printed, in a form that `parse_date_expr` takes: of the precision that it has."""
    if published is None:
        return None
    year, month, day = (_stripped(published.findtext(part)) for part in ("Year", "Month", "Day"))
    if not year:
        return printed_date(published.findtext("MedlineDate"))
    if not month:
        return " ".join(filter(None, (year, _stripped(published.findtext("Season")))))
    if month.isdecimal() and len(month) <= _DIGITS:
        parts = (year, month, day) if 1 <= int(month) <= _MONTHS_A_YEAR else (year,)
        return "-".join(part.zfill(2) for part in parts if part)
    is_month = all(name.strip().lower() in _MONTHS for name in month.replace("–", "-").split("-"))
    return " ".join(filter(None, (year, month, day))) if is_month else year


def _stripped(text: str | None) -> str:
    return text.strip() if text else ""


def printed_date(date: str | None) -> str | None:
    """A date as PubMed prints it, without the end of a range that is a year, as `parse_date_expr` takes none.

    `1975-1976` is `1975`, `2000-2001 Winter` is `2000`, `1999 Dec-2000` is `1999 Dec`.
    """
    begin, sign, end = (date or "").replace("–", "-").partition("-")
    begin, words = begin.strip(), end.split()
    ends_in_year = bool(words) and _is_year(words[0]) and (_is_year(begin) or len(words) == 1)
    return begin if sign and ends_in_year and _is_year(begin[:_YEAR]) else date


def _is_year(text: str) -> bool:
    return len(text) == _YEAR and text.isascii() and text.isdecimal()


def _status(article: etree._Element) -> str | None:
    kinds = article.iterfind("PublicationTypeList/PublicationType")
    return RETRACTED if any(kind.text == "Retracted Publication" for kind in kinds) else None
