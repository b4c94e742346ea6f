"""Parts of earlier runs brought up to date: files that left are taken out, terms that changed are searched for."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from drugmentions.cache import seal
from drugmentions.durable import replacing
from drugmentions.errors import AccountingError
from drugmentions.extract import SEARCHED, part_path, scan_titles, search, sink_part
from drugmentions.failpoints import failpoint
from drugmentions.matching.engine import Matcher
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.normalise import is_ascii_expr
from drugmentions.model import MENTION_PART, FileCounts, Part, Parts
from drugmentions.plan import Carried
from drugmentions.sorted_runs import sink_runs

FEW: Final = 1_000
"""Changed forms that are searched for by themselves; where there are more, every title is matched again."""

_KEY: Final = ["file", "record"]


def carry(carried: Carried, directory: Path) -> Parts:
    """The parts of a carried batch, written anew under `directory` from the rows of its files where these aren't alone.

    Mentions are carried too where all were found with the same lexicon. Raises AccountingError where rows are lost.
    """
    if carried.is_whole:
        return carried.parts[0]
    live = list(_live(carried))
    counted = {count.file: count for parts, names in live for count in parts.counts if count.file in names}
    counts = tuple(counted[file.file] for file in carried.batch.files)
    matched = {parts.matched for parts, _ in live}
    kinds = ["publications", "rejects"]
    if len(matched) == 1 and all(parts.mentions for parts, _ in live):
        kinds.append("mentions")
    written = {kind: _rewritten(kind, carried, live, directory, min(matched)) for kind in kinds}
    _check_rows(written, counts)
    failpoint("carried")
    return Parts(
        carried.batch,
        counts,
        written["publications"],
        written["rejects"],
        written.get("mentions"),
        min(matched) if "mentions" in written else "",
    )


def _live(carried: Carried) -> Iterator[tuple[Parts, set[str]]]:
    """The files that each of the parts is to give, by name."""
    wanted = {file.file: file for file in carried.batch.files}
    for parts in carried.parts:
        names = {file.file for file in parts.batch.files if wanted.get(file.file) == file}
        for name in names:
            del wanted[name]
        yield parts, names


def _rewritten(kind: str, carried: Carried, live: list[tuple[Parts, set[str]]], directory: Path, matched: str) -> Part:
    rows = [
        pl.scan_parquet(getattr(parts, kind).path, glob=False).filter(pl.col("file").is_in(sorted(names)))
        for parts, names in live
    ]
    path = part_path(directory, carried.batch.name, kind, matched if kind == "mentions" else "")
    with replacing(path, durable=False) as temporary:
        sink_part(pl.concat(rows), temporary)
    return seal(path)


def _check_rows(written: dict[str, Part], counts: tuple[FileCounts, ...]) -> None:
    expected = {
        "publications": sum(count.publications + count.deletions for count in counts),
        "rejects": sum(count.rejects for count in counts),
    }
    for kind, rows in expected.items():
        found = pl.scan_parquet(written[kind].path, glob=False).select(pl.len()).collect().item()
        if found != rows:
            raise AccountingError(f"{found} {kind} of {rows} were carried over")


def lexicon_rows(lexicon: Lexicon) -> pl.DataFrame:
    """The lexicon's terms as rows that can be compared with another's: all that a candidate depends on but the title.

    `tokens, gaps, drug, term`, what rules made of the term, and a digest of the `rules` that are applied to titles.
    """
    rows = lexicon.terms.join(lexicon.forms, on="form").drop("form")
    return rows.with_columns(rules=pl.lit(sha256(repr(lexicon.rules).encode()).hexdigest()))


def changed_tokens(old: pl.DataFrame, new: Lexicon) -> list[str] | None:
    """One token of each form that some drug has in one lexicon and not in the other; None where there are too many.

    A title that holds none of them has the same mentions by either lexicon, as a candidate depends on its own term
    alone. `old`: its `lexicon_rows`.
    """
    current = lexicon_rows(new)
    if old.schema != current.schema:
        return None
    key = [pl.col(name).list.join("\n") if dtype == pl.List(pl.String) else name for name, dtype in old.schema.items()]
    before, after = old.select(*key, at="tokens"), current.select(*key, at="tokens")
    on = old.columns
    changed = pl.concat([before.join(after, on=on, how="anti"), after.join(before, on=on, how="anti")])
    tokens = changed.select(pl.col("at").list.eval(pl.element().sort_by(pl.element().str.len_chars())).list.last())
    distinct = tokens.to_series().unique().sort().to_list()
    return distinct if len(distinct) <= FEW else None


def match_again(
    parts: Parts,
    matcher: Matcher,
    tokens: list[str],
    directory: Path,
    scratch: Path,
    *,
    on_rows: Callable[[int], None],
) -> Parts:
    """Bring a batch's mentions up to date where only forms that hold one of these tokens changed.

    Titles that hold one of them, or that aren't ASCII, are matched anew; the mentions of all others stay. `scratch` is
    an empty directory that the caller removes.
    """
    if parts.mentions is None:
        raise ValueError(f"batch {parts.batch.name} has no mentions to start from")
    old = pl.scan_parquet(parts.mentions.path, glob=False)
    titles = scan_titles(Path(parts.publications.path))
    searched = [name for name in SEARCHED if name in titles.collect_schema()]
    sink_part(titles.filter(pl.any_horizontal(_may_hold(name, tokens) for name in searched)), scratch / "affected")
    affected = pl.scan_parquet(scratch / "affected", glob=False)
    keys = affected.select(_KEY)
    sink_runs(search(affected, matcher, on_rows=on_rows), MENTION_PART, scratch / "found")
    found = pl.scan_parquet(scratch / "found", glob=False)
    told = [*_KEY, "found_in", "drug", "spans"]  # all else is the publication's
    now, before = (
        rows.select(told).sort(told[:-1]).collect(engine="streaming")
        for rows in (found, old.select(told).join(keys, on=_KEY, how="semi"))
    )
    if now.equals(before):
        return msgspec.structs.replace(parts, matched=matcher.digest)
    path = part_path(directory, parts.batch.name, "mentions", matcher.digest)
    with replacing(path, durable=False) as temporary:
        mentions = pl.concat([old.join(keys, on=_KEY, how="anti"), found])
        sink_runs(mentions.collect_batches(engine="streaming"), MENTION_PART, temporary)
    return msgspec.structs.replace(parts, mentions=seal(path), matched=matcher.digest)


def _may_hold(column: str, tokens: list[str]) -> pl.Expr:
    """Whether a title may have one of the tokens in its normal form; an ASCII one has it as it stands, in any case."""
    title = pl.col(column)
    plain = [token for token in tokens if token.isascii()]
    holds = title.str.contains_any(plain, ascii_case_insensitive=True) if plain else pl.lit(value=False)
    return (holds | ~is_ascii_expr(title)).fill_null(value=False)
