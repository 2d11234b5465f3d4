"""Processes that are gone when the run is: each leads a group, and the group ends as the run does."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

STOPS_WITHIN = 3.0
#: A shell whose standard input ends when the run does, even by kill -9; it takes the group with it.
_GUARD = 'read -r nothing; kill -s KILL -- "-$1"'


class Child:
    """A program on a core, with all that it starts.

    Args:
        core: the core it is held to, and so are its children.
        command: the program with its arguments.
        options: what :class:`subprocess.Popen` takes besides.
    """

    def __init__(self, core: int, command: Sequence[str], **options: Any):
        command = ["taskset", "-c", str(core), *command]
        self.process = subprocess.Popen(command, start_new_session=True, **options)
        self.pid = self.process.pid
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", str(self.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def stop(self, within: float = STOPS_WITHIN) -> None:
        """Ask the program to end; what is left of its group after ``within`` seconds is killed."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(within)
        self.kill()
        self.process.wait()
        self._guard.kill()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()


def raise_file_limit() -> int:
    """Let this process and its children have as many sockets as the system allows; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def end_on_terminate() -> None:
    """Let ``kill`` end the run as Ctrl-C does: what it has started is stopped first."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
