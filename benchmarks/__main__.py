"""Run the benchmarks.

python -m benchmarks                                  everything; prints, writes nothing
python -m benchmarks chat echo --contenders Fairway,uvicorn --seconds 2
python -m benchmarks chat --also before=../other-checkout     two checkouts of ours in one run
python -m benchmarks --publish                        everything, and writes results/latest.* and the pages
python -m benchmarks echo --publish                   this row measured again, the others kept
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from . import children, environment, report, tables
from .load import Settings
from .machine import machine
from .results import Run
from .rows import BIG_ROOM, ROWS, Row, with_checkouts
from .runner import Runner, Site

#: What a quick run does: seconds of one measurement, and the share of the sockets that big rows open.
_QUICK_SECONDS, _QUICK_SCALE = 0.7, 0.2


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="The same work, everybody in turn."
    )
    parser.add_argument(
        "rows", nargs="*", help="which rows; all if none is named: " + " ".join(row.id for row in ROWS)
    )
    parser.add_argument("--contenders", default="", help="parts of names, with commas; default everybody")
    parser.add_argument("--rounds", type=int, default=3, help="turns per contender (default 3)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement (default 1.5)")
    parser.add_argument(
        "--quick", action="store_true", help="one short round, fewer contenders, smaller rooms"
    )
    parser.add_argument(
        "--also", action="append", default=[], metavar="NAME=CHECKOUT", help="a checkout of ours beside this"
    )
    parser.add_argument(
        "--publish", action="store_true", help="write benchmarks/results/ and the pages that show it"
    )
    parser.add_argument(
        "--render", action="store_true", help="write the pages again from latest.json; measures nothing"
    )
    options = parser.parse_args(arguments)
    if options.publish and (options.contenders or options.also):
        parser.error("--publish writes whole rows: leave --contenders and --also out")
    return options


def chosen(options: argparse.Namespace) -> list[Row]:
    """The rows asked for with the contenders asked for.

    Raises:
        SystemExit: there is no row of such a name, or nobody is left.
    """
    known = {row.id for row in ROWS}
    if unknown := set(options.rows) - known:
        sys.exit(
            f"There is no row {', '.join(sorted(unknown))}. There are: {', '.join(row.id for row in ROWS)}."
        )
    checkouts = {
        name: Path(path).resolve() for name, _, path in (text.partition("=") for text in options.also)
    }
    rows = with_checkouts((row for row in ROWS if not options.rows or row.id in options.rows), checkouts)
    kept = [kept for row in rows if (kept := _narrowed(row, options)).entries]
    return kept or sys.exit(f"Nobody's name contains {options.contenders!r}.")


def _narrowed(row: Row, options: argparse.Namespace) -> Row:
    parts = [part.lower() for part in options.contenders.split(",") if part]
    entries = (entry for entry in row.entries if entry.quick or not options.quick)
    named = (entry for entry in entries if not parts or any(part in entry.title.lower() for part in parts))
    sockets = int(BIG_ROOM * (_QUICK_SCALE if options.quick else 1))
    return replace(row, title=row.title.format(sockets=sockets), entries=tuple(named))


def main(arguments: Sequence[str]) -> None:
    """Install, measure, print, write."""
    options = parse(arguments)
    if options.render:
        found = report.read("latest") or sys.exit(
            "There is no benchmarks/results/latest.json: run make bench."
        )
        report.publish(found)
        return
    rows = chosen(options)
    if any(entry.contender.runs_on in ("peers", "node") for row in rows for entry in row.entries):
        _install()
    found = measured(rows, options)
    print("\n" + tables.summary(found))
    if options.publish:
        _write(found, quick=options.quick)


def _install() -> None:
    print("Looking for the peers in .venv-bench; what is missing is installed ...", flush=True)
    for name in environment.install():
        print(f"  {name} could not be installed; its rows will say so")


def measured(rows: Sequence[Row], options: argparse.Namespace) -> Run:
    """The rows, measured. Stopped by hand (Ctrl-C), it returns the rows that are whole."""
    installed = environment.versions()
    rounds, seconds = (1, _QUICK_SECONDS) if options.quick else (options.rounds, options.seconds)
    turns = (
        f"One round of {seconds:g} s"
        if rounds == 1
        else f"Median of {rounds} rounds of {seconds:g} s, in turn"
    )
    method = f"{turns}; the server on one core, the load on another."
    method += " Memory and the big room with a fifth of their sockets." if options.quick else ""
    run = Run(machine(installed, method))
    with tempfile.TemporaryDirectory() as folder:
        site = Site.prepared(Path(folder))
        wsload = environment.compile_c(environment.HERE / "wsload.c")
        settings = Settings(seconds, wsload, site.cookie, _QUICK_SCALE if options.quick else 1.0)
        with contextlib.suppress(KeyboardInterrupt):
            Runner(rows, settings, rounds, site, installed).run(run)
    return run


def _write(run: Run, *, quick: bool) -> None:
    if not run.tables:
        sys.exit("Stopped before a row was whole: nothing is written.")
    if quick:
        report.write(run, "quick")
    else:
        before = report.read("latest")
        report.publish(report.merged(before, run) if before else run)
    print(f"\nWritten: benchmarks/results/{'quick' if quick else 'latest'}.md, .json and .svg")


if __name__ == "__main__":
    children.raise_file_limit()
    children.end_on_terminate()
    main(sys.argv[1:])
