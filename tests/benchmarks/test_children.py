"""What a benchmark starts ends with it, with all that it started in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.children import Child

CORE = 0
LONG = 20.0
#: Starts a program that starts another, and tells their group.
RUN = (
    "from benchmarks.children import Child\n"
    "child = Child({core}, ['sh', '-c', 'sleep 600 & sleep 600'])\n"
    "print(child.pid, flush=True)\n"
    "input()\n"
)


def members(group: int) -> list[str]:
    """The processes of a group that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[2]) == group and rest.split()[0] != "Z":
            found.append(name)
    return found


def gone(group: int) -> bool:
    """Whether the group ends, waiting for it."""
    end = time.monotonic() + LONG
    while members(group):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("within", [0.0, 0.1])
def test_the_whole_group_is_stopped(within: float) -> None:
    child = Child(CORE, ["sh", "-c", "trap '' TERM; sleep 600 & echo; sleep 600"], stdout=subprocess.PIPE)
    assert child.process.stdout is not None
    with child.process.stdout as output:
        output.readline()
        assert members(child.pid)
        child.stop(within)
    assert child.ended
    assert gone(child.pid)


def test_the_group_ends_when_the_run_is_killed() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", RUN.format(core=CORE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with run:
        assert run.stdout is not None
        group = int(run.stdout.readline())
        assert members(group)
        run.kill()
    assert gone(group)
