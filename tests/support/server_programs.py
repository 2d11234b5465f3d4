"""An application in a folder, served by processes of its own; and clients for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from channels.server.processes.child import ChildProcess
from channels.server.processes.supervisor import Supervisor
from tests.server.helpers import LONG, UPGRADE, Client, eventually

#: The command that starts a worker of the application below.
COMMAND = [sys.executable, "-m", "daphne", "-v", "0", "--drain-timeout", "4", "-p", "0", "served:app"]
#: Where the supervisor of such workers listens.
ENDPOINTS = ["tcp:port=0:interface=127.0.0.1"]

APP = """
import asyncio, os

def note(text):
    with open("notes", "a") as notes:
        notes.write(text + "\\n")

async def app(scope, receive, send):
    if scope["type"] == "http":
        if scope["path"] == "/slow":
            note("slow")
            while not os.path.exists("go"):
                await asyncio.sleep(0.02)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": f"VERSION {os.getpid()}".encode()})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        event = await receive()
        note(f"{event['type']} {event.get('code')}")
    else:
        raise ValueError(scope["type"])
"""

LAST_GET = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


class Project:
    """The folder of the application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("one")

    def write(self, version: str) -> None:
        """Deploy a version; the word shows in its answers."""
        self.replace(APP.replace("VERSION", version))

    def replace(self, source: str) -> None:
        """Put the file there in one step, with a time that no other version had."""
        fresh, path = self.folder / "served.new", self.folder / "served.py"
        fresh.write_text(source)
        if path.exists():
            # Python trusts its cache by whole seconds and sizes.
            stamp = path.stat().st_mtime + 2
            os.utime(fresh, (stamp, stamp))
        fresh.rename(path)

    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def go(self) -> None:
        """Let slow requests end."""
        (self.folder / "go").touch()


class Office:
    """A supervisor that runs in the test's loop."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.serving = asyncio.ensure_future(supervisor.serve())

    @property
    def workers(self) -> set[ChildProcess]:
        return self.supervisor.staff

    async def open(self) -> Client:
        (address,) = self.supervisor.addresses
        if isinstance(address, tuple):
            return Client(*await asyncio.open_connection(*address))
        return Client(*await asyncio.open_unix_connection(address))

    async def get(self, request: bytes = LAST_GET) -> tuple[str, int]:
        """One request on a connection of its own: the version and the pid that answered."""
        client = await self.open()
        try:
            await client.send(request)
            status, _, body = await client.response()
        finally:
            await client.close()
        assert status == 200, (status, body)
        version, pid = body.decode().split()
        return version, int(pid)

    async def websocket(self) -> Client:
        client = await self.open()
        assert "101" in await client.upgrade(UPGRADE)
        return client

    async def ended(self) -> int:
        return await asyncio.wait_for(self.serving, 2 * LONG)


@contextlib.asynccontextmanager
async def supervised(supervisor: Supervisor, *, workers: int = 1) -> AsyncIterator[Office]:
    """Run a supervisor, the block with that many workers that serve; everything ends with the block."""
    office = Office(supervisor)
    try:
        await eventually(lambda: office.serving.done() or served_by(supervisor) == workers)
        yield office
    finally:
        supervisor.ask_to_stop()
        supervisor.ask_to_stop()
        await office.ended()


def served_by(supervisor: Supervisor) -> int:
    """How many workers serve."""
    return sum(worker.serves for worker in supervisor.staff)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
