"""Sockets from systemd, and what it is told, with a service manager played by the test."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.server.endpoints import systemd
from channels.server.endpoints.endpoints import Endpoint, ListenError, address_of, open_sockets
from tests.server.helpers import GET, LONG, Client, echo, serve
from tests.support.server_programs import Project

#: What systemd does: the sockets from descriptor 3 on, their description in the environment.
LAUNCHER = """
import os, sys
numbers, names, *command = sys.argv[1:]
for place, number in enumerate(map(int, numbers.split(","))):
    os.dup2(number, 3 + place)
os.environ |= {"LISTEN_FDS": str(place + 1), "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": names}
os.execv(command[0], command)
"""


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """Two sockets for this process, web and admin, at descriptors 700 and 701."""
    monkeypatch.setattr(systemd, "FIRST", 700)
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDNAMES", "web:admin")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for place, sock in enumerate(sockets):
        os.dup2(sock.fileno(), 700 + place, inheritable=True)
    yield sockets
    for place, sock in enumerate(sockets):
        sock.close()
        if os.path.exists(f"/proc/self/fd/{700 + place}"):
            os.close(700 + place)


@pytest.mark.parametrize(
    ("endpoint", "places"),
    [
        (Endpoint("systemd"), [0, 1]),
        (Endpoint("systemd", index=1), [1]),
        (Endpoint("systemd", name="admin"), [1]),
        (Endpoint("systemd", name="web", index=0), [0]),
    ],
)
def test_sockets_by_name_and_place(
    passed: list[socket.socket], endpoint: Endpoint, places: list[int]
) -> None:
    opened = open_sockets(endpoint, 5)
    assert [address_of(sock) for sock in opened] == [passed[place].getsockname() for place in places]
    for sock in opened:
        assert not os.get_inheritable(sock.fileno())
        sock.close()


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (Endpoint("systemd", index=2), "has passed 2 sockets, and index 2 is none of them"),
        (Endpoint("systemd", name="api"), "has passed 0 sockets with FileDescriptorName=api"),
    ],
)
def test_a_socket_that_was_not_passed(passed: object, endpoint: Endpoint, why: str) -> None:
    with pytest.raises(ListenError, match=why):
        open_sockets(endpoint, 5)


def test_sockets_of_another_process(passed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    with pytest.raises(ListenError, match="are for process 1, this one is"):
        open_sockets(Endpoint("systemd"), 5)


@pytest.mark.parametrize("count", [None, "0", "many"])
def test_without_systemd(count: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    if count is not None:
        monkeypatch.setenv("LISTEN_FDS", count)
    with pytest.raises(ListenError, match="Cannot listen on sockets of systemd web: .* from a .socket unit"):
        open_sockets(Endpoint("systemd", name="web"), 5)


def test_a_socket_that_is_connected_is_explained(passed: object) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.dup2(theirs.fileno(), 700)
        with pytest.raises(ListenError, match="Accept=no"):
            open_sockets(Endpoint("systemd", index=0), 5)


class Manager:
    """The service manager's socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    async def told(self) -> dict[str, str]:
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, 4096), LONG)
        return dict(line.split("=", 1) for line in data.decode().split("\n"))

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("abstract", [False, True])
async def test_one_process_tells_when_it_serves_and_when_it_stops(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"fairway-{os.getpid()}" if abstract else str(tmp_path / "notify")
    manager = Manager(f"\0{name}" if abstract else name)
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
    async with serve(echo) as running:
        serving = asyncio.ensure_future(running.server.serve(signals=False))
        # It was started already by the block; what serve() adds is the words and the wait.
        monkeypatch.setattr(running.server, "start", _nothing)
        assert await manager.told() == {"READY": "1", "STATUS": "Serving."}
        running.server.ask_to_stop()
        assert (await manager.told())["STOPPING"] == "1"
        await asyncio.wait_for(serving, LONG)
    manager.close()


async def _nothing() -> None: ...


async def test_a_reload_has_a_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    systemd.notify_reloading()
    told = await manager.told()
    assert told["RELOADING"] == "1"
    # By the clock that systemd compares it with.
    assert 0 < int(told["MONOTONIC_USEC"]) <= time.monotonic() * 1e6
    manager.close()


def test_a_manager_that_is_gone_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify(READY="1")
    assert "cannot be told 'READY=1'" in caplog.text


@pytest.mark.timeout(150)
async def test_a_service_with_a_socket_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start by activation, reload, stop: the sockets are systemd's before, meanwhile and afterwards."""
    Project(tmp_path)
    manager = Manager(str(tmp_path / "notify"))
    path = tmp_path / "web.sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        numbers = f"{tcp.fileno()},{unix.fileno()}"
        command = [sys.executable, "-c", LAUNCHER, numbers, "web:local", sys.executable, "-m", "daphne"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *("-v", "0", "--workers", "1", "--drain-timeout", "4"),
            *("-e", "systemd:domain=UNIX:index=1", "-e", "systemd:name=web", "served:app"),
            cwd=tmp_path,
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            pass_fds=[tcp.fileno(), unix.fileno()],
        )
        client = Client(*await asyncio.open_connection(*tcp.getsockname()))
        await client.send(GET)  # nobody has to be there yet
        assert (await client.response())[0] == 200
        local = Client(*await asyncio.open_unix_connection(path))
        await local.send(GET)
        assert (await local.response())[0] == 200
        assert await manager.told() == {"READY": "1", "STATUS": "Serving with 1 workers."}
        process.send_signal(signal.SIGHUP)
        assert set(await manager.told()) == {"RELOADING", "MONOTONIC_USEC"}
        assert await manager.told() == {"READY": "1", "STATUS": "Serving."}
        process.send_signal(signal.SIGTERM)
        assert (await manager.told())["STOPPING"] == "1"
        assert await asyncio.wait_for(process.wait(), LONG) == 0
        assert path.exists()
        await client.close()
        await local.close()
    manager.close()
