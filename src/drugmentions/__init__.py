"""Which publications, trials and journals mention our drugs? Drug lists and titles in, one JSON graph out.

The names below are imported when first used, so that `import drugmentions` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from drugmentions.api import (
        Graph,
        Lexicon,
        drugs_of_journal,
        find_mentions,
        journals_of_drug,
        load_graph,
        read_lexicon,
        related_drugs,
        run,
        scan_mentions,
        scan_publications,
        scan_rejects,
        top_journals,
    )

__all__ = [
    "Graph",
    "Lexicon",
    "__version__",
    "drugs_of_journal",
    "find_mentions",
    "journals_of_drug",
    "load_graph",
    "read_lexicon",
    "related_drugs",
    "run",
    "scan_mentions",
    "scan_publications",
    "scan_rejects",
    "top_journals",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  the names are of many types
    if name in __all__:
        return getattr(import_module("drugmentions.api"), name)
    raise AttributeError(f"module 'drugmentions' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
