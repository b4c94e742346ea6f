"""Stream the records of an XML file: one element at a time, entities refused, nothing fetched, memory bounded.

The parser is lxml's iterparse in the form that is fed blocks, so that a file that is cut or damaged still gives the
records before that place.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from lxml import etree

from drugmentions.model import RAW_LIMIT
from drugmentions.sources.streams import UnreadableError, is_utf8

RECORD_LIMIT: Final = 16 << 20
"""Bytes that may pass before a record is complete: as a tree, they may take forty times as much memory."""
LONG_RECORD: Final = f"record longer than {RECORD_LIMIT >> 20} MiB"
SYNTAX_ERROR: Final = "XML syntax error"
ENDS_EARLY: Final = "file ends within a record"
ENTITIES: Final = "XML that declares entities, which are refused"
_LAST_LINE: Final = 65_535
"""Where libxml2 stops counting the lines of elements."""
_HARDENED: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


class StoppedError(Exception):
    """A file can't be read on. `raw`: the start of the element where that is; `line`: its line; None where unknown."""

    def __init__(self, reason: str, raw: str | None = None, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw
        self.line = line


def root_of(text: bytes) -> str:
    """The name of the root element of an XML text that may end anywhere; empty where there is none."""
    parser = etree.XMLPullParser(events=("start",), **_HARDENED)
    with suppress(etree.XMLSyntaxError):
        parser.feed(text)
    return next((str(element.tag) for element in _elements(parser)), "")


def line_of(element: etree._Element) -> int | None:
    """The 1-based line where an element begins; None where that isn't known."""
    line: Any = element.sourceline
    return line if line and line < _LAST_LINE else None


def source_of(element: etree._Element) -> str:
    """The element as XML, cut as rejects are."""
    return etree.tostring(element, encoding="unicode", with_tail=False)[:RAW_LIMIT]


class XmlRecords:
    """The elements of a text that are named in `records`, right below its root or the root itself, as they come.

    Elements of other names right below the root come too, somewhat later. Each is gone once the next is asked for.
    Iterating raises StoppedError where the text can't be read on, UnreadableError where nothing of it can be read.
    """

    def __init__(self, blocks: Iterator[bytes], encoding: str, records: Iterable[str]) -> None:
        """`encoding`: what `blocks` were in; if that isn't UTF-8, it beats what the text declares."""
        self._blocks = blocks
        self._records = frozenset(records)
        self._parser = etree.XMLPullParser(
            events=("end",), tag=tuple(self._records), encoding=None if is_utf8(encoding) else "utf-8", **_HARDENED
        )
        self._last: etree._Element | None = None
        self._waiting = 0
        self._block = b""
        self._before = 0  # lines that end before the block

    def __iter__(self) -> Iterator[etree._Element]:
        begun = False
        try:
            for block in self._blocks:
                begun = True
                yield from self._feed(block)
        except UnreadableError as error:
            if not begun:
                raise
            raise self._stopped(error.reason) from error
        try:
            root = self._parser.close()
        except etree.XMLSyntaxError as error:
            raise self._stopped(ENDS_EARLY) from error
        yield from root if self._last is None else self._last.itersiblings()

    def _feed(self, block: bytes) -> Iterator[etree._Element]:
        """The records that a block completes."""
        self._waiting += len(block)
        self._before += self._block.count(b"\n")
        self._block = block
        try:
            self._parser.feed(block)
        except etree.XMLSyntaxError as error:
            failed, line = True, error.lineno
        else:  # of some errors, such as an entity that nobody declared, the parser's log alone tells
            errors = self._parser.feed_error_log.filter_from_fatals()
            failed, line = bool(errors), errors[0].line if errors else None
        yield from self._completed()
        if failed:
            raise self._stopped(SYNTAX_ERROR, line)
        if self._waiting > RECORD_LIMIT:
            raise self._stopped(LONG_RECORD)

    def _completed(self) -> Iterator[etree._Element]:
        for element in _elements(self._parser):
            root = element.getroottree().getroot()
            if element.getparent() is not (None if root.tag in self._records else root):
                continue  # within a record
            if self._last is None:
                _refuse_entities(element)
            while (before := element.getprevious()) is not None and before is not self._last:
                yield before
                root.remove(before)
            yield element
            if self._last is not None:
                root.remove(self._last)
            self._last = element  # behind which the parser is about to write: it stays until the next has come
            self._waiting = 0

    def _stopped(self, reason: str, line: int | None = None) -> StoppedError:
        """`line`: where the parser stopped, which counts where no element is begun; if None, that is the last one."""
        begun = None if self._last is None else self._last.getnext()
        if begun is not None:
            return StoppedError(reason, source_of(begun), line_of(begun))
        lines = self._block.rstrip().split(b"\n")
        place = len(lines) - 1 if line is None else line - 1 - self._before
        is_behind = line is None and self._last is not None  # that one is kept
        rest = b"" if is_behind or place < 0 else b"\n".join(lines[place:])
        raw = rest[: 4 * RAW_LIMIT].decode(errors="replace")
        return StoppedError(reason, raw[:RAW_LIMIT] or None, self._before + place + 1)


def _refuse_entities(element: etree._Element) -> None:
    """Raise StoppedError where the document declares entities."""
    declared: Any = element.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise StoppedError(ENTITIES)


def _elements(parser: etree.XMLPullParser) -> Iterator[etree._Element]:
    """Of the events, the elements: with the flags above, there are no others."""
    events: Iterator[tuple[str, Any]] = parser.read_events()
    return (element for _, element in events)
