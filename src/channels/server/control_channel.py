"""A worker's end of the control channel to its supervisor.

The supervisor passes listening sockets and one end of a socket pair to each worker it
starts, and says in the environment which descriptors they are. On the line the worker
says READY once; the supervisor may say END; its end of file says that it is gone. What
lets a worker drain is SIGTERM, so that an operator can do it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Protocol

logger = logging.getLogger("channels.server")

#: The environment variable that makes a process a worker.
VARIABLE = "FAIRWAY_SUPERVISOR"

READY, END = b"r", b"e"


class Stoppable(Protocol):
    """A server, as far as a supervisor commands it."""

    def ask_to_drain(self) -> None:
        """Stop gracefully; asking again changes nothing."""
        ...

    def ask_to_end(self) -> None:
        """Stop, and wait for nobody."""
        ...


class SupervisorLink:
    """The control channel of this process to its supervisor.

    Args:
        number: which worker this is, from 1.
        line: our end of the socket pair.
        sockets: descriptors of the listening sockets, for each endpoint in order.
    """

    def __init__(self, number: int, line: socket.socket, sockets: Sequence[Sequence[int]]) -> None:
        self.number = number
        self._line = line
        self._sockets = sockets
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def take(cls) -> SupervisorLink | None:
        """Take the place that the environment names, once.

        The signals of a terminal are the supervisor's from now on: it tells its workers
        what they mean. The variable and the descriptors are not inherited any further.

        Returns:
            None in a process that no supervisor has started.
        """
        told = os.environ.pop(VARIABLE, None)
        if told is None:
            return None
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        supervisor_link = json.loads(told)
        for number in (
            supervisor_link["line"],
            *(number for numbers in supervisor_link["sockets"] for number in numbers),
        ):
            os.set_inheritable(number, False)
        return cls(
            supervisor_link["number"],
            socket.socket(fileno=supervisor_link["line"]),
            supervisor_link["sockets"],
        )

    def sockets(self, endpoint: int) -> list[socket.socket]:
        """Return the listening sockets of the endpoint at this place in the configuration."""
        opened = [socket.socket(fileno=number) for number in self._sockets[endpoint]]
        for sock in opened:
            sock.setblocking(False)
        return opened

    @contextlib.contextmanager
    def commanding(self, server: Stoppable) -> Iterator[None]:
        """Let the supervisor command ``server``, from within its event loop, until the block ends."""
        loop = asyncio.get_running_loop()
        self._line.setblocking(False)
        loop.add_reader(self._line.fileno(), self._heard, server, loop)
        loop.add_signal_handler(signal.SIGTERM, server.ask_to_drain)
        try:
            yield
        finally:
            loop.remove_reader(self._line.fileno())
            loop.remove_signal_handler(signal.SIGTERM)
            # A late SIGTERM finds nothing left to end; let the loop and the lifespan close in peace.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def ready(self) -> None:
        """Tell the supervisor that this worker accepts connections."""
        try:
            self._line.send(READY)
        except OSError:
            # The supervisor is gone; the end of file of its line tells the server.
            logger.debug("Nobody hears that worker %d is ready.", self.number)

    def _heard(self, server: Stoppable, loop: asyncio.AbstractEventLoop) -> None:
        try:
            said = self._line.recv(64)
        except ConnectionError:
            said = b""
        if END in said:
            server.ask_to_end()
        else:
            logger.warning("The supervisor is gone: worker %d drains and ends.", self.number)
            loop.remove_reader(self._line.fileno())
            server.ask_to_drain()
