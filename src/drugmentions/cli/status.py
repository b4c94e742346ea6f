"""`drugmentions status`: what the last run did, what is new since the one before, and whether the outputs are whole."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drugmentions.cli.narrate import narrator
from drugmentions.cli.options import Format, Log, LogFormat, Out, Quiet

if TYPE_CHECKING:
    from drugmentions.report import RunReport

_SHOWN = 20
_NOT_IN_TABLES = frozenset({"sha256"})


def status_command(
    out: Out = Path("out"),
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many changed drugs; 0: all.")] = _SHOWN,
    output_format: Format = None,
    quiet: Quiet = False,
    log_format: Log = LogFormat.TEXT,
) -> None:
    """What the last run did, what is new since the run before, and whether the outputs are whole (if not, exit 4)."""
    del quiet, log_format
    import polars as pl

    from drugmentions.cache import OUTPUTS
    from drugmentions.cli.render import render
    from drugmentions.errors import OutputError
    from drugmentions.report import is_whole, read_report

    report = read_report(out)
    if report is None:
        raise OutputError(f"{out}: no run.json that can be read", "name an output directory of `drugmentions run`")
    whole = {name: is_whole(out / name, report.outputs.get(name)) for name in OUTPUTS}
    drugs = report.changes.drugs[: limit or None]
    if len(drugs) < len(report.changes.drugs):
        narrator.note(f"{len(drugs)} of {len(report.changes.drugs)} changed drugs shown; --limit 0 shows all")
    document = _document(report, whole, len(drugs))
    rows = _rows(document) + [(f"changed: {drug.drug}", f"+{drug.added} -{drug.removed}") for drug in drugs]
    render(pl.DataFrame(rows, schema={"what": pl.String, "value": pl.String}, orient="row"), document, output_format)
    if not all(whole.values()):
        damaged = ", ".join(name for name in OUTPUTS if not whole[name])
        raise OutputError(f"{out}: {damaged} not of the last run", "run `drugmentions run` again, and it is mended")


def _document(report: "RunReport", whole: dict[str, bool], shown: int) -> dict[str, Any]:
    import msgspec

    plain = msgspec.to_builtins(report)
    return {
        "started": report.started,
        "seconds": round(sum(report.seconds.values()), 3),
        "inputs": report.inputs,
        "counts": report.counts,
        "lexicon": plain["lexicon"],
        "whole": all(whole.values()),
        "outputs": {name: {**output, "whole": whole[name]} for name, output in plain["outputs"].items()},
        "changes": plain["changes"] | {"drugs": list(plain["changes"]["drugs"][:shown])},
    }


def _rows(document: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    """A document as names, joined by dots, and values."""
    rows: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{above}{name}.")
        elif isinstance(value, list):
            if value and not any(isinstance(item, dict) for item in value):
                rows.append((above + name, " ".join(map(str, value))))
        elif name not in _NOT_IN_TABLES:
            rows.append((above + name, "" if value is None else json.dumps(value).strip('"')))
    return rows
