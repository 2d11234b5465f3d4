"""A server that is told to stop ends in time: while it starts, and whatever holds its event loop."""

from __future__ import annotations

import faulthandler
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from channels.server.lifecycle.deadline import HURRY, StopDeadline, stop_limit
from tests.server.helpers import LONG

#: Long enough for a loaded machine, and much less than the lifespan takes to start.
SOON = 10.0
LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])

#: What an application does while it starts: it waits, or will not be cancelled.
STARTING = """
import asyncio

async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    print("begun", flush=True)
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        if STUBBORN:
            await asyncio.sleep(1000)
        raise
"""
HELD = """
import asyncio, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        asyncio.get_running_loop().call_later(0.1, hold)
        await receive()

def hold():
    print("begun", flush=True)
    time.sleep(1000)
"""
#: ``daphne`` with less to spare than its users have.
HASTY = """
import sys
from channels.server.lifecycle import deadline
deadline.MARGIN, deadline.HURRY = float(sys.argv.pop(1)), float(sys.argv.pop(1))
from daphne.cli import CommandLineInterface
CommandLineInterface.entrypoint()
"""


def wait_until_asleep(pid: int) -> None:
    """Wait until a process is in the system call that holds it.

    A signal that comes between Python's last look at its signals and the call interrupts nothing: Python
    would hear of it after the call, here in 1000 seconds.
    """
    end = time.monotonic() + LONG
    state = Path(f"/proc/{pid}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def program(folder: Path, source: str, *args: str, hasty: str = "") -> Iterator[subprocess.Popen[str]]:
    """``daphne`` with an application that has printed "begun"."""
    (folder / "held.py").write_text(source)
    start = ["-c", HASTY, *hasty.split()] if hasty else ["-m", "daphne"]
    command = [sys.executable, *start, "-v", "1", "-p", "0", *args, "held:app"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout.readline() == "begun\n", process.stderr.read()
            wait_until_asleep(process.pid)
            yield process
        finally:
            process.kill()


def seconds_until_end(process: subprocess.Popen[str], *numbers: signal.Signals) -> float:
    begun = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.2)
    process.wait(LONG + SOON)
    return time.monotonic() - begun


@LOOPS
@SIGNALS
@pytest.mark.parametrize("how", ["", "--workers 2", "--reload"])
def test_a_start_is_given_up(loop: str, number: signal.Signals, how: str, tmp_path: Path) -> None:
    source = STARTING.replace("STUBBORN", "False")
    with program(tmp_path, source, "--loop", loop, *how.split()) as process:
        assert seconds_until_end(process, number) < SOON
        assert process.returncode == 0
        assert "cancelled" in process.stdout.read()


def test_a_start_that_will_not_be_cancelled_is_left_behind(tmp_path: Path) -> None:
    with program(tmp_path, STARTING.replace("STUBBORN", "True")) as process:
        assert seconds_until_end(process, signal.SIGTERM) < SOON
        assert "ignores its cancellation" in process.stderr.read()


@LOOPS
@SIGNALS
def test_a_loop_that_is_held_ends_with_its_process(loop: str, number: signal.Signals, tmp_path: Path) -> None:
    limits = ["--drain-timeout", "0.5", "--lifespan-shutdown-timeout", "0.5", "--loop"]
    with program(tmp_path, HELD, *limits, loop, hasty="1 1") as process:
        assert 1.5 < seconds_until_end(process, number) < SOON
        assert process.returncode == 1
        assert "in hold" in process.stderr.read()


@LOOPS
def test_a_second_signal_does_not_wait_for_the_limits(loop: str, tmp_path: Path) -> None:
    with program(tmp_path, HELD, "--drain-timeout", "1000", "--loop", loop, hasty="1000 1") as process:
        assert seconds_until_end(process, signal.SIGTERM, signal.SIGTERM) < SOON


@pytest.mark.parametrize("how", ["--workers 2", "--reload"])
def test_a_worker_whose_loop_is_held_is_killed(how: str, tmp_path: Path) -> None:
    limits = ["--drain-timeout", "0.5", "--lifespan-shutdown-timeout", "0.5"]
    with program(tmp_path, HELD, *limits, *how.split(), hasty="1 1") as process:
        assert 1.5 < seconds_until_end(process, signal.SIGTERM) < SOON
        assert process.returncode == 0


def test_a_program_that_goes_on_after_its_server_is_not_ended(tmp_path: Path) -> None:
    source = """
import asyncio, os, signal, threading, time
from channels.server.config import Config
from channels.server.lifecycle import deadline
from channels.server.server import Server

deadline.MARGIN = 0.5
async def app(scope, receive, send): raise ValueError
config = Config(app=app, endpoints=("tcp:port=0:interface=127.0.0.1",), drain_timeout=0.5,
    lifespan_shutdown_timeout=0.0)
asyncio.run(Server(config).serve(lambda: os.kill(os.getpid(), signal.SIGTERM)))
time.sleep(2)
print("went on")
"""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=LONG, check=True
    )
    assert done.stdout == "went on\n"


def test_the_limit() -> None:
    assert stop_limit(10.0, 10.0) == 30.0
    assert stop_limit(None, 10.0) is stop_limit(10.0, None) is None


def test_without_a_limit_the_second_signal_begins_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: begun.append(seconds))
    found = StopDeadline(None)
    found.cancel()
    found.on_signal(signal.SIGTERM, None)
    assert begun == []
    found.on_signal(signal.SIGTERM, None)
    found.cancel()
    assert begun == [HURRY]


def test_the_first_begins_it_where_there_is_one_and_a_program_may_have_no_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: begun.append(seconds))
    StopDeadline(30.0).on_signal(signal.SIGTERM, None)
    assert begun == [30.0]
    monkeypatch.setattr(sys, "__stderr__", None)
    StopDeadline(30.0).on_signal(signal.SIGTERM, None)
    assert begun == [30.0]
