"""Run load, print what came of it as a table, and write it to results/endurance.md."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
from pathlib import Path

import uvloop

from .scenarios import SCENARIOS, Rows

RESULTS = Path(__file__).resolve().parent.parent / "results" / "endurance.md"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description="Load runs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)} [all]")
    parser.add_argument("--seconds", type=int, help="instead of each scenario's own time")
    parser.add_argument("--write", action="store_true", help=f"write the table to {RESULTS.name}")
    options = parser.parse_args()
    unknown = set(options.names) - set(SCENARIOS)
    if unknown:
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(SCENARIOS)}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    text = f"# Load runs\n\n{_machine()}\n"
    for name in options.names or SCENARIOS:
        scenario, seconds = SCENARIOS[name]
        print(f"{name}: {scenario.__doc__} ({options.seconds or seconds} s)", file=sys.stderr, flush=True)
        text += _table(name, scenario.__doc__ or "", uvloop.run(scenario(options.seconds or seconds)))
    print(text)
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text)
    return 0


def _machine() -> str:
    load = os.getloadavg()[0]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores (load {load:.1f} before the runs), "
        f"{limit:,} open files for a process; client and server share the cores."
    )


def _table(name: str, about: str, rows: Rows) -> str:
    lines = [f"| {what} | {value} |" for what, value in rows.items()]
    return "\n".join([f"\n## {name}: {about}\n", "| | |", "|---|---|", *lines, ""])


if __name__ == "__main__":
    sys.exit(main())
