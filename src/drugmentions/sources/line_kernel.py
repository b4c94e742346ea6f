"""The loop over the bytes of delimited lines that numba compiles: clean quoting, and cells that aren't tidy."""

import numpy as np

from drugmentions.compiled import HIGH, LOW, Bytes, Int, Places, Words, compiled, lowest

UNCLEAN = -1
"""What `check_lines` says of quoting that isn't clean."""

_NEWLINE, _RETURN, _BLANK, _QUOTE = ord("\n"), ord("\r"), ord(" "), ord('"')
_7F = ~HIGH
_ZERO, _ONE, _3, _8, _56 = (np.uint64(n) for n in (0, 1, 3, 8, 56))
_QUOTES, _BLANKS, _BACKSLASHES = (LOW * np.uint64(ord(sign)) for sign in '" \\')
_ABOVE_CONTROLS = LOW * np.uint64(0xE0)


@compiled
def _zeros(word: np.uint64) -> np.uint64:
    """The highest bit of each byte that is zero."""
    return np.uint64(~(((word & _7F) + _7F) | word) & HIGH)


@compiled
def check_lines(  # noqa: C901, PLR0912, PLR0915  # one pass
    text: Bytes, words: Words, separator: Int, lines: Places, columns: Places
) -> tuple[int, int]:
    """Look at lines that all end in a line feed: how many there are, and how many cells aren't tidy.

    words: `text` in words of eight bytes, the last one filled up with any letter. lines, columns: where untidy cells
    are is entered here, both from 0 on, in order, as far as there is room. A cell is tidy where cleaning can't change
    it: ASCII without controls, backslashes and quotes inside, with single blanks, none at its ends. Returns UNCLEAN
    where a quote stands elsewhere than around a whole cell, doubled in it or not, where a quoted cell holds a line's
    end, and where a carriage return is no part of one.
    """
    separators = LOW * np.uint64(separator)
    cell: Int = 0
    doubled: Int = -1
    line, column, entered = 0, 0, 0
    in_quotes, blank_before = False, _ZERO
    is_untidy = text.shape[0] > 0 and text[0] == _BLANK
    for nth in range(words.shape[0]):
        word = words[nth]
        blanks = _zeros(word ^ _BLANKS)
        events = (
            (word & HIGH)
            | _zeros(word & _ABOVE_CONTROLS)
            | _zeros(word ^ _QUOTES)
            | _zeros(word ^ _BACKSLASHES)
            | _zeros(word ^ separators)
            | (blanks & (blanks << _8 | blank_before))
        )
        blank_before = blanks >> _56
        while events != _ZERO:
            at = 8 * nth + np.int64(lowest(events) >> _3)
            events &= events - _ONE
            sign = text[at]
            if sign == separator and not in_quotes:
                is_untidy = is_untidy or text[at - 1 if at > cell else at] == _BLANK
            elif sign == _NEWLINE:
                end = at - 1 if at > cell and text[at - 1] == _RETURN else at
                is_untidy = is_untidy or text[end - 1 if end > cell else at] == _BLANK
                if in_quotes:
                    return UNCLEAN, entered
            elif sign == _QUOTE and not in_quotes:
                if at != cell:
                    return UNCLEAN, entered
                in_quotes = True
                is_untidy = is_untidy or text[at + 1] == _BLANK
                continue
            elif sign == _QUOTE:
                after = text[at + 1]
                if at == doubled:
                    continue
                if after == _QUOTE:
                    doubled, is_untidy = at + 1, True
                elif after in (separator, _NEWLINE) or (after == _RETURN and text[at + 2] == _NEWLINE):
                    in_quotes = False
                    is_untidy = is_untidy or text[at - 1] == _BLANK
                else:
                    return UNCLEAN, entered
                continue
            elif sign == _RETURN:
                if in_quotes or text[at + 1] != _NEWLINE:
                    return UNCLEAN, entered
                continue
            elif sign == separator:
                is_untidy = is_untidy or separator < _BLANK
                continue
            else:
                is_untidy = True
                continue
            if is_untidy:
                if entered < lines.shape[0]:
                    lines[entered], columns[entered] = line, column
                entered += 1
            if sign == _NEWLINE:
                line, column = line + 1, 0
            else:
                column += 1
            cell = at + 1
            is_untidy = cell < text.shape[0] and text[cell] == _BLANK
    return line, entered
