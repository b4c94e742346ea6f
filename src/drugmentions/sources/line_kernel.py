"""The loops over the bytes of delimited lines that numba compiles: where cells are, and their texts."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmentions.compiled import HELD, WORD, Bytes, Int, Places, Words, bits_of, compiled, load, lowest, store

UNCLEAN: Final = -1
"""What `cut_lines` says of lines that are not to be cut."""
UNTIDY: Final = 1
"""The mark of a cell that cleaning may change, to null if it is empty."""
DOUBLED: Final = 2
"""The mark of a cell in which quotes are doubled."""

BLOCK: Final = 64
"""Bytes that are looked at together; the size of what is cut is a multiple of it."""
ROOM: Final = 4_096
"""Bytes whose marks are set together."""

_NEWLINE, _RETURN, _BLANK, _QUOTE, _BACKSLASH = (ord(sign) for sign in '\n\r "\\')
_BEYOND_ASCII = 0x80
_ZERO, _ONE, _3, _32 = (np.uint64(n) for n in (0, 1, 3, 32))
_ALL, _FIRST = ~_ZERO, np.uint64(0xFFFFFFFF)
_PREFIX = 4  # bytes that a view holds of a text that it doesn't hold


@compiled
def count_lines(text: Bytes) -> int:
    """How many line feeds there are."""
    count = 0
    for at in range(text.shape[0]):
        count += text[at] == _NEWLINE
    return count


@compiled
def _mark_events(text: Bytes, size: Int, separator: np.uint8, marks: Bytes) -> None:
    """Mark, by 1 in place of 0, those of so many bytes that `cut_lines` looks at; LLVM makes it many at a time."""
    behind = text[1:]
    for at in range(size):
        sign = text[at]
        is_sign = (sign == separator) | (sign == _QUOTE) | (sign == _BACKSLASH)
        is_blank = (sign == _BLANK) & (behind[at] == _BLANK)
        marks[at] = np.uint8((sign < _BLANK) | (sign >= _BEYOND_ASCII) | is_sign | is_blank)


@compiled
def _is_untidy_beyond_ascii(text: Bytes, at: Int) -> bool:
    """Whether cleaning may change the character that such a byte of UTF-8 begins, or what is beside it.

    What most titles have, characters up to U+02FF, Greek letters and signs of punctuation, stays as it is: none of them
    is white space, but for two, and none is changed by NFC, whatever stands beside it (`text._MAY_COMPOSE`).
    """
    sign, trail = text[at], text[at + 1]
    if sign < 0xC0:  # the rest of one
        return False
    if sign == 0xC2:
        return trail in (0x85, 0xA0)  # white space
    if sign == 0xCE:
        return bool(trail < 0x88)
    if sign == 0xE2 and trail == 0x80:
        last = text[at + 2]
        return not (0x90 <= last <= 0xA7 or last >= 0xB0)
    return not (sign <= 0xCB or sign == 0xCF)


@compiled
def _view(views: Int, line: Int, text: Int, start: Int, size: Int) -> None:
    """Enter a piece of a text as an Arrow string view, the `line`th of those at an address.

    text: its address; behind its end as many more bytes may be looked at as a view holds.
    """
    first, second = load(text + start) & _FIRST, np.uint64(start) << _32
    if size <= _PREFIX:
        first, second = first & ~(_ALL << (np.uint64(size) << _3)), _ZERO
    elif size <= HELD:
        second = load(text + start + _PREFIX) & _ALL >> (np.uint64(HELD - size) << _3)
    store(views + 2 * WORD * line, np.uint64(size) | first << _32)
    store(views + 2 * WORD * line + WORD, second)


@compiled
def cut_lines(  # noqa: C901, PLR0912, PLR0915  # one pass
    text: Bytes,
    address: Int,
    separator: Int,
    rows: Places,
    views: Places,
    marks: NDArray[np.uint8],
    room: Words,
) -> int:
    """Find the cells of lines that all end in a line feed; returns how many lines there are, or UNCLEAN.

    text: valid UTF-8, and letters behind it, which make it whole blocks, the last one of letters alone; address: its.
    rows: for each column the row that takes it, or -1. views: for each row the address of room for a view of each line,
    which are Arrow's, of the cells' texts without quotes around them, empty where a line is too short. marks: by row
    and line, UNTIDY unless it is sure that the cell is there and stays as it is, DOUBLED. room: for ROOM marks.

    A cell is tidy if it isn't empty and holds no controls, backslashes and quotes, blanks one by one alone, none at its
    ends, and beyond ASCII only what `_is_untidy_beyond_ascii` knows.
    Lines are unclean where a quote stands elsewhere than around a whole cell, doubled in it or not, where a quoted cell
    holds a line's end, where a carriage return is no part of one, and where a line has too many cells.
    """
    cell: Int = 0
    doubled: Int = -1
    line, column = 0, 0
    in_quotes, is_quoted = False, False
    mark: Int = UNTIDY if text[0] == _BLANK else 0
    for block in range(text.shape[0] // BLOCK - 1):
        nth = block % (ROOM // BLOCK)
        if nth == 0:
            first = block * BLOCK
            size = min(ROOM, text.shape[0] - BLOCK - first)
            _mark_events(text[first:], size, np.uint8(separator), room.view(np.uint8))
        events = bits_of(room, nth)
        while events != _ZERO:
            at = BLOCK * block + np.int64(lowest(events))
            events &= events - _ONE
            sign = text[at]
            end = at
            if sign == separator and not in_quotes:
                pass
            elif sign == _NEWLINE:
                if in_quotes:
                    return UNCLEAN
                if at > cell and text[at - 1] == _RETURN:
                    end = at - 1
            elif sign == _QUOTE and not in_quotes:
                if at != cell:
                    return UNCLEAN
                in_quotes = is_quoted = True
                mark |= int(text[at + 1] == _BLANK)
                continue
            elif sign == _QUOTE:
                after = text[at + 1]
                if at == doubled:
                    continue
                if after == _QUOTE:
                    doubled = at + 1
                    mark |= UNTIDY | DOUBLED
                elif after in (separator, _NEWLINE) or (after == _RETURN and text[at + 2] == _NEWLINE):
                    in_quotes = False
                    mark |= int(text[at - 1] == _BLANK)
                else:
                    return UNCLEAN
                continue
            elif sign == _RETURN:
                if in_quotes or text[at + 1] != _NEWLINE:
                    return UNCLEAN
                continue
            elif sign == separator:
                mark |= int(separator < _BLANK)
                continue
            elif sign >= _BEYOND_ASCII:
                mark |= int(_is_untidy_beyond_ascii(text, at))
                continue
            else:
                mark |= UNTIDY
                continue
            if column == rows.shape[0]:
                return UNCLEAN
            row = rows[column]
            if row >= 0:
                start, size = cell + is_quoted, end - cell - 2 * is_quoted
                _view(views[row], line, address, start, size)
                marks[row, line] = mark | int(size == 0 or text[end - 1] == _BLANK)
            column += 1
            if sign == _NEWLINE:
                for absent in range(column, rows.shape[0]):
                    if rows[absent] >= 0:
                        _view(views[rows[absent]], line, address, 0, 0)
                        marks[rows[absent], line] = UNTIDY
                line, column = line + 1, 0
            cell = at + 1
            is_quoted = False
            mark = UNTIDY if text[cell] == _BLANK else 0
    return line
