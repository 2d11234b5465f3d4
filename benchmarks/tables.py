"""The tables: a summary with ratios, and one per row with everybody in it."""

from __future__ import annotations

from collections.abc import Iterable

from .results import Cell, Machine, Run, Table

NOTHING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def number(value: float | None) -> str:
    """Three significant digits, with thousands separated: what such a measurement can bear."""
    if value is None:
        return NOTHING
    if value >= 999.5:
        magnitude = 10 ** (len(str(round(value))) - 3)
        return f"{round(value / magnitude) * magnitude:,}"
    return f"{value:.3g}"


def ratio(value: float | None) -> str:
    """How many times better, as a reader says it."""
    if value is None:
        return NOTHING
    return f"**{value:.0f} {TIMES}**" if value >= 10 else f"**{value:.1f} {TIMES}**"


def _versus(table: Table, cell: Cell | None, factor: float | None) -> str:
    return NOTHING if cell is None else f"{number(cell.median)} ({cell.name}) {ratio(factor)}"


def summary(run: Run) -> str:
    """One line per row: we, the best original, the best other, the ceiling; with ratios."""
    lines = ["| | unit | Fairway | best original | best other | C loop |", "|---|---|---:|---:|---:|---:|"]
    for table in run.tables:
        ours, ceiling = table.best("ours"), table.best("ceiling")
        cells = (
            table.title,
            table.unit,
            number(ours.median if ours else None),
            _versus(table, table.best("original"), table.ratio("original")),
            _versus(table, table.best("other"), table.ratio("other")),
            number(ceiling.median if ceiling else None),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def details(table: Table) -> str:
    """Everybody in one row of the summary, best first."""
    lines = [
        f"### {table.title}",
        "",
        f"Measured {table.measured}.",
        "",
        f"| | {table.unit} | ours is | p50 | p99 | server CPU per unit | |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    return "\n".join([*lines, *(_detail(table, cell) for cell in ordered(table)), ""])


def ordered(table: Table) -> list[Cell]:
    """Best first; those without a value last."""
    measured = [cell for cell in table.cells if cell.median is not None]
    measured.sort(key=lambda cell: cell.median or 0, reverse=table.better == "higher")
    return measured + [cell for cell in table.cells if cell.median is None]


def _detail(table: Table, cell: Cell) -> str:
    ours = table.best("ours")
    factor = None
    if ours is not None and ours.median and cell.median and cell.family != "ours":
        better = (ours.median, cell.median) if table.better == "higher" else (cell.median, ours.median)
        factor = better[0] / better[1]
    times = "" if factor is None else ratio(factor)
    latency = cell.latency_us
    cpu = "" if cell.cpu_us is None else f"{cell.cpu_us:.2f} µs"
    who = f"**{cell.name}**" if cell.family == "ours" else cell.name
    columns = (
        who,
        number(cell.median),
        times,
        _time(latency.get("p50")),
        _time(latency.get("p99")),
        cpu,
        cell.note,
    )
    return "| " + " | ".join(columns) + " |"


def _time(us: int | None) -> str:
    return f"{us / 1000:.3g} ms" if us else ""


def about(machine: Machine) -> str:
    """The machine, the date, the method in a sentence or two."""
    return (
        f"{machine.date}, revision {machine.revision}; {machine.cpu}, {machine.cores} cores, "
        f"{machine.memory_gib:g} GiB, {machine.system}, Python {machine.python}. {machine.method}"
    )


def report(run: Run, plot: str) -> str:
    """The whole of ``latest.md``; ``plot`` is the name of the picture beside it."""
    parts = ["# Benchmarks", "", about(run.machine), "", summary(run), ""]
    parts += [f"![Bars of everybody in every row]({plot})", "", "## In detail", ""]
    parts += [details(table) for table in run.tables]
    parts += ["## Commands", "", *_listed(run.commands), "", "## Versions", ""]
    parts += [", ".join(f"{name} {version}" for name, version in run.machine.versions.items()), ""]
    return "\n".join(parts)


def _listed(commands: dict[str, str]) -> Iterable[str]:
    return (f"- {name}: `{command}`" for name, command in commands.items())
