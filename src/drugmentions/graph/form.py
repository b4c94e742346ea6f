"""What graph.json looks like around its drugs, one object a line."""

from typing import Final

SCHEMA: Final = "drugmentions/graph/1"
BUILT_IN_SOURCES: Final = ("clinical_trials", "pubmed")
HEAD: Final = f'{{"schema":"{SCHEMA}","drugs":[\n'.encode()
TAIL: Final = b"]}\n"
BETWEEN: Final = b",\n"
