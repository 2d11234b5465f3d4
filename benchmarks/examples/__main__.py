"""``python -m benchmarks.examples [NAME ...]``: how many users one core carries, example by example.

The example's server, and what runs beside it, have one core; the users have another. Their number is doubled
until 99 of a hundred deliveries no longer arrive within ``--bound`` milliseconds.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.children import Child, end_on_terminate, raise_file_limit
from benchmarks.examples.kinds import USERS
from benchmarks.examples.search import Step, run_step, search
from benchmarks.examples.site import serving, use_the_load_core
from benchmarks.examples.users import Users
from benchmarks.machine import now
from benchmarks.servers import _cpu_ticks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
BEGIN = "<!-- examples: from here to the end mark written by python -m benchmarks.examples --publish -->"
#: Programs that want to run, above which figures are too small: the run itself has two.
BUSY = 4
END = "<!-- examples: end -->"


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.examples", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(USERS)} [all]")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each step [10]")
    parser.add_argument("--first", type=int, default=40, help="users of the first step [40]")
    parser.add_argument("--most", type=int, default=2560, help="users of the last one [2560]")
    parser.add_argument("--users", type=int, help="one step with so many, no search")
    parser.add_argument("--bound", type=float, default=100.0, help="milliseconds of the 99th of 100 [100]")
    parser.add_argument("--publish", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(USERS):
        parser.error(f"no example is called {', '.join(sorted(unknown))}; there are {', '.join(USERS)}")
    raise_file_limit()
    end_on_terminate()
    use_the_load_core()
    found = {name: uvloop.run(measure(name, chosen)) for name in chosen.names or USERS}
    print("\n".join(table(found, chosen.bound)))
    if chosen.publish:
        publish(found, chosen)


async def measure(name: str, chosen: argparse.Namespace) -> Step:
    """Find the number of users that an example carries."""
    kind: type[Users] = USERS[name]
    with serving(name, kind, chosen.users or chosen.most) as (site, children):
        step = partial(
            run_step, kind, site, seconds=chosen.seconds, server_time=partial(processor_time, children)
        )
        if chosen.users:
            found: Step = await step(chosen.users)
            tell(name, found)
            return found
        steps: list[Step] = []

        def told(found: Step) -> None:
            steps.append(found)
            tell(name, found)

        return await search(step, chosen.first, chosen.most, chosen.bound, told) or steps[0]


def processor_time(children: list[Child]) -> float:
    """Return the processor seconds that processes have taken."""
    return sum(_cpu_ticks(child.pid) for child in children) / os.sysconf("SC_CLK_TCK")


def tell(name: str, step: Step) -> None:
    """Print a step."""
    print(
        f"{name}: {step.users} users, p50 {step.p50:.1f} ms, p99 {step.p99:.1f} ms, {step.deliveries:,.0f} "
        f"deliveries/s, lost {step.lost}, server {step.server:.0%}, load {step.load:.0%}",
        flush=True,
    )


def table(found: dict[str, Step], bound: float) -> list[str]:
    """Return the rows of a table in Markdown."""
    columns = ("Example", "Users", "By processor time", "p50", "p99", "Deliveries/s", "Server's core")
    rows = [f"| {' | '.join((*columns, 'What they do'))} |", "|---|---:|---:|---:|---:|---:|---:|---|"]
    for name, step in found.items():
        rows.append(f"| {name} | {' | '.join(cells(step, bound))} | {USERS[name].does} |")
    return rows


def cells(step: Step, bound: float) -> list[str]:
    """Return what was found; of a step that is not carried, too, where there is none that is."""
    users = f"{step.users:,}" if step.is_carried(bound) else f"fewer than {step.users:,}"
    times = [f"{step.p50:.0f} ms", f"{step.p99:.0f} ms"]
    return [users, f"{step.by_processor:,}", *times, f"{step.deliveries:,.0f}", f"{step.server:.0%}"]


def publish(found: dict[str, Step], chosen: argparse.Namespace) -> None:
    """Write the table into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    busy = f"{os.getloadavg()[1]:.0f} other programs wanted to run" if os.getloadavg()[1] > BUSY else "quiet"
    method = (
        f"{now()}; steps of {chosen.seconds:g} s, p99 at most {chosen.bound:g} ms, {chosen.most} users at "
        f"most; the machine: {os.cpu_count()} cores, {busy}."
    )
    text = "\n".join(["", "", *table(found, chosen.bound), "", method, "", ""])
    PAGE.write_text(f"{before}{BEGIN}{text}{END}{after}")


if __name__ == "__main__":
    main()
