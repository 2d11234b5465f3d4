"""A process that publishes in a transaction and relays, and is killed at one step: see test_kills.py.

``python -m tests.journal.relaying FOLDER STEP``; the database is in the environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        kill()
        return function(*args, **kwargs)

    return wrapped


def killed_after(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        function(*args, **kwargs)
        kill()

    return wrapped


def kill_at_statement(name: str, after: bool) -> None:
    """Kill this process before or after it executes a statement of the journal's."""
    from django.db.backends.utils import CursorWrapper

    from channels.journal.tables import statements

    beginning = getattr(statements, name).partition("{")[0]

    def wrap(execute: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, sql: Any, values: Any = None) -> Any:
            if not str(sql).startswith(beginning):
                return execute(self, sql, values)
            if not after:
                kill()
            execute(self, sql, values)
            kill()

        return wrapped

    CursorWrapper.execute = wrap(CursorWrapper.execute)
    CursorWrapper.executemany = wrap(CursorWrapper.executemany)


def arm(step: str) -> None:
    """Have this process killed at a step."""
    from channels.journal import relay
    from channels.journal.carrying import Carrying
    from channels.journal.tables import function, numbering

    when, _, what = step.partition(" ")
    if what == "the call":
        wrap = killed_before if when == "before" else killed_after
        setattr(function, "_call", wrap(function._call))  # noqa: B010  # mypy
    elif what.startswith("carrying"):
        wrap = killed_before if when == "before" else killed_after
        Carrying.carry = wrap(Carrying.carry)
    elif what == "numbering":
        setattr(relay, "number_rows", killed_before(numbering.number_rows))  # noqa: B010  # mypy
        setattr(relay, "number_pending", killed_before(numbering.number_pending))  # noqa: B010  # mypy
    elif what:
        kill_at_statement(what, after=when == "after")


def main(folder: str, step: str) -> None:
    from tests.support.databases import from_environment

    config = {"path": folder}
    host = {"BACKEND": "channels.topics.stores.host.HostStore", "CONFIG": config}
    settings.configure(
        DATABASES=from_environment(),
        INSTALLED_APPS=["channels", "channels.journal"],
        CHANNELS_TOPICS={"STORES": {"default": host}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    asyncio.run(serve(step))


async def serve(step: str) -> None:
    from channels.testing.store_contract.tools import Recorder
    from channels.topics import history
    from channels.topics.stores.manager import get_store
    from tests.journal.topics import Kept

    room, recorder = Kept(name="killed"), Recorder()
    if "call" in step:
        await asyncio.to_thread(lambda: list(history(room).entries))  # from now on there is a stream
    await get_store("database").subscribe(str(room), recorder)
    await asyncio.to_thread(publish, room, step)
    await recorder.take(str(room), 3)
    await asyncio.sleep(5)
    print("was not killed")


def publish(room: Any, step: str) -> None:
    from django.db import transaction

    with transaction.atomic():
        for number in range(3):
            room.publish(number)
        if step == "before the commit":
            kill()
        arm(step)


if __name__ == "__main__":
    main(*sys.argv[1:])
