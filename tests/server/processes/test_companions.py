"""Processes beside those that serve: replaced, renewed and ended by the same supervisor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from channels.server.processes.child import ChildProcess, Companion
from channels.server.processes.reload import Reloader
from channels.server.processes.supervisor import Supervisor
from tests.server.helpers import eventually, records
from tests.support.server_programs import COMMAND, ENDPOINTS, Project, alive, kill, supervised

#: What one test here may take on a loaded machine, in seconds: it starts many interpreters.
pytestmark = pytest.mark.timeout(150)

#: A helper that ends when it is told to, or its supervisor is gone.
PROGRAM = """
import asyncio, os
from channels.server.control_channel import SupervisorLink

async def main():
    ended = asyncio.Event()
    class Helper:
        ask_to_drain = ask_to_end = staticmethod(ended.set)
    link = SupervisorLink.take()
    with link.commanding(Helper()):
        assert os.environ["HELPS"] == "yes"
        link.ready()
        await ended.wait()

asyncio.run(main())
"""
HELPERS = [Companion([sys.executable, "-c", PROGRAM], 1, "Helper", {"HELPS": "yes"})]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def with_helpers(supervisor: Supervisor) -> Supervisor:
    supervisor.companions = HELPERS
    return supervisor


def helper(supervisor: Supervisor) -> ChildProcess | None:
    return next((each for each in supervisor.staff if each.serves and not each.listens), None)


async def test_one_that_dies_is_replaced_all_are_renewed_and_end_with_the_others(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervised(with_helpers(Supervisor(COMMAND, ENDPOINTS)), workers=2) as office:
        first = helper(office.supervisor)
        assert first is not None
        kill(first.pid)
        await eventually(lambda: (found := helper(office.supervisor)) and found is not first)
        assert f"Helper 1 (pid {first.pid}) ended by signal SIGKILL while it served." in records(caplog)
        before = set(office.supervisor.staff)
        office.supervisor.ask_to_renew()
        await eventually(lambda: len(office.workers) == 2 and not before & set(office.supervisor.staff))
        last = [each.pid for each in office.supervisor.staff]
    assert not any(map(alive, last))


async def test_they_are_renewed_at_a_change_of_the_code(project: Project) -> None:
    async with supervised(with_helpers(Reloader(COMMAND, ENDPOINTS)), workers=2) as office:
        first = helper(office.supervisor)
        project.write("two")
        await eventually(lambda: (found := helper(office.supervisor)) and found is not first)


async def test_there_may_be_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = with_helpers(Supervisor((), (), workers=0))
    async with supervised(supervisor):
        assert helper(supervisor) is not None
        assert supervisor.addresses == []
    missing = Companion([sys.executable, "-c", "raise SystemExit(3)"], 2, "Helper")
    failing = Supervisor((), (), workers=0)
    failing.companions = [missing]
    assert await failing.serve(signals=False) == 1
    assert "ended with exit code 3 before it served." in records(caplog)[-1]
