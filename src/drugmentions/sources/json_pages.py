"""Read JSON of pages: values after one another, each an array of records, one record, or an object around an array.

An array may be of pages, too.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from drugmentions.model import RAW_LIMIT
from drugmentions.sources.json_array import ENDS_EARLY, Reader, Rows, StoppedError, read_with
from drugmentions.sources.json_text import END, Text, TooDeepError, value_end
from drugmentions.sources.json_values import SYNTAX_ERROR


class Pages(NamedTuple):
    """What pages look like.

    `path`: the keys that lead from a page to its array; `record_keys`: an object that starts with one of these is a
    record itself; `page_keys`: an object in an outer array that starts with one of these is a page; `missing`: the
    reason to reject a page without an array; `errors`: keys of a page that isn't one -> the reason to reject that.
    """

    path: tuple[str, ...]
    record_keys: frozenset[str]
    page_keys: frozenset[str]
    missing: str
    errors: Mapping[str, str]


def read_pages(blocks: Iterator[bytes], rows: Rows, pages: Pages) -> None:
    """Read a text; raises UnreadableError where nothing of it can be read, and there are no rows yet."""
    read_with(_PageReader(Text(blocks), rows, pages))


class _PageReader(Reader):
    """Reads the values that a text consists of."""

    closings = 4_096

    def __init__(self, text: Text, rows: Rows, pages: Pages) -> None:
        super().__init__(text, rows)
        self._pages = pages
        self._reason = pages.missing

    def read(self) -> None:
        """Read to the end. Raises StoppedError, with the text's place at what can't be read."""
        while (start := self.text.peek()) != END:
            if start == ord("["):
                self.read_array(self._read_item)
            elif start == ord("{") and self._first_key() not in {"", *self._pages.record_keys}:
                self._read_page()
            else:
                self.read_value()

    def _read_item(self) -> None:
        """Read a value of an outer array: a page if it looks like one, else a record."""
        if self.text.data[self.text.at] == ord("{") and self._first_key() in self._pages.page_keys:
            self._read_page()
        else:
            self.read_value()

    def _first_key(self) -> str:
        """The first key of the object that begins here; empty where there is none."""
        text = self.text
        while text.waiting < RAW_LIMIT and text.more():
            pass
        first_key = text.data[text.at + 1 : text.at + RAW_LIMIT].lstrip().split(b'"', 2)[1:2]
        return first_key[0].decode(errors="replace") if first_key else ""

    def _read_page(self) -> None:
        """Read a page, of which no more is held than one of its values."""
        text = self.text
        raw, line = text.data[text.at : text.at + 4 * RAW_LIMIT], text.locate()
        self._reason = self._pages.missing
        if not self._descend(self._pages.path):
            with suppress(TooDeepError, ValueError):
                raw = raw[: value_end(raw, 0) or None]
            self.rows.reject(self._reason, raw, line)

    def _descend(self, path: tuple[str, ...]) -> bool:
        """Read the array that `path` leads to, if it is there, and pass over all else in an object.

        An object without anything is as good as one around an empty array.
        """
        text = self.text
        text.at += 1
        sign = text.peek()
        found = sign == ord("}")
        while sign != ord("}"):
            key = self._take_key()
            self._reason = self._pages.errors.get(key, self._reason)
            sign = text.peek()
            if key == path[0] and sign == ord("[") and len(path) == 1:
                self.read_array()
                found = True
            elif key == path[0] and sign == ord("{") and len(path) > 1:
                found = self._descend(path[1:]) or found
            elif sign != END:
                text.at = self.find_end()
            sign = text.peek()
            if sign == ord(","):
                text.at += 1
                sign = text.peek()
            elif sign != ord("}"):
                raise StoppedError(ENDS_EARLY if sign == END else SYNTAX_ERROR)
        text.at += 1
        return found

    def _take_key(self) -> str:
        """The key of a member, behind whose colon the text then is."""
        text = self.text
        if text.peek() != ord('"'):
            raise StoppedError(ENDS_EARLY if text.peek() == END else SYNTAX_ERROR)
        end = self.find_end()
        key = text.data[text.at + 1 : end - 1].decode(errors="replace")
        text.at = end
        if text.peek() != ord(":"):
            raise StoppedError(ENDS_EARLY if text.peek() == END else SYNTAX_ERROR)
        text.at += 1
        return key
