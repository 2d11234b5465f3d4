"""Real processes whose threads are held when they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from channels.process import exit as module
from channels.process.exit import LimitedExecutor, end_loop, exit_timeout, gentle_part

PROGRAM = """
import asyncio, sys, threading, time
import django
from django.conf import settings
settings.configure(SECRET_KEY="x" * 50)
django.setup()
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.layers import InMemoryChannelLayer
from channels.worker import Worker

class Held(SyncConsumer):
    def work(self, message):
        print("held", flush=True)
        threading.Event().wait(120)

class Elsewhere(AsyncConsumer):
    async def work(self, message):
        print("held", flush=True)
        await asyncio.to_thread(time.sleep, 120)

class Prepared(Worker):
    shutdown_timeout = 2.0

    async def handle(self):
        await self.channel_layer.send("jobs", {"type": "work"})
        await super().handle()

Prepared(globals()[sys.argv[1]].as_asgi(), ["jobs"], InMemoryChannelLayer()).run()
"""
PATIENCE = 60


@pytest.mark.parametrize("consumer", ["Held", "Elsewhere"])
def test_a_worker_ends_whatever_its_threads_do(consumer: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, consumer], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            assert process.wait(PATIENCE) == 0
            # Its shutdown_timeout, and one second for a machine that is busy.
            assert time.monotonic() - begun < 2 + 1
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("limit", "gentle"), [(None, None), (30.0, 28.0), (10.0, 8.0), (4.0, 2.0), (2.0, 0.8), (0.0, 0.0)]
)
def test_what_is_cut_has_its_time_within_the_limit(limit: float | None, gentle: float | None) -> None:
    assert gentle_part(limit, 2.0) == gentle


HELD = """
import asyncio, sys, threading, time
from channels.process import exit
how, code = sys.argv[1], int(sys.argv[2])
release = threading.Event()
if how == "held":
    threading.Thread(target=threading.Event().wait, name="holder").start()
if how == "ends":
    threading.Thread(target=time.sleep, args=(0.05,)).start()
if how == "executor":
    exit.LimitedExecutor().submit(time.sleep, 120)
ending = exit.ExitInTime() if sys.argv[3] == "ExitInTime" else None
if ending is None:
    exit.exit_in_time(code)
else:
    ending.exit(code)
print("main is over", flush=True)
"""


@pytest.mark.parametrize("call", ["exit_in_time", "ExitInTime"])
@pytest.mark.parametrize(
    ("how", "code", "named"),
    [
        ("held", 7, "its thread holder"),
        ("executor", 7, "its thread asyncio_0"),
        ("ends", 0, ""),
        ("none", 0, ""),
    ],
)
def test_a_process_ends_soon_after_its_main_thread(call: str, how: str, code: int, named: str) -> None:
    """With the given exit code and the stack of who is waited for in vain; else as ever."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HELD, how, "7", call], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("main is over\n", code)
    assert named in done.stderr
    assert time.monotonic() - begun < 20


def test_a_loop_is_closed_though_a_task_does_not_end() -> None:
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(120)

    async def main() -> None:
        tasks.append(asyncio.ensure_future(stubborn()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    loop = asyncio.new_event_loop()
    loop.set_default_executor(LimitedExecutor())
    loop.run_until_complete(main())
    begun = time.monotonic()
    end_loop(loop)
    assert loop.is_closed()
    assert time.monotonic() - begun < 60
    (task,) = tasks
    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what the test has made


def test_a_loop_without_tasks_is_closed_at_once() -> None:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(LimitedExecutor())
    end_loop(loop)
    assert loop.is_closed()


def test_an_executor_waits_for_what_runs_and_not_for_ever() -> None:
    executor, over = LimitedExecutor(), threading.Event()
    held = executor.submit(over.wait, 60)
    executor.shutdown()
    assert not held.done()
    executor.shutdown(wait=False)
    over.set()
    assert held.result(60)


def test_the_end_of_a_process_waits_no_longer_than_it_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_exit_timeout", None)
    assert exit_timeout(5.0) == 5.0
    monkeypatch.setattr(module, "_exit_timeout", 1.0)
    assert exit_timeout(5.0) == 1.0
    assert exit_timeout(0.5) == 0.5
