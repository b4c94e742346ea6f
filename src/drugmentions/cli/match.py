"""`drugmentions match`: a filter, titles in, mentions out."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import ConfigFile, Log, LogFormat, OutputFormat, Profile, Quiet
from drugmentions.cli.settings import settings

if TYPE_CHECKING:
    import polars as pl

    from drugmentions.config import Config


def match_command(
    titles: Annotated[
        str,
        typer.Argument(metavar="[TITLES|-]", help="CSV with a title column, NDJSON, or a title a line; - is stdin."),
    ] = "-",
    drugs: Annotated[list[str] | None, typer.Option("--drugs", help="A drug list; repeatable.")] = None,
    overlaps: Annotated[str | None, typer.Option("--overlaps", help="longest, or all.")] = None,
    profile: Profile = None,
    config: ConfigFile = None,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option("--format", "-f", show_default="table on a terminal, else csv", help="How the result is written."),
    ] = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """Write each mention of a drug in titles: id, start, end, term, drug; spans in characters of the title as given."""
    del quiet, log_format
    chosen = settings(config, drugs=drugs, overlaps=overlaps, profile=profile)
    if output_format is None:
        output_format = OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.CSV
    with _opened(titles) as stream:
        _write(_mentions(stream, chosen), output_format)


def _opened(titles: str) -> BinaryIO:
    from drugmentions.errors import NoInputError

    if titles == "-":
        return sys.stdin.buffer
    try:
        return Path(titles).open("rb")
    except OSError as error:
        raise NoInputError(f"{titles}: {error.strerror}", "name a file of titles, or - for standard input") from error


def _mentions(stream: BinaryIO, config: "Config") -> "Iterator[pl.DataFrame]":
    """Mentions of some thousand titles after the others: `id, start, end, term, drug`, in the order of the titles."""
    from drugmentions.api import read_lexicon
    from drugmentions.errors import NoDrugsError
    from drugmentions.matching.engine import Matcher
    from drugmentions.sources.titles import read_titles

    if not config.run.drugs:
        raise NoDrugsError("no drug list named", "name one with --drugs FILE")
    lexicon = read_lexicon(*config.run.drugs, matching=config.matching)
    matcher = Matcher(lexicon, config.matching.overlaps, config.matching.engine, on_trouble=narrator.warn)
    for batch in read_titles(stream):
        found = matcher.find_spans(batch["title"])
        ordered = found.sort("row", "start", "end", "drug")
        yield ordered.select(batch["id"].gather(ordered["row"]).alias("id"), "start", "end", "term", "drug")


def _write(frames: "Iterator[pl.DataFrame]", output_format: OutputFormat) -> None:
    """Write frames as they come where the format allows it, else all together."""
    import polars as pl

    from drugmentions.cli.render import csv_bytes, render, write_bytes

    if output_format is OutputFormat.CSV:
        header = True
        for frame in frames:
            write_bytes(csv_bytes(frame, header=header))
            header = False
        if header:
            write_bytes(b"id,start,end,term,drug\n")
    elif output_format is OutputFormat.NDJSON:
        for frame in frames:
            write_bytes(frame.write_ndjson().encode())
    else:
        schema = {"id": pl.String, "start": pl.UInt32, "end": pl.UInt32, "term": pl.String, "drug": pl.String}
        rows = pl.concat([pl.DataFrame(schema=schema), *frames])
        render(rows, rows.to_dicts(), output_format)
