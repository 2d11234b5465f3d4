"""Starting again when the code changes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from channels.server.processes import reload as module
from channels.server.processes.reload import Reloader, Watcher
from tests.server.helpers import GET, close_frame, eventually, records
from tests.support.server_programs import COMMAND, ENDPOINTS, Office, Project, alive, kill, supervised

pytestmark = pytest.mark.timeout(150)

WAITING = "Waiting for a change of the code to start again."


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "INTERVAL", 0.05)
    return Project(tmp_path)


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_new_changed_and_removed_files_are_seen_once(tmp_path: Path) -> None:
    kept, changed, removed = (touch(tmp_path / "package" / f"{name}.py") for name in "abc")
    watcher = Watcher([str(tmp_path)])
    assert watcher.changes() == []
    touch(changed, "x = 1")
    removed.unlink()
    added = touch(tmp_path / "new.py")
    assert watcher.changes() == sorted(map(str, (changed, removed, added)))
    assert watcher.changes() == []
    os.utime(kept, (1, 1))
    assert watcher.changes() == [str(kept)]


@pytest.mark.parametrize(
    "place",
    ["text.txt", ".git/x.py", "__pycache__/x.py", "node_modules/a/x.py", "env/lib/x.py", "dangling.py"],
)
def test_what_is_no_code_of_the_project_is_not_watched(tmp_path: Path, place: str) -> None:
    touch(tmp_path / "env" / "pyvenv.cfg")
    watcher = Watcher([str(tmp_path)])
    if place == "dangling.py":
        (tmp_path / place).symlink_to("nowhere")
    else:
        touch(tmp_path / place)
    assert watcher.changes() == []


async def version(office: Office) -> str:
    return (await office.get())[0]


async def test_a_change_starts_it_again_and_sockets_are_told_to_come_back(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "channels.server")
    async with supervised(Reloader(COMMAND, ENDPOINTS)) as office:
        websocket = await office.websocket()
        project.write("two")
        assert (await websocket.message())[1][:2] == b"\x03\xf4"
        await websocket.send(close_frame(1012))
        await websocket.close()
        await eventually(lambda: [line for line in records(caplog, 0) if "served.py changed" in line])
        assert await version(office) == "two"
        assert project.notes() == ["websocket.disconnect 1012"]


async def test_broken_code_waits_for_the_next_change(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.replace("import nowhere_at_all")
    async with supervised(Reloader(COMMAND, ENDPOINTS, folders=["."]), workers=0) as office:
        await eventually(lambda: WAITING in records(caplog))
        # Who asks meanwhile is answered when it is repaired.
        await eventually(lambda: office.supervisor.addresses)
        asking = asyncio.ensure_future(version(office))
        project.write("repaired")
        assert await asking == "repaired"


async def test_a_request_that_does_not_end_is_not_waited_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    async with supervised(Reloader(COMMAND, ENDPOINTS)) as office:
        client = await office.open()
        await client.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        await eventually(lambda: "slow" in project.notes())
        project.write("two")
        assert await client.rest() == b""
        await client.close()
        assert await version(office) == "two"


async def test_sighup_starts_it_again_without_a_change(project: Project) -> None:
    async with supervised(Reloader(COMMAND, ENDPOINTS)) as office:
        (worker,) = office.workers
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: not alive(worker.pid))
        assert await version(office) == "one"


async def test_a_crash_waits_for_the_next_change(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(Reloader(COMMAND, ENDPOINTS)) as office:
        (worker,) = office.workers
        kill(worker.pid)
        await eventually(lambda: WAITING in records(caplog))
        client = await office.open()
        await client.send(GET)
        project.write("two")
        assert (await client.response())[2].startswith(b"two ")
        await client.close()


def test_what_changed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert module.named([str(tmp_path / "a.py")]) == "a.py"
    assert module.named([str(tmp_path / "a.py"), str(tmp_path / "b.py"), str(tmp_path / "b.py")]) == (
        "a.py and 1 more"
    )
