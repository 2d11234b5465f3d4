"""A worker process, as its supervisor sees it: start it, wait until it serves, drain it, end it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from channels.server.control_channel import END, READY, VARIABLE

logger = logging.getLogger("channels.server")

#: Seconds that a process gets to be gone after it was told to end at once.
GRACE = 5.0


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How a worker is started.

    Attributes:
        command: the program and its arguments.
        folder: its working directory.
        sockets: the listening sockets, for each endpoint in order.
        start_limit: seconds until it has to serve; None for no limit.
        name: what logs call it.
        environment: what it has beside the supervisor's.
    """

    command: Sequence[str]
    folder: str
    sockets: Sequence[Sequence[socket.socket]]
    start_limit: float | None
    name: str = "Worker"
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Companion:
    """Processes beside those that serve: they have no sockets, and are replaced and ended with the others.

    Attributes:
        command: the program and its arguments; it takes its SupervisorLink.
        count: how many.
        name: what logs call each.
        environment: what it has beside the supervisor's.
    """

    command: Sequence[str]
    count: int
    name: str
    environment: Mapping[str, str] = field(default_factory=dict)


class ChildProcess:
    """One running worker.

    Attributes:
        number: its place, from 1.
        pid: its process id.
        serves: it has said that it accepts connections, or does what else it is for.
        listens: it has sockets.
    """

    def __init__(
        self, number: int, process: asyncio.subprocess.Process, line: socket.socket, recipe: WorkerSpec
    ) -> None:
        self.number = number
        self.pid = process.pid
        self.serves = False
        self.listens = bool(recipe.sockets)
        self._name = recipe.name
        self._process = process
        self._line = line
        self._start_limit = recipe.start_limit

    @classmethod
    async def start(cls, number: int, recipe: WorkerSpec) -> ChildProcess:
        """Start a fresh interpreter; nothing of this process but the sockets is passed on."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        numbers = [[sock.fileno() for sock in sockets] for sockets in recipe.sockets]
        supervisor_link = {"number": number, "line": theirs.fileno(), "sockets": numbers}
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *recipe.command,
                cwd=recipe.folder,
                env={**os.environ, **recipe.environment, VARIABLE: json.dumps(supervisor_link)},
                pass_fds=[theirs.fileno(), *(number for group in numbers for number in group)],
            )
        return cls(number, process, ours, recipe)

    async def wait_ready(self) -> bool:
        """Wait until the worker serves.

        Returns:
            False if it ended instead, or was ended because it took too long.
        """
        loop = asyncio.get_running_loop()
        try:
            said = await asyncio.wait_for(loop.sock_recv(self._line, 1), self._start_limit)
        except TimeoutError:
            logger.error(
                "%s did not serve within %s s (--worker-start-timeout) and is killed.",
                self,
                self._start_limit,
            )
            self.kill()
        except ConnectionError:
            return False
        else:
            self.serves = said == READY
        return self.serves

    def drain(self) -> None:
        """Tell the worker to drain and end; one that does not serve yet ends at once."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Tell the worker to end and to wait for no request."""
        try:
            self._line.send(END)
        except OSError:
            # It has ended, or is about to: who waits for it will hear.
            logger.debug("%s does not listen any more.", self)

    def kill(self) -> None:
        """Kill the process, whatever it does."""
        self._signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Return the exit code once it has ended; minus the number of the signal that ended it."""
        code = await self._process.wait()
        self._line.close()
        return code

    async def wait_at_most(self, limit: float | None) -> int:
        """Wait until the process has ended; kill it when the time is up.

        Args:
            limit: seconds; None for no limit.

        Returns:
            As :meth:`wait`.
        """
        try:
            return await asyncio.wait_for(self.wait(), limit)
        except TimeoutError:
            logger.error("%s did not end within %s s and is killed.", self, limit)
            self.kill()
            return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    def __str__(self) -> str:
        return f"{self._name} {self.number} (pid {self.pid})"


def ending(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
