"""Listening in a process that has no event loop."""

from __future__ import annotations

import asyncio
import threading

from django.test import override_settings

from channels.wakeups import listen
from tests.wakeups.test_messages import PATIENCE, is_heard


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
