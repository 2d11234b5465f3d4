"""Start what is measured on its core, look at its processor time and its memory, and stop it again."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .children import Child

STARTS_WITHIN = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")
_CORES = sorted(os.sched_getaffinity(0))
#: The server and all that belongs to it (several processes, Redis) share a core; the load has another.
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]


class ServerFailed(Exception):
    """It did not start; the text is the end of what it printed."""


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: What a client says first: over HTTP, and over MQTT 3.1.1 (CONNECT with a clean session of the name "?").
HTTP_GREETING = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
MQTT_GREETING = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01?"


def answers(port: int, greeting: bytes = HTTP_GREETING) -> bool:
    """Whether somebody says something, or hangs up, when greeted: it is not only bound, it serves."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(greeting)
            connection.recv(1)
    except ConnectionResetError:
        return True
    except OSError:
        return False
    return True


class Server:
    """One or more processes of a contender under way."""

    def __init__(self, children: list[Child], ports: list[int], log: Path):
        self.children = children
        self.ports = ports
        self.log = log

    def wait_until_served(self, greeting: bytes = HTTP_GREETING) -> None:
        """Return when every port answers a greeting.

        Raises:
            ServerFailed: a process ended, or was not there in time.
        """
        end = time.monotonic() + STARTS_WITHIN
        for child, port in zip(self.children, self.ports, strict=True):
            while not answers(port, greeting):
                if child.ended or time.monotonic() > end:
                    raise ServerFailed(self.last_words() or f"nobody answers on port {port}")
                time.sleep(0.05)

    def last_words(self) -> str:
        """The last line it printed that says something."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    def family(self) -> list[int]:
        """The processes and all their descendants."""
        found = [child.pid for child in self.children]
        for pid in found:
            for task in _tasks(pid):
                with contextlib.suppress(OSError):
                    found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all processes so far."""
        return sum(_cpu_ticks(pid) for pid in self.family()) / _TICKS

    def memory(self) -> int:
        """Bytes of all processes, shared pages counted once (PSS)."""
        return sum(_pss(pid) for pid in self.family())

    def stop(self) -> None:
        """End the processes; those that do not go are killed with their descendants."""
        for child in self.children:
            child.stop()


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _cpu_ticks(pid: int) -> int:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(after_name[11]) + int(after_name[12])


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


@contextlib.contextmanager
def serving(
    commands: Sequence[Sequence[str]],
    ports: list[int],
    folder: Path,
    env: Mapping[str, str],
    log: Path,
    greeting: bytes = HTTP_GREETING,
) -> Iterator[Server]:
    """Run the commands on the server's core until the block ends; it begins when every port answers.

    Raises:
        ServerFailed: they did not start.
    """
    with log.open("wb") as output:
        children = [
            Child(SERVER_CORE, command, cwd=folder, env=dict(env), stdout=output, stderr=output)
            for command in commands
        ]
    server = Server(children, ports, log)
    try:
        server.wait_until_served(greeting)
        yield server
    finally:
        server.stop()
