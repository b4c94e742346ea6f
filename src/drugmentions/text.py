"""Text of every source as one canonical spelling: cleaned, case-folded, or as the key of a journal.

Every function is an elementwise expression, String to String, null where the input is null, so it runs in the
streaming engine. What costs (regular expressions, NFC) is computed for the values that need it and for no others.
"""

from collections.abc import Callable
from itertools import chain
from typing import Final

import polars as pl

_RUN: Final = r"(?:\\x[0-9A-Fa-f]{2})+"
# Cuts a text, leaving nothing out, into maximal runs of escapes and what stands between them.
_PIECE: Final = rf"{_RUN}|[^\\]+|\\"
_TRAIL: Final = r"\\x[89AB][0-9A-F]"
# A run that is well-formed UTF-8 (The Unicode Standard, table 3-7): no overlong forms, no surrogates, up to U+10FFFF.
_WELL_FORMED: Final = rf"""(?ix)^(?:
      \\x [0-7][0-9A-F]
    | \\x (?: C[2-9A-F] | D[0-9A-F] ) {_TRAIL}
    | \\x (?: E0 \\x [AB][0-9A-F] | ED \\x [89][0-9A-F] | E[1-9A-CEF] {_TRAIL} ) {_TRAIL}
    | \\x (?: F0 \\x [9AB][0-9A-F] | F4 \\x 8[0-9A-F] | F[1-3] {_TRAIL} ) {_TRAIL} {_TRAIL}
)+$"""

# Beyond these blocks (Latin, Greek without marks, punctuation, super- and subscripts, currency, unified ideographs) are
# the characters that NFC may change, reorder, or join to the one before; text within them is in NFC as it stands.
_MAY_COMPOSE: Final = r"[^\x00-\u02FF\u0388-\u03FF\u2010-\u2027\u2030-\u205E\u2070-\u20CF\u4E00-\u9FFF]"
# Where characters lie whose folding isn't their lower case; foldings never change between versions of Unicode.
_FOLDED_BLOCKS: Final = (
    range(0xB5, 0x588),  # µ, ß, long s, ς, Greek symbols, և
    range(0x13F8, 0x13FE),  # Cherokee, which folds to capitals
    range(0x1C80, 0x1C89),  # Cyrillic variants
    range(0x1E96, 0x1FFD),  # ẖ to ẛ, Greek with accents or iota subscript
    range(0xAB70, 0xABC0),  # Cherokee
    range(0xFB00, 0xFB18),  # ligatures
)
_FOLDS: Final = {c: c.casefold() for c in map(chr, chain(*_FOLDED_BLOCKS)) if c.casefold() != c.lower() == c}


def clean_text_expr(text: pl.Expr, *, short: bool = False) -> pl.Expr:
    r"""Text in NFC with single blanks, literal `\xNN` escapes decoded; blank text and `""` are null.

    White space is Unicode White_Space. A maximal run of escapes that isn't valid UTF-8 as a whole is dropped. Decoding
    comes first, once, so decoded white space collapses too; decoded control characters, NUL among them, stay.
    `short`: whether most texts have some ten characters, as ids and dates do; it steers speed, never the result.
    """
    return where_expr(text, _is_short_untidy if short else _is_untidy, _tidied)


def fold_case_expr(text: pl.Expr) -> pl.Expr:
    """Text in full Unicode case folding, as `str.casefold` (ß is ss, ς is σ).

    Source: The Unicode Standard, default case folding; the same as Python's on every character of Unicode 14.
    """
    return where_expr(text.str.to_lowercase(), _is_beyond_ascii, lambda lowered: lowered.str.replace_many(_FOLDS))


def journal_key_expr(journal: pl.Expr) -> pl.Expr:
    """What identifies a journal: its name case-folded, without white space and without final dots."""
    without_blanks = fold_case_expr(journal).str.replace_all(" ", "", literal=True)
    return where_expr(without_blanks, _has_space, _without_space).str.strip_chars_end(".")


def once_expr(value: pl.Expr, body: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """`body(value)` under the name of `value`, with `value` computed once however often `body` uses it.

    Polars shares no subexpression inside a branch of `when`. `value` is one column; `body` may use nothing but its
    argument and literals.
    """
    bound = pl.struct(value=value).struct.with_fields(result=body(pl.field("value")))
    return bound.struct.field("result").alias(_name(value))


def where_expr(text: pl.Expr, needs: Callable[[pl.Expr], pl.Expr], change: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """`change(text)` where `needs(text)`, elsewhere `text`; bound as in `once_expr`.

    `change` sees empty text elsewhere, so it costs little there. Null would not do: the kernels of `str.contains`,
    `str.replace_all` and the letter cases work through the text that lies under a null.
    """
    value, needed, masked = pl.field("value"), pl.field("needed"), pl.field("masked")
    bound = (
        pl.struct(value=text)
        .struct.with_fields(needed=needs(value))
        .struct.with_fields(masked=pl.when(needed).then(value).otherwise(pl.lit("")))
        .struct.with_fields(result=pl.when(needed).then(change(masked)).otherwise(value))
    )
    return bound.struct.field("result").alias(_name(text))


def _name(column: pl.Expr) -> str:
    return column.meta.output_name(raise_if_undetermined=False) or "text"


def _is_untidy(text: pl.Expr) -> pl.Expr:
    """Whether cleaning may change the text; false for plain ASCII with single blanks.

    Six cheap tests, each with a fast search behind it: on titles, one regex for them all takes twice as long.
    """
    return (
        _is_beyond_ascii(text)
        | (text.str.len_bytes() <= len('""'))
        | text.str.contains(r"[\t-\r\\]")
        | text.str.contains("  ", literal=True)
        | text.str.starts_with(" ")
        | text.str.ends_with(" ")
    )


def _is_short_untidy(text: pl.Expr) -> pl.Expr:
    """As `_is_untidy`, by one regex: slower for each character, but one call for a text where those are six."""
    return (text.str.len_bytes() <= len('""')) | text.str.contains(r"[^ -\[\]-~]|  |^ | $")


def _is_beyond_ascii(text: pl.Expr) -> pl.Expr:
    return text.str.len_bytes() != text.str.len_chars()


def _tidied(text: pl.Expr) -> pl.Expr:
    decoded = where_expr(text, lambda raw: raw.str.contains(_RUN), _decoded)
    composed = where_expr(decoded, lambda raw: raw.str.contains(_MAY_COMPOSE), lambda raw: raw.str.normalize("NFC"))
    # Passes over single blanks, which are most of the white space and need nothing.
    spaced = composed.str.replace_all(r"[^\S ]\s*| \s+", " ").str.strip_chars(" ")
    return once_expr(spaced, lambda tidy: pl.when((tidy != "") & (tidy != '""')).then(tidy))


def _decoded(text: pl.Expr) -> pl.Expr:
    return text.str.extract_all(_PIECE).list.eval(_decoded_piece(pl.element())).list.join("")


def _decoded_piece(piece: pl.Expr) -> pl.Expr:
    """A piece that isn't a run as it is, a run as the characters it encodes, or null (which joining skips)."""
    verbatim = pl.when(~piece.str.starts_with("\\x")).then(piece)
    hexadecimal = pl.when(piece.str.contains(_WELL_FORMED)).then(piece).str.replace_all("\\x", "", literal=True)
    return pl.coalesce(verbatim, hexadecimal.str.decode("hex").cast(pl.String))


def _has_space(text: pl.Expr) -> pl.Expr:
    return _is_beyond_ascii(text) | text.str.contains(r"[\t-\r]")


def _without_space(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s", "")


def spreadsheet_safe_expr(text: pl.Expr) -> pl.Expr:
    """Text for a cell of CSV: what a spreadsheet would run as a formula gets an apostrophe in front; numbers stay."""
    formula = text.str.contains(r"^[=+\-@\t\r]") & text.cast(pl.Float64, strict=False).is_null()
    return pl.when(formula).then(text.str.replace("^", "'")).otherwise(text)
