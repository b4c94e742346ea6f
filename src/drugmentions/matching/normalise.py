"""The normal form of text, as Polars expressions: what terms and titles are brought to before they are compared.

Character by character: trademark signs are borders; the rest is brought to NFKD and lower case (sharp s is ss, final
sigma is sigma), marks and default-ignorable characters are removed. Tokens are the maximal runs of letters and digits.
`oracle.py` says the same in plain Python. Source: Unicode Standard Annex 15 (NFKD), Unicode categories L, N and M.
"""

from typing import Final

import polars as pl

GAP_SIGNS: Final = ".,;:!?()[]"
"""The punctuation that a gap between two tokens of a title may hold only if the term's own gap holds it."""

MARK: Final = r"\p{M}"
BORDER_SIGNS: Final = r"[\u{2122}\u{2120}\u{AE}\u{A9}]"
_REMOVED: Final = r"[\p{M}\p{DI}]"
BORDER: Final = r"[^\p{L}\p{N}]"
BORDERS: Final = f"{BORDER}+"
"""What parts tokens, in normal characters."""


def is_ascii_expr(text: pl.Expr) -> pl.Expr:
    """Boolean: every character is ASCII."""
    return text.str.len_bytes() == text.str.len_chars()


def normal_characters_expr(text: pl.Expr) -> pl.Expr:
    """Text with its characters in normal form and its borders as they are (trademark signs as blanks)."""
    return (
        text.str.replace_all(BORDER_SIGNS, " ")
        .str.normalize("NFKD")
        .str.to_lowercase()
        .str.replace_many(["ς", "ß"], ["σ", "ss"])
        .str.replace_all(_REMOVED, "")
    )


def normal_form_expr(text: pl.Expr) -> pl.Expr:
    """String -> String: the tokens of a text, joined by one blank; empty where there is none, null stays null."""
    ascii_form = text.str.to_lowercase().str.replace_all("[^a-z0-9]+", " ")
    other = normal_characters_expr(pl.when(~is_ascii_expr(text)).then(text)).str.replace_all(BORDERS, " ")
    return pl.coalesce(other, ascii_form).str.strip_chars(" ")
