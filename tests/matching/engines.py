"""What both engines find, which must be the same."""

from collections.abc import Sequence

import polars as pl

from drugmentions.matching import engine, oracle
from drugmentions.matching.lexicon import Lexicon


def by_engine(
    titles: Sequence[str | None], lexicon: Lexicon, overlaps: engine.Overlaps = "longest"
) -> list[list[oracle.Match]]:
    """The matches in each title, ordered as the oracle orders them."""
    series = pl.Series(titles, dtype=pl.String)
    rows = engine.Matcher(lexicon, overlaps, "polars").find_spans(series)
    compiled = engine.Matcher(lexicon, overlaps, "compiled").find_spans(series)
    assert compiled.schema == rows.schema
    assert compiled.rows() == rows.rows()
    found: list[list[oracle.Match]] = [[] for _ in titles]
    for row, drug, start, end, term in rows.rows():
        found[row].append(oracle.Match(start, end, term, drug))
    return [sorted(matches, key=lambda match: (match.start, match.end, match.drug)) for matches in found]
