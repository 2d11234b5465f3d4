"""Real processes whose threads are held when they are told to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from channels.process.exit import gentle_part

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
