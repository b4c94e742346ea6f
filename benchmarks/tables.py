"""Write the tables of results into README.md, between its markers.

usage: tables.py [README.md] [--check]

A table stands between `<!-- results/NAME.json -->` and `<!-- end -->`: question, command, machine, versions, date, and
a line a row. --check: write nothing, exit with 1 where README isn't what the results say.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MARKED = re.compile(r"(<!-- (results/\S+\.json) -->\n).*?(<!-- end -->)", re.DOTALL)
UNITS = {
    "us_title": "µs a title",
    "titles_s": "titles/s",
    "mb_s": "MB/s",
    "mb": "MB",
    "peak_mib": "peak MiB",
    "cpu": "CPU s",
    "memory_ratio": "memory ratio",
}


def table(results: dict[str, Any]) -> str:
    """Results as Markdown."""
    machine, rows = results["machine"], results["rows"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    shown = [name for name in rows[0] if len(results["case"]) == 1 or name not in constant(results)]
    lines = [
        f"{results['question']}",
        "",
        f"    {machine['command']}",
        "",
        f"{machine['date']}, {machine['cores']} cores, {machine['processor']}, {machine['platform']}; {versions}.",
        "",
        f"| {' | '.join(UNITS.get(name, name) for name in shown)} |",
        f"|{'|'.join('--:' if is_number(rows, name) else '---' for name in shown)}|",
        *(f"| {' | '.join(cell(row[name]) for name in shown)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def constant(results: dict[str, Any]) -> set[str]:
    """Columns that say which engine where there is but the default one."""
    return {"engine"} if all(row.get("engine") == "default" for row in results["rows"]) else set()


def is_number(rows: list[dict[str, Any]], name: str) -> bool:
    return all(isinstance(row[name], int | float | None) for row in rows)


def cell(value: object) -> str:
    """Whole numbers from 10,000 on with commas."""
    if isinstance(value, int) and value >= 10_000:
        return f"{value:,}"
    return "" if value is None else str(value)


def render(text: str, folder: Path) -> str:
    """A text with its tables as the results in `folder` have them."""

    def filled(found: re.Match[str]) -> str:
        path = folder / found[2]
        results = table(json.loads(path.read_bytes())) if path.exists() else "Not measured yet.\n"
        return f"{found[1]}{results}{found[3]}"

    return MARKED.sub(filled, text)


def main() -> int:
    arguments = sys.argv[1:]
    check = "--check" in arguments
    paths = [Path(name) for name in arguments if name != "--check"] or [HERE / "README.md"]
    for path in paths:
        text = path.read_text(encoding="utf-8")
        rendered = render(text, path.parent)
        if check and rendered != text:
            sys.stderr.write(f"{path}: not what the results say; write it by `python benchmarks/tables.py`\n")
            return 1
        path.write_text(rendered, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
