"""Run a server command as its users do, and stop it again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN = 40.0  # seconds, on a loaded machine
STOPS_WITHIN = 20.0
BIN = Path(sys.executable).parent


def environment(**extra: str) -> dict[str, str]:
    """Ours, without what pytest-django set for the tests' own project."""
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


@contextmanager
def served(
    command: Sequence[str], port: int, *, folder: Path, log: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in ``folder`` until the block ends; the block starts when ``port`` answers.

    Args:
        command: its first word is a console script of this environment.
        port: on 127.0.0.1.
        folder: the working directory, as a user would be in it.
        log: the file that gets what the command prints.
        env: the environment of the command.

    Raises:
        AssertionError: it ended, or did not listen in time; with what it printed.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]], cwd=folder, env=dict(env), stdout=output, stderr=output
        )
    try:
        wait_until_listening(process, port, log)
        yield process
    finally:
        stop(process)


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when somebody accepts on ``port``; say what was printed if nobody does."""
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end:
        assert process.poll() is None, f"The server ended with {process.returncode}:\n{log.read_text()}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"Nobody listens on port {port} after {STARTS_WITHIN} s:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it as a service manager would; insist if it does not."""
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
