"""The records of PubMed XML as values of fixed columns: one small function per field.

Source: the elements of the PubMed DTD, https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/250101/index.html.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from lxml import etree

from drugmentions.sources.columns import DELETED, RETRACTED, STATUS
from drugmentions.sources.xml_records import line_of, source_of

COLUMNS: Final = ("pmid", "version", "title", "journal", "journal_abbreviation", "pub_date", STATUS)
ROOTS: Final = frozenset({"PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet"})
RECORDS: Final = frozenset({"PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation"})
NOT_RECORD: Final = "not a PubMed record"
NO_PMID: Final = "deletion without a PMID"

UNTITLED: Final = frozenset({"", "[Not Available].", "[Not Available]"})
"""What stands for the title of an article that has one in its own language alone."""
_ENDS: Final = ".?!"


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

    `[Use of aspirin.]` and `[Use of aspirin].` lose them, `[18F]FDG` and `[18F]FDG or [11C]PIB` don't.
    """
    if not title.startswith("["):
        return title
    body, stop = (title[:-1], title[-1]) if title[-1] in _ENDS else (title, "")
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
    year, month, day = published.findtext("Year"), published.findtext("Month"), published.findtext("Day")
    if not year:
        return published.findtext("MedlineDate")
    if month is None:
        return " ".join(filter(None, (year, published.findtext("Season"))))
    if month.isdecimal():
        return "-".join(part.zfill(2) for part in (year, month, day) if part)
    return " ".join(filter(None, (year, month, day)))


def _status(article: etree._Element) -> str | None:
    kinds = article.iterfind("PublicationTypeList/PublicationType")
    return RETRACTED if any(kind.text == "Retracted Publication" for kind in kinds) else None
