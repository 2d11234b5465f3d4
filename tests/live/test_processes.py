"""Two server processes, and a third one that only writes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.layers.redis.conftest import server  # noqa: F401  # a fixture
from tests.live.conftest import LiveClient, subscribed
from tests.live.test_changes import numbers
from tests.support.databases import Database
from tests.support.ports import free_port
from tests.support.served import environment, served

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
from tests.support.databases import from_environment
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = from_environment()
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "channels", "channels.topics", "channels.live", "tests.live.shop",
]
CHANNEL_LAYERS = {{"default": {layer!r}}}
"""
ASGI = """
import django
django.setup()
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.topics import websocket_urlpatterns
application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})
"""
WRITER = """
import sys
import django
django.setup()
from django.db import connection, transaction
from tests.live.shop.models import *
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""
SET_UP = (
    "from tests.live.conftest import create_tables; create_tables(); "
    "Order.objects.bulk_create([Order(number=number) for number in (1, 2, 3)])"
)


class Shop(NamedTuple):
    ports: list[int]
    servers: list[subprocess.Popen[bytes]]
    survives_freezing: bool  # on the host layer, one of them carries what all say to each other

    writer: subprocess.Popen[str]

    async def run(self, code: str) -> None:
        """Run a line of code in a process that does nothing else."""
        assert self.writer.stdin is not None and self.writer.stdout is not None
        print(code, file=self.writer.stdin, flush=True)
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(self.writer.stdout.readline) == "done\n"


def layer_for(name: str, request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    if name == "host":
        config: dict[str, Any] = {"path": str(folder / "host")}
        return {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": config}
    address = request.getfixturevalue("server").address
    config = {"hosts": [address], "prefix": folder.name}
    return {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": config}


@pytest.fixture(params=["redis", "host"])
def shop(request: pytest.FixtureRequest, sqlite: Database) -> Iterator[Shop]:
    folder = Path(tempfile.mkdtemp(prefix="live"))  # pytest's own are too long for a Unix socket
    (folder / "shop_settings.py").write_text(SETTINGS.format(layer=layer_for(request.param, request, folder)))
    (folder / "asgi.py").write_text(ASGI)
    env = environment(
        DJANGO_SETTINGS_MODULE="shop_settings", PYTHONPATH=f"{folder}{os.pathsep}{ROOT}", **sqlite.env
    )
    ports = [free_port() for _ in range(2)]
    with ExitStack() as stack:
        command = [sys.executable, "-c", WRITER]
        pipe = subprocess.PIPE
        writer = stack.enter_context(
            subprocess.Popen(command, cwd=folder, env=env, stdin=pipe, stdout=pipe, text=True)
        )
        shop = Shop(ports, [], request.param == "redis", writer)
        asyncio.run(shop.run(SET_UP))
        for port in ports:
            command = ["daphne", "-b", "127.0.0.1", "-p", str(port), "asgi:application"]
            log = folder / f"{port}.log"
            shop.servers.append(stack.enter_context(served(command, port, folder=folder, log=log, env=env)))
        yield shop
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def frozen_process(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def both(clients: list[LiveClient], expected: list[int]) -> list[list[dict[str, Any]]]:
    """Wait until both have these numbers; returns what each was told."""
    async with asyncio.timeout(30):
        return [await each.until(lambda rows: numbers(rows) == expected) for each in clients]


@pytest.mark.timeout(150)  # four processes start
async def test_what_another_process_writes_reaches_browsers_even_if_who_evaluates_is_frozen(
    shop: Shop,
) -> None:
    async with (
        subscribed(shop.ports[0], "orders:open") as first,
        subscribed(shop.ports[1], "orders:open") as second,
    ):
        clients = [first, second]
        assert first.rows == second.rows
        assert (numbers(first.rows), first.offset) == ([1, 2, 3], second.offset)
        await shop.run("Order.objects.filter(number=2).update(status='done')")
        told = await both(clients, [1, 3])
        assert told[0] == told[1] == [{"op": "delete", "key": 2}]
        await shop.run("[Order.objects.create(number=number) for number in range(4, 24)]")
        await both(clients, [1, 3, *range(4, 24)])
        assert first.offset == second.offset
        if shop.survives_freezing:
            # One of the two evaluates for both; freezing each in turn freezes that one, too.
            for index, (frozen, awake) in enumerate(zip(shop.servers, reversed(clients), strict=True)):
                expected = [1, 3, *range(5 + index, 24)]
                with frozen_process(frozen):
                    await shop.run(f"Order.objects.filter(number={4 + index}).delete()")
                    await both([awake], expected)
                await both(clients, expected)
        shop.servers[0].kill()
        await shop.run("Order.objects.filter(number__gte=7).delete()")
        rest = [1, 3, *range(6 if shop.survives_freezing else 4, 7)]
        await both([second], rest)
