"""Read drug lists without a header: RxNorm's table of concepts, and plain text, a name a line.

Source: https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html, 12.4, "Concept Names and Sources".
"""

from collections.abc import Callable, Sequence
from typing import Final

from drugmentions.model import SourceFile
from drugmentions.sources.named_rows import NamedRows
from drugmentions.sources.spool import Spool
from drugmentions.sources.streams import LINE_LIMIT, LONG_LINE, UnreadableError, read_line_blocks

COLUMNS: Final = ("drug",)
COMMENT: Final = "#"

_WIDTH: Final = 19
"""Cells of a line of RXNCONSO.RRF: 18 columns, and a bar behind the last."""
_LANGUAGE: Final = 1
_VOCABULARY: Final = 11
_TERM_TYPE: Final = 12
_NAME: Final = 14
_SUPPRESS: Final = 16
_KEPT_TYPES: Final = frozenset({"IN", "PIN", "BN"})
"""Ingredients, precise ingredients (salts, esters), brand names."""
_IN_FORCE: Final = frozenset({"N", ""})
_LETTERS: Final = frozenset({"N", "O", "Y", "E", ""})


def is_rxnconso(line: str) -> bool:
    """Whether this is a line of RXNCONSO.RRF."""
    cells = line.rstrip("\r\n").split("|")
    return len(cells) == _WIDTH and cells[0].isdecimal() and len(cells[_LANGUAGE]) == 3 and cells[_SUPPRESS] in _LETTERS


def read_rxnorm(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read RxNorm's own names of ingredients and brands that are English and in force; other lines are no records.

    Raises UnreadableError where nothing of the file can be read.
    """

    def keep(line: str, number: int, rows: NamedRows) -> None:
        cells = line.split("|")
        if len(cells) != _WIDTH:
            rows.reject(f"{len(cells) - 1} columns where RXNCONSO has {_WIDTH - 1}", line, number)
        elif (
            cells[_LANGUAGE] == "ENG"
            and cells[_VOCABULARY] == "RXNORM"
            and cells[_TERM_TYPE] in _KEPT_TYPES
            and cells[_SUPPRESS] in _IN_FORCE
        ):
            rows.keep((cells[_NAME],), number)

    _read_lines(file, fields, spool, keep)


def read_names(file: SourceFile, fields: Sequence[str], spool: Spool) -> None:
    """Read a name a line; lines that begin with # are no records.

    Raises UnreadableError where nothing of the file can be read.
    """

    def keep(line: str, number: int, rows: NamedRows) -> None:
        if not line.startswith(COMMENT):
            rows.keep((line,), number)

    _read_lines(file, fields, spool, keep)


def _read_lines(
    file: SourceFile, fields: Sequence[str], spool: Spool, keep: Callable[[str, int, NamedRows], None]
) -> None:
    rows = NamedRows(file, COLUMNS, fields, spool)
    number = 0
    try:
        for block in spool.metered(read_line_blocks(file)):
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                _keep_line(line.removesuffix(b"\r"), number, rows, keep)
    except UnreadableError as error:
        if not number and not error.rest:
            raise
        rows.reject(error.reason, error.rest.decode(errors="replace"), number + 1)
    spool.read[file.file] += rows.count


def _keep_line(line: bytes, number: int, rows: NamedRows, keep: Callable[[str, int, NamedRows], None]) -> None:
    text = rows.text_of(line, number, LINE_LIMIT, LONG_LINE)
    if text is not None:
        keep(text, number, rows)
