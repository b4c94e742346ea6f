"""Tell an HTML page, which servers send instead of a file, by its first characters."""

from typing import Final

_STARTS: Final = ("<!doctype html", "<html", "<head>", "<body>", "<p>")
_WITHIN: Final = 1024
"""Characters within which the root element stands, behind comments and declarations."""

HTML_PAGE: Final = "an HTML page"


def is_html(text: str) -> bool:
    """Whether a text that may end anywhere is a page, or a piece of one."""
    start = text[: 4 * _WITHIN].lstrip()[:_WITHIN].lower()
    return start.startswith(_STARTS) or (start.startswith("<") and "<html" in start)
