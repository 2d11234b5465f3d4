"""Tasks that tests enqueue."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from pathlib import Path
from typing import Any

from channels.tasks import task
from channels.tasks.exceptions import TaskCancelled

#: What has run, in order; and what tests let go on.
ran: list[Any] = []
gate = threading.Event()
started = threading.Event()


@task
def add(one: int, two: int) -> int:
    ran.append((one, two))
    return one + two


@task
async def add_async(one: int, two: int) -> int:
    await asyncio.sleep(0)
    ran.append((one, two))
    return one + two


@task
def fail(text: str = "no") -> None:
    raise ValueError(text)


@task(max_attempts=3, backoff=0.01)
def fail_twice() -> int:
    ran.append("tried")
    if len(ran) < 3:
        raise ValueError("not yet")
    return len(ran)


@task(max_attempts=3, retry_on=(KeyError,), backoff=0.01)
def fail_otherwise() -> None:
    ran.append("tried")
    raise ValueError("no KeyError")


@task
def wait_for_gate() -> str:
    started.set()
    assert gate.wait(10)
    return "open"


@task
def say(characters: int) -> str:
    started.set()
    assert gate.wait(10)
    return "x" * characters


@task
def fail_at_gate() -> None:
    assert gate.wait(10)
    raise ValueError("at the gate")


@task
async def wait_for_ever() -> None:
    started.set()
    await asyncio.Event().wait()


_alone = threading.Lock()


@task
def alone() -> None:
    """Fail if it runs beside itself."""
    if not _alone.acquire(blocking=False):
        raise RuntimeError("it is not alone")
    threading.Event().wait(0.005)
    _alone.release()


@task(takes_context=True)
def wait_for_cancel(context: Any) -> None:
    started.set()
    for _ in range(1000):
        context.raise_if_cancelled()
        threading.Event().wait(0.01)


@task
def raise_cancelled() -> None:
    raise TaskCancelled("by itself")


@task(takes_context=True)
def attempt(context: Any) -> int:
    return context.attempt


@task
def return_a_set() -> Any:
    return {1}


@task(priority=10)
def important() -> None:
    ran.append("important")


@task
def note(what: str | int) -> None:
    ran.append(what)


def _hidden() -> None:
    """A function whose task has another name."""


renamed = task(_hidden)


class Holder:
    @staticmethod
    @task
    def held() -> None:
        """A task whose path leads nowhere: a class is no module."""


@task(timeout=0.05)
def hang() -> None:
    started.set()
    gate.wait(10)


@task(timeout=0.05, max_attempts=2, backoff=0.01)
async def hang_async() -> None:
    ran.append("tried")
    await asyncio.sleep(10)


@task
async def time_out_by_itself() -> None:
    raise TimeoutError("its own")


@task(unique=True)
def report(year: int) -> int:
    return year


@task(unique="report-{0}")
def report_by_text(year: int, month: int) -> int:
    return year + month


@task(unique=lambda year, month: f"{month}")
def report_by_function(year: int, month: int) -> int:
    return year + month


@task
def fork(marker: str) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    Path(marker).write_text("the child")
    return -1


@task(takes_context=True)
def resize(context: Any, count: int) -> str:
    for number in range(count):
        context.progress(number / count, f"image {number}")
    started.set()
    assert gate.wait(20)
    return "resized"


@task(takes_context=True)
def break_at_half(context: Any) -> None:
    context.progress(0.5, "half")
    started.set()
    assert gate.wait(20)
    raise KeyError("a secret of the server")


@task(takes_context=True)
def total(context: Any) -> list[Any]:
    return [each.return_value if each.status == "SUCCESSFUL" else None for each in context.previous()]


@task
async def fork_async(marker: str) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, child, 0))[1])
    Path(marker).write_text("the child")
    await asyncio.sleep(0)
    Path(marker).write_text("the child goes on with the worker's loop")
    return -1


@task(timeout=0.05)
async def go_on_when_cancelled() -> str:
    started.set()
    while not gate.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
    return "never"


@task
async def block_the_loop() -> str:
    started.set()
    assert gate.wait(10)
    return "at last"


@task(timeout=0.05)
async def block_the_loop_for_too_long() -> str:
    started.set()
    assert gate.wait(10)
    return "never"


@task
def fail_beyond_words() -> None:
    raise SyntaxError("odd", ("file", 1, "no number", "text"))  # type: ignore[arg-type]


@task
def fail_at_length() -> None:
    raise ValueError("x" * 1_000_000)


@task
async def note_the_loop() -> None:
    ran.append(asyncio.get_running_loop())


@task
def ask_the_database() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True
