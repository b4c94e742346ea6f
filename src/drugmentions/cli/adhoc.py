"""`drugmentions adhoc`: questions asked of a graph."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drugmentions.cli.damage import tells_damage
from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import Format, GraphPath, Log, LogFormat, Quiet

if TYPE_CHECKING:
    import polars as pl

    from drugmentions.graph.reading import Graph

_SHOWN = 20

app = typer.Typer(help="Ask questions of a graph.", no_args_is_help=True)

Drug = Annotated[str, typer.Argument(help="A drug's name, in any case.")]


class By(StrEnum):
    """What `frequent` counts."""

    DRUG = "drug"
    TERM = "term"


@app.command("top-journal")
@tells_damage
def top_journal_command(
    path: GraphPath = Path("out"),
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Count mentions of this source alone; repeatable.")
    ] = None,
    sponsors: Annotated[bool, typer.Option("--sponsors", help="Let sponsors of trials count as journals.")] = False,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The journals that mention the most distinct drugs: every one of those that tie."""
    del quiet, log_format
    import polars as pl

    from drugmentions.cli.render import render
    from drugmentions.queries import top_journals

    graph = _open(path)
    top = top_journals(graph.mentions, sources=source or (), sponsors=sponsors).collect()
    counted = top.select("journal", pl.col("drugs").list.len().alias("drug_count"), "drugs")
    drug_count = counted["drug_count"].max() or 0
    render(counted, {"drug_count": drug_count, "journals": top.to_dicts()}, output_format)


@app.command("related")
@tells_damage
def related_command(
    drug: Drug,
    path: GraphPath = Path("out"),
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The other drugs that the drug's journals mention, PubMed publications alone."""
    del quiet, log_format
    from drugmentions.queries import related_drugs, resolve_drug

    graph = _open(path)
    name = resolve_drug(graph.drugs["drug"], drug)
    _render_list(related_drugs(graph.mentions, name), {"drug": name}, "related", output_format)


@app.command("journals")
@tells_damage
def journals_command(
    drug: Drug,
    path: GraphPath = Path("out"),
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The journals that mention a drug, with how often, first and last date, and sources."""
    del quiet, log_format
    from drugmentions.queries import journals_of_drug, resolve_drug

    graph = _open(path)
    name = resolve_drug(graph.drugs["drug"], drug)
    _render_list(journals_of_drug(graph.mentions, name), {"drug": name}, "journals", output_format)


@app.command("drugs")
@tells_damage
def drugs_command(
    journal: Annotated[str, typer.Argument(help="A journal's name, in any case.")],
    path: GraphPath = Path("out"),
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The drugs that a journal mentions, with how often, first and last date, and sources."""
    del quiet, log_format
    from drugmentions.queries import drugs_of_journal, resolve_journal

    graph = _open(path)
    name = resolve_journal(graph.mentions, journal)
    _render_list(drugs_of_journal(graph.mentions, name), {"journal": name}, "drugs", output_format)


@app.command("frequent")
@tells_damage
def frequent_command(
    path: GraphPath = Path("out"),
    by: Annotated[By, typer.Option("--by", help="Count drugs, or the terms that matched.")] = By.TERM,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many; 0: all.")] = _SHOWN,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The drugs or terms that match most, with sample titles, the spans marked: junk shows at a glance."""
    del quiet, log_format
    from drugmentions.cli.render import render
    from drugmentions.outputs import scan_mentions
    from drugmentions.queries import frequent_names

    names = frequent_names(scan_mentions(path), by=by.value, limit=limit + 1 if limit else 0).collect(
        engine="streaming"
    )
    shown = names.head(limit) if limit else names
    if shown.height < names.height:
        narrator.note(f"the {limit} most frequent {by}s shown; --limit 0 shows all")
    render(shown, {"by": by.value, f"{by}s": shown.to_dicts()}, output_format)


@app.command("mentions")
@tells_damage
def mentions_command(
    drug: Drug,
    path: GraphPath = Path("out"),
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """The publications that mention a drug, with the terms that matched, the spans marked in the title."""
    del quiet, log_format
    from drugmentions.outputs import scan_mentions
    from drugmentions.queries import mentions_of_drug, resolve_drug

    name = resolve_drug(_open(path).drugs["drug"], drug)
    _render_list(mentions_of_drug(scan_mentions(path), name), {"drug": name}, "mentions", output_format)


def _open(path: Path) -> "Graph":
    """Load a graph, and warn where it stands in a directory whose files aren't all of one run."""
    from drugmentions.graph.reading import load_graph
    from drugmentions.report import damaged_outputs

    if path.is_dir() and (damaged := damaged_outputs(path)):
        narrator.warn(f"{path}: {', '.join(damaged)} not of the last run, which was killed; run again to mend it")
    return load_graph(path)


def _render_list(answers: "pl.LazyFrame", about: dict[str, str], name: str, output_format: Format) -> None:
    """Write answers: as JSON, an object of what was asked and the list of them."""
    from drugmentions.cli.render import render

    rows = answers.collect()
    render(rows, {**about, name: rows.to_dicts()}, output_format)
