"""Records whose columns a format fixes, on their way into a spool; from a file, or from those in an archive."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import orjson

from drugmentions.model import RAW_LIMIT, SourceFile
from drugmentions.sources.columns import DELETED, STATUS
from drugmentions.sources.html_pages import HTML_PAGE, is_html
from drugmentions.sources.scans import field_columns, further_columns
from drugmentions.sources.spool import SUSPECT, Spool, is_blank
from drugmentions.sources.streams import INVALID_UTF8, UnreadableError
from drugmentions.sources.zip_entries import read_texts


class NamedRows:
    """The records of one file on their way into a spool. `count`: records met so far.

    `within`: the file in an archive that they are from, which stands in front of what is rejected.
    """

    def __init__(self, file: SourceFile, columns: Sequence[str], fields: Sequence[str], spool: Spool) -> None:
        self.count = 0
        self.within = ""
        self._file = file.file
        self._columns = columns
        # A record is given a null behind its last column: there stand the fields that it lacks.
        found = field_columns(columns, file, fields)
        self._places = [places[0] if places else len(columns) for places in found]
        self._further = further_columns(found)
        self._status = columns.index(STATUS) if STATUS in columns else len(columns)
        self._spool = spool

    def keep(self, values: Sequence[str | None], line: int | None) -> None:
        """Keep a record: its values in the order of the columns."""
        self.count += 1
        padded = (*values, None)
        picked = [padded[place] for place in self._places]
        for field, place in self._further:
            picked[field] = picked[field] or padded[place]
        main = picked[0]
        if (not main or main[0] in SUSPECT) and padded[self._status] != DELETED:
            raw = orjson.dumps({name: value for name, value in zip(self._columns, values, strict=True) if value})
            blank = all(map(is_blank, values))
            self._spool.doubtful.append((self._file, self.count, line, raw.decode(), blank, main))
        self._spool.rows.append((self._file, self.count, line, *picked))

    def text_of(self, raw: bytes, line: int, limit: int, too_long: str) -> str | None:
        """A record's text; None where it is rejected, as `too_long` for `limit` bytes, or as invalid UTF-8."""
        if len(raw) > limit:
            self.reject(too_long, raw[: 4 * RAW_LIMIT].decode(errors="replace"), line)
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.reject(INVALID_UTF8, raw.decode(errors="surrogateescape"), line)
            return None

    def reject(self, reason: str, raw: str | None, line: int | None) -> None:
        """Reject a record, or what is left of the file."""
        self._spool.make_room()  # a block may hold millions of what is no record
        self.count += 1
        raw = f"{self.within}: {raw or ''}" if self.within else raw
        self._spool.reject(self._file, self.count, line, reason, raw)


def read_each_text(
    file: SourceFile, rows: NamedRows, spool: Spool, read_text: Callable[[Iterator[bytes]], None]
) -> None:
    """Read a file by `read_text`, or all those in a zip archive, of which each that can't be read is one reject.

    Raises UnreadableError where nothing can be read.
    """
    try:
        for name, blocks in read_texts(file):
            rows.within = name
            try:
                first = next(blocks, b"") if name else b""
                if is_html(first.decode(errors="replace")):
                    rows.reject(HTML_PAGE, first[: 4 * RAW_LIMIT].decode(errors="replace"), 1)
                else:
                    read_text(spool.metered(chain((first,) if first else (), blocks)))
            except UnreadableError as error:
                if not name:
                    raise
                rows.reject(error.reason, None, None)
    except UnreadableError as error:
        if not rows.count:
            raise
        rows.within = ""
        rows.reject(error.reason, None, None)
    spool.read[file.file] += rows.count
