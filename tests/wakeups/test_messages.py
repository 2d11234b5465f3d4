"""Wake-ups from another process, which only writes: over the host layer and Redis."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

from django.test import override_settings

from channels.topics.control import WakeUp, encode_control
from channels.wakeups import listen, messages
from channels.wakeups.listeners import listeners

PATIENCE = 30.0
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}


def wake_from_another_process(name: str, **settings: Any) -> str:
    """Returns which threads the process has had."""
    command = [sys.executable, "-m", "tests.wakeups.waker", json.dumps(settings), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def is_heard(topics: dict[str, Any], woken: threading.Event, name: str) -> str:
    """Wake until it is heard: what is sent while a listener begins may be missed."""
    said = ""
    for _ in range(5):
        said = await asyncio.to_thread(
            wake_from_another_process, name, DATABASES=SQLITE, CHANNELS_TOPICS=topics
        )
        if await asyncio.to_thread(woken.wait, 3):
            break
    assert woken.is_set()
    return said


async def test_a_loop_hears_a_process_that_only_writes(topics):
    woken = threading.Event()
    with override_settings(CHANNELS_TOPICS=topics):
        listener = listen("rows", "default", woken.set)
        said = await is_heard(topics, woken, "rows")
        store = messages.spanning_store()
        listener.close()
        await asyncio.sleep(0)
        await store.aclose()
    assert "wakeups" not in said
    assert not messages._receivers.by_loop


async def test_what_is_woken_here_is_told_once(topics):
    """The direct call is enough for this process: its own message is passed over."""
    heard: list[str] = []
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    with override_settings(CHANNELS_TOPICS=topics):
        listener = listen("rows", "default", lambda: heard.append("rows"))
        end = listen("end", "default", lambda: loop.call_soon_threadsafe(ended.set))
        await asyncio.to_thread(listeners.wake, "rows", "default")
        store = messages.spanning_store()
        assert store is not None
        messages.send(store, "rows", "default")
        async with asyncio.timeout(PATIENCE):
            while not ended.is_set():  # a message of another process comes after it
                message = encode_control(WakeUp("another", "end", "default"))
                await store.broadcast(message)
                await asyncio.sleep(0.05)
        assert heard == ["rows"]
        listener.close()
        end.close()
        await asyncio.sleep(0)
        await store.aclose()
