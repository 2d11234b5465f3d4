"""Write what a run found: JSON, Markdown, SVG, and the marked sections of pages that show it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from . import plots, tables
from .environment import HERE, ROOT
from .results import Run, run_from_dict
from .rows import OVERVIEW

RESULTS = HERE / "results"
#: The pages that show the summary, and where they see the plot from.
PAGES = {
    ROOT / "README.md": "benchmarks/results",
    ROOT / "docs/explanation/performance.md": "../../benchmarks/results",
}
BEGIN = "<!-- benchmarks: from here to the end mark written by make bench -->"
END = "<!-- benchmarks: end -->"


class NoSection(Exception):
    """A page has no place for the summary."""


def write(run: Run, name: str, folder: Path | None = None) -> None:
    """Write ``NAME.json``, ``NAME.md``, ``NAME.svg`` (the overview) and ``NAME-all.svg``."""
    folder = folder or RESULTS
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(run.as_dict(), indent=1, ensure_ascii=False) + "\n")
    (folder / f"{name}.md").write_text(tables.report(run, f"{name}-all.svg"))
    (folder / f"{name}.svg").write_text(plots.plot(plots.overview(run, OVERVIEW)))
    (folder / f"{name}-all.svg").write_text(plots.plot(run))


def read(name: str, folder: Path | None = None) -> Run | None:
    """The run written before; None if there is none."""
    path = (folder or RESULTS) / f"{name}.json"
    return run_from_dict(json.loads(path.read_text())) if path.exists() else None


def merged(before: Run, now: Run) -> Run:
    """What was measured now in place of the same rows of before; each row knows when it was measured.

    Versions of before that are not installed now stay: rows that are kept were measured with them.
    """
    fresh = {table.id: table for table in now.tables}
    kept = [fresh.pop(table.id, table) for table in before.tables]
    machine = replace(now.machine, versions={**before.machine.versions, **now.machine.versions})
    return Run(machine, [*kept, *fresh.values()], {**before.commands, **now.commands})


def section(run: Run, folder: str) -> str:
    """The summary with the plot, as the pages show it."""
    plot = f"![Bars: Fairway, Channels on its servers, other servers]({folder}/latest.svg)"
    rest = f"Everybody, latencies and commands: [latest.md]({folder}/latest.md)."
    return "\n\n".join([tables.summary(run), f"{tables.about(run.machine)} {rest}", plot])


def embed(run: Run, page: Path, folder: str) -> None:
    """Rewrite the marked section of a page.

    Raises:
        NoSection: the page has no such section.
    """
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoSection(
            f"{page.name} has no section between {BEGIN!r} and {END!r}: put the two lines where it should be."
        )
    page.write_text(f"{before}{BEGIN}\n\n{section(run, folder)}\n\n{END}{after}")


def publish(run: Run) -> None:
    """Write ``latest.*`` and show it on the pages."""
    write(run, "latest")
    for page, folder in PAGES.items():
        embed(run, page, folder)
