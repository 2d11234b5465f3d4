"""The plot: bars in a self-contained SVG that reads on a phone, in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape

from .results import Cell, Run, Table
from .tables import number, ordered

WIDTH = 480  # a phone shows it at three quarters and the text is still read
MARGIN = 16
LABELS = 204
BAR = 15
STEP = 22
VALUES = 76  # room for the figure behind the longest bar
LONGEST = WIDTH - 2 * MARGIN - LABELS - VALUES
LETTERS = 27  # that fit beside a bar
MOST_PER_FAMILY = {"ours": 2, "original": 2, "other": 3, "ceiling": 1}  # in the overview
LOGARITHMIC_FROM = 1000.0  # from here on the shortest bar could not be seen
TITLE = "The same work, one core each"
KINDS = {"ours": "Fairway", "original": "Channels 4.3.2", "other": "others", "ceiling": "C, one send() each"}

_STYLE = """
svg { --paper: #ffffff; --ink: #1c2430; --faint: #5d6875; --line: #dfe4ea;
      --ours: #0a7d6c; --original: #d9822b; --other: #8d9bb0; --ceiling: #c3ccd8; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #12171e; --ink: #e8edf3; --faint: #9aa7b5; --line: #2a333e;
        --ours: #2cc7ae; --original: #f0a04b; --other: #66758a; --ceiling: #414d5c; }
}
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, sans-serif; fill: var(--ink); }
.title { font-size: 15px; font-weight: 600; } .faint { fill: var(--faint); font-size: 12px; }
.us { font-weight: 700; } .end { text-anchor: end; }
.paper { fill: var(--paper); } .rule { stroke: var(--line); }
.ours { fill: var(--ours); } .original { fill: var(--original); }
.other { fill: var(--other); } .ceiling { fill: var(--ceiling); }
"""


def plot(run: Run, title: str = "") -> str:
    """One panel per row, one bar per contender, the best on top."""
    parts: list[str] = []
    y = 78
    for table in run.tables:
        panel, y = _panel(table, y)
        parts += panel
    size = f'width="{WIDTH}" height="{y + 6}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" {size} '
        f'role="img" aria-label="{escape(title or TITLE)}">'
    )
    paper = f'<rect class="paper" {size} rx="10"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", paper, *_header(run, title), *parts, "</svg>", ""])


def overview(run: Run, rows: Iterable[str]) -> Run:
    """The rows of these ids with the best of each family: what a page has room for."""
    wanted = set(rows)
    return replace(run, tables=[_shortened(table) for table in run.tables if table.id in wanted])


def _shortened(table: Table) -> Table:
    left = dict(MOST_PER_FAMILY)
    cells = []
    for cell in ordered(table):
        left[cell.family] -= 1
        if left[cell.family] >= 0:
            cells.append(cell)
    return replace(table, cells=cells)


def _header(run: Run, title: str) -> Iterator[str]:
    machine = run.machine
    yield _text(MARGIN, 26, title or TITLE, "title")
    yield _text(MARGIN, 44, f"{machine.date} · {machine.cpu}, server on one core", "faint")
    x = float(MARGIN)
    for kind, label in KINDS.items():
        yield f'<rect class="{kind}" x="{x:g}" y="54" width="11" height="11" rx="2"/>'
        yield _text(x + 15, 64, label, "faint")
        x += 34 + len(label) * 6.3


def _panel(table: Table, y: int) -> tuple[list[str], int]:
    """The panel's elements and where the next one begins."""
    shown = [cell for cell in ordered(table) if cell.median is not None]
    if not shown:
        return [], y
    scale = Scale([cell.median or 0 for cell in shown])
    unit = table.unit + (", lower is better" if table.better == "lower" else "")
    unit += ", logarithmic" if scale.logarithmic else ""
    parts = [
        f'<line class="rule" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y}" y2="{y}"/>',
        _text(MARGIN, y + 22, table.title.replace("`", ""), "title"),
        _text(MARGIN, y + 38, unit, "faint"),
    ]
    y += 46
    for cell in shown:
        parts += _bar(cell, scale, y)
        y += STEP
    return parts, y + 10


def _bar(cell: Cell, scale: Scale, y: int) -> Iterable[str]:
    value = cell.median or 0
    length = scale.length(value)
    ours = "us" if cell.family == "ours" else ""
    name = cell.name if len(cell.name) <= LETTERS else cell.name[: LETTERS - 1] + "…"
    x = MARGIN + LABELS
    return (
        _text(x - 8, y + 12, name, f"end {ours}"),
        f'<rect class="{cell.family}" x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2">'
        f"<title>{escape(cell.name)}: {number(value)}</title></rect>",
        _text(x + length + 6, y + 12, number(value), ours),
    )


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text class="{kind.strip()}" x="{x:g}" y="{y:g}">{escape(words)}</text>'


class Scale:
    """From values to lengths of bars: straight, or logarithmic where the range is a thousandfold and more."""

    def __init__(self, values: list[float]):
        positive = [value for value in values if value > 0]
        self.most = max(positive, default=1.0)
        least = min(positive, default=1.0)
        self.logarithmic = self.most / least >= LOGARITHMIC_FROM
        # One decade below the smallest, so that it has a bar as well.
        self.floor = 10 ** (math.floor(math.log10(least)) - 1)

    def length(self, value: float) -> float:
        """In the units of the drawing; never less than a visible line."""
        if value <= 0:
            return 1.0
        if self.logarithmic:
            share = math.log10(value / self.floor) / math.log10(self.most / self.floor)
        else:
            share = value / self.most
        return max(1.0, share * LONGEST)
