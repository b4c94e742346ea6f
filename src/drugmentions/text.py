"""Text of every source as one canonical spelling: cleaned, case-folded, or as the key of a journal.

Every function is an elementwise expression, String to String, null where the input is null, so it runs in the
streaming engine. What costs (regular expressions, NFC) is computed for the values that need it and for no others.
"""

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
    needs_cleaning = _needs_cleaning(text)
    cleaned = _with_single_blanks(_with_escapes_decoded(pl.when(needs_cleaning).then(text)).str.normalize("NFC"))
    filled = pl.when((cleaned != "") & (cleaned != '""')).then(cleaned)
    return pl.when(needs_cleaning).then(filled).otherwise(text)


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
    return fold_case_expr(journal).str.replace_all(r"\s+", "").str.strip_chars_end(".")


def _needs_cleaning(text: pl.Expr) -> pl.Expr:
    """Whether cleaning may change the text: false for plain ASCII with single blanks; several cheap tests beat one regex."""
    return (
        _is_beyond_ascii(text)
        | (text.str.len_bytes() <= 2)  # may be `""` or empty
        | text.str.contains(r"[\t-\r\\]")
        | text.str.contains("  ", literal=True)
        | text.str.starts_with(" ")
        | text.str.ends_with(" ")
    )


def _is_beyond_ascii(text: pl.Expr) -> pl.Expr:
    return text.str.len_bytes() != text.str.len_chars()


def _with_single_blanks(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s+", " ").str.strip_chars(" ")


def _with_escapes_decoded(text: pl.Expr) -> pl.Expr:
    escaped = pl.when(text.str.contains(_RUN)).then(text)
    pieces = escaped.str.extract_all(_PIECE)
    return pl.coalesce(pieces.list.eval(_decoded_piece(pl.element())).list.join(""), text)


def _decoded_piece(piece: pl.Expr) -> pl.Expr:
    """A piece that isn't a run as it is, a run as the characters it encodes, or null (which joining skips)."""
    hexadecimal = pl.when(piece.str.contains(_WELL_FORMED)).then(piece).str.replace_all("\\x", "", literal=True)
    verbatim = pl.when(~piece.str.starts_with("\\x")).then(piece)
    return pl.coalesce(hexadecimal.str.decode("hex").cast(pl.String), verbatim)
