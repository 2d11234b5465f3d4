"""Wake-ups from another process, which only writes: over the host layer and Redis."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from typing import Any

import pytest
from django.test import override_settings

from channels.wakeups import listen, messages

PATIENCE = 30.0
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}


def wake_from_another_process(name: str, **settings: Any) -> str:
    """Returns which threads the process has had."""
    command = [sys.executable, "-m", "tests.wakeups.waker", json.dumps(settings), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def host_settings() -> dict[str, Any]:
    config = {"path": tempfile.mkdtemp(prefix="wakeups")}
    return {"STORES": {"default": {"BACKEND": "channels.topics.stores.host.HostStore", "CONFIG": config}}}


def redis_settings(server: Any) -> dict[str, Any]:
    config = {"hosts": [server.url]}
    return {"STORES": {"default": {"BACKEND": "channels.topics.stores.redis.RedisStore", "CONFIG": config}}}


@pytest.fixture(params=["host", "redis"])
def topics(request):
    """The setting of a store that spans processes."""
    if request.param == "redis":
        return redis_settings(request.getfixturevalue("own_server"))
    return host_settings()


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


def test_a_thread_hears_for_a_process_without_a_loop(topics):
    woken, other = threading.Event(), threading.Event()
    with override_settings(CHANNELS_TOPICS=topics):
        listeners = [listen("rows", "default", woken.set), listen("other", "default", other.set)]
        (thread,) = (each for each in threading.enumerate() if each.name == "channels-wakeups")
        asyncio.run(is_heard(topics, woken, "rows"))
        assert not other.is_set()
        for listener in listeners:
            listener.close()
        thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_what_is_woken_here_is_told_once(topics):
    """The direct call is enough for this process: its own message is passed over."""
    heard: list[str] = []
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    with override_settings(CHANNELS_TOPICS=topics):
        listener = listen("rows", "default", lambda: heard.append("rows"))
        end = listen("end", "default", lambda: loop.call_soon_threadsafe(ended.set))
        await asyncio.to_thread(messages.listeners.wake, "rows", "default")
        store = messages.spanning_store()
        messages.send(store, "rows", "default")
        async with asyncio.timeout(PATIENCE):
            while not ended.is_set():  # a message of another process comes after it
                message = messages.encode_control(messages.WakeUp("another", "end", "default"))
                await store.broadcast(message)
                await asyncio.sleep(0.05)
        assert heard == ["rows"]
        listener.close()
        end.close()
        await asyncio.sleep(0)
        await store.aclose()
