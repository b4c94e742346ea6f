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


def clean_text_expr(text: pl.Expr) -> pl.Expr:
    r"""Text in NFC with single blanks, literal `\xNN` escapes decoded; blank text and `""` are null.

    White space is Unicode White_Space. A maximal run of escapes that isn't valid UTF-8 as a whole is dropped. Decoding
    comes first, once, so decoded white space collapses too; decoded control characters, NUL among them, stay.
    Source: DESIGN.md, "Text".
    """
    stored, untidy = pl.field("stored"), pl.field("untidy")
    tidied = pl.when(untidy).then(_tidied(pl.when(untidy).then(stored))).otherwise(stored)
    marked = pl.struct(stored=text, untidy=_is_untidy(text))
    return marked.struct.with_fields(tidied=tidied).struct.field("tidied").alias(_name(text))


def fold_case_expr(text: pl.Expr) -> pl.Expr:
    """Text in full Unicode case folding, as `str.casefold` (ß is ss, ς is σ).

    Source: The Unicode Standard, default case folding; checked on every character of Unicode 14.
    """
    lowered = text.str.to_lowercase()
    beyond_ascii = pl.when(_is_beyond_ascii(lowered)).then(lowered)
    return pl.coalesce(beyond_ascii.str.replace_many(_FOLDS), lowered)


def journal_key_expr(journal: pl.Expr) -> pl.Expr:
    """What identifies a journal: its name case-folded, without white space and without final dots.

    Source: DESIGN.md, "Journals".
    """
    without_blanks = fold_case_expr(journal).str.replace_all(" ", "", literal=True)
    return without_blanks.str.replace_all(r"\s", "").str.strip_chars_end(".")


def once_expr(value: pl.Expr, body: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """`body(value)` under the name of `value`, with `value` computed once however often `body` uses it.

    Polars shares no subexpression inside a branch of `when`. `value` is one column; `body` may use nothing but its
    argument and literals.
    """
    bound = pl.struct(value=value).struct.with_fields(result=body(pl.field("value")))
    return bound.struct.field("result").alias(_name(value))


def _name(column: pl.Expr) -> str:
    return column.meta.output_name(raise_if_undetermined=False) or "text"


def _is_untidy(text: pl.Expr) -> pl.Expr:
    """Whether cleaning may change the text; false for plain ASCII with single blanks.

    Six cheap tests, each with a fast search behind it: one regex for them all takes five times as long.
    """
    return (
        _is_beyond_ascii(text)
        | (text.str.len_bytes() <= 2)  # may be empty or `""`
        | text.str.contains(r"[\t-\r\\]")
        | text.str.contains("  ", literal=True)
        | text.str.starts_with(" ")
        | text.str.ends_with(" ")
    )


def _is_beyond_ascii(text: pl.Expr) -> pl.Expr:
    return text.str.len_bytes() != text.str.len_chars()


def _tidied(text: pl.Expr) -> pl.Expr:
    composed = once_expr(once_expr(text, _with_escapes_decoded), _composed)
    # Passes over single blanks, which are most of the white space and need nothing.
    single_spaced = composed.str.replace_all(r"[^\S ]\s*| \s+", " ").str.strip_chars(" ")
    return once_expr(single_spaced, lambda tidy: pl.when((tidy != "") & (tidy != '""')).then(tidy))


def _composed(text: pl.Expr) -> pl.Expr:
    may_compose = text.str.contains(_MAY_COMPOSE)
    return pl.coalesce(pl.when(may_compose).then(text).str.normalize("NFC"), text)


def _with_escapes_decoded(text: pl.Expr) -> pl.Expr:
    pieces = pl.when(text.str.contains(_RUN)).then(text).str.extract_all(_PIECE)
    return pl.coalesce(pieces.list.eval(_decoded_piece(pl.element())).list.join(""), text)


def _decoded_piece(piece: pl.Expr) -> pl.Expr:
    """A piece that isn't a run as it is, a run as the characters it encodes, or null (which joining skips)."""
    verbatim = pl.when(~piece.str.starts_with("\\x")).then(piece)
    hexadecimal = pl.when(piece.str.contains(_WELL_FORMED)).then(piece).str.replace_all("\\x", "", literal=True)
    return pl.coalesce(verbatim, hexadecimal.str.decode("hex").cast(pl.String))
