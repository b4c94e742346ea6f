"""Draw how costs grow, a panel an axis, from the rows of growth.py, as SVG.

usage: plot.py GROWTH.json OUT.svg
"""

import json
import math
import sys
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
Scale = Callable[[float], float]

AXES = {
    "titles": ("titles in one file", False),
    "names": ("names in the lexicon", True),
    "files": ("files, the same titles", True),
    "share": ("share of titles that mention drugs", False),
}
"""What each axis is called, and whether its scale is logarithmic."""
COLORS = ("#1f6fb2", "#c8501e", "#3a8a3a", "#7a4fa3")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 450, 260, 58, 56, 30, 44  # of a panel and its margins
STYLE = "text{font:11px sans-serif;fill:#333}.m{text-anchor:middle}.e{text-anchor:end}.b{font-weight:bold}"


class Panel(NamedTuple):
    """Where the values of one panel lie, in its own coordinates."""

    x: Scale
    seconds: Scale
    memory: Scale


def draw(rows: list[Row], path: Path) -> None:
    """Write the plot: seconds of a run by engine as lines, peaks of memory as dashed ones, from 0 on."""
    axes = [axis for axis in AXES if any(row["axis"] == axis for row in rows)]
    engines = list(dict.fromkeys(row["engine"] for row in rows))
    body = []
    for number, axis in enumerate(axes):
        at = f"{WIDTH * (number % 2)},{HEIGHT * (number // 2)}"
        body.append(f'<g transform="translate({at})">{"".join(panel_parts(axis, rows, engines))}</g>')
    size = f"0 0 {WIDTH * min(len(axes), 2)} {HEIGHT * math.ceil(len(axes) / 2)}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}"><style>{STYLE}</style>'
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    path.write_text("\n".join([head, ground, *body, "</svg>"]) + "\n", encoding="utf-8")


def panel_parts(axis: str, rows: list[Row], engines: list[str]) -> Iterator[str]:
    """The elements of one panel."""
    name, logarithmic = AXES[axis]
    shown = [row for row in rows if row["axis"] == axis]
    panel = Panel(
        scale([row["at"] for row in shown] + [0] * (not logarithmic), (LEFT, WIDTH - RIGHT), logarithmic=logarithmic),
        scale([0, top(row["seconds"] for row in shown)], (HEIGHT - BOTTOM, TOP)),
        scale([0, top(row["peak_mib"] for row in shown)], (HEIGHT - BOTTOM, TOP)),
    )
    yield text(WIDTH / 2, HEIGHT - 8, name, "m b")
    for part in range(5):
        for most, values, at, side in (
            (top(row["seconds"] for row in shown), panel.seconds, LEFT - 6, "e"),
            (top(row["peak_mib"] for row in shown), panel.memory, WIDTH - RIGHT + 6, ""),
        ):
            yield text(at, values(most * part / 4) + 4, f"{most * part / 4:g}", side)
        height = panel.seconds(0) + (TOP - panel.seconds(0)) * part / 4
        yield f'<path d="M{LEFT},{height:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
    yield text(LEFT - 6, TOP - 12, "seconds", "e")
    yield text(WIDTH - RIGHT + 6, TOP - 12, "MiB")
    last = -math.inf
    for at in sorted({row["at"] for row in shown}):
        if panel.x(at) - last > 34:
            last = panel.x(at)
            yield text(last, HEIGHT - BOTTOM + 15, short(at), "m")
    for engine, color in zip(engines, COLORS, strict=False):
        of_engine = [row for row in shown if row["engine"] == engine]
        points = [(panel.x(row["at"]), panel.seconds(row["seconds"])) for row in of_engine]
        peaks = [(panel.x(row["at"]), panel.memory(row["peak_mib"])) for row in of_engine]
        yield line(peaks, f'stroke="{color}" stroke-dasharray="3 3"')
        yield line(points, f'stroke="{color}" stroke-width="2"')
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points)
        if len(engines) > 1:
            place = engines.index(engine)
            yield f'<text x="{LEFT + 60 + 80 * place}" y="{TOP - 12}" style="fill:{color}">{escape(engine)}</text>'


def scale(values: list[float], ends: tuple[float, float], *, logarithmic: bool = False) -> Scale:
    """From values to places between two ends."""

    def position(value: float) -> float:
        return math.log(value) if logarithmic else value

    least, most = position(min(values)), position(max(values))
    return lambda value: ends[0] + (ends[1] - ends[0]) * (position(value) - least) / ((most - least) or 1)


def top(values: Iterator[float]) -> float:
    """A round number above all values, which four parts well."""
    most = max(values) or 1
    unit: float = 10.0 ** math.floor(math.log10(most))
    return next(step * unit for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * unit >= most)


def short(value: float) -> str:
    """1000 as 1k, a million as 1M."""
    for unit, sign in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{sign}"
    return f"{value:g}"


def text(x: float, y: float, said: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(said)}</text>'


def line(points: list[tuple[float, float]], how: str) -> str:
    return f'<path d="M{"L".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" {how}/>'


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_bytes())["rows"], Path(sys.argv[2]))
