"""Over real sockets: nobody waits for a handler that blocks, and databases see few connections."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import override_settings
from websockets.sync.client import ClientConnection, connect

from channels.auth import AuthMiddlewareStack
from channels.core.database import opened_by
from channels.db import database_sync_to_async, opened_anywhere
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.sync.context import pool
from tests.support.serving import serving

PATIENCE = 30
DISK = "disk"
MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
released = threading.Event()


class Sync(WebsocketConsumer):
    """Does what it is told, in its thread."""

    groups = ("all",)

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        match text_data:
            case "block":
                self.send("blocking")
                assert released.wait(PATIENCE)
                self.send("released")
            case "group":
                async_to_sync(self.channel_layer.group_send)("all", {"type": "news", "text": "to all"})
            case "bad":
                with pytest.raises(TypeError):
                    self.send(3)  # type: ignore[arg-type]
                self.send("went on")
            case "query":
                self.send(query())
            case "burst":
                for n in range(100):
                    self.send(str(n))
            case "thread":
                thread = threading.Thread(target=self.send, args=("from a thread of its own",))
                thread.start()
                thread.join(PATIENCE)

    def news(self, event: dict[str, Any]) -> None:
        self.send(event["text"])


class Async(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        match text_data:
            case "bridge":
                await self.send(await database_sync_to_async(query)())
            case "own":
                await self.send(await sync_to_async(query)())
            case "orm":
                threads = []
                async for _ in User.objects.using(DISK).aiterator(chunk_size=1):
                    threads.append(await database_sync_to_async(threading.get_ident)())
                await self.send(json.dumps(len(set(threads))))
            case _:
                await self.send("answer")


def query() -> str:
    with connections[DISK].cursor() as cursor:
        cursor.execute("select 'row'")
        return str(cursor.fetchone()[0])


@pytest.fixture
def serve(tmp_path: Path, django_db_blocker: Any) -> Iterator[Callable[..., Any]]:
    """Serve with ``CHANNELS_THREADS`` as given, and a database on disk."""
    released.clear()
    pool.stop(PATIENCE)
    connections.settings[DISK] = {
        **connections.settings["default"],
        "NAME": str(tmp_path / "db.sqlite3"),
        "CONN_MAX_AGE": None,
    }
    application = ProtocolTypeRouter({"websocket": AuthMiddlewareStack(route)})

    with django_db_blocker.unblock(), ExitStack() as stack:

        def start(threads: int, **settings: Any) -> Callable[[str], ClientConnection]:
            stack.enter_context(
                override_settings(CHANNELS_THREADS=threads, CHANNEL_LAYERS=MEMORY, **settings)
            )
            stack.callback(pool.stop, PATIENCE)
            server = stack.enter_context(ServerThread(application, drain_timeout=0.1))

            def call(path: str) -> ClientConnection:
                url = f"ws://localhost:{server.port}{path}"
                return stack.enter_context(connect(url, open_timeout=PATIENCE))

            stack.callback(released.set)
            return call

        yield start
        released.set()
    for opened in connections.all(initialized_only=True):
        if opened.alias == DISK:
            opened.close()
            del connections[DISK]
    del connections.settings[DISK]


async def route(scope: Any, receive: Any, send: Any) -> None:
    consumer = Sync if scope["path"] == "/sync/" else Async
    await consumer.as_asgi()(scope, receive, send)


def ask(client: ClientConnection, *texts: str) -> str:
    for text in texts:
        client.send(text)
    return str(client.recv(timeout=PATIENCE))


def test_a_blocked_handler_delays_neither_sync_nor_async_connections(serve: Any) -> None:
    call = serve(threads=2)
    blocked, other, third = call("/sync/"), call("/sync/"), call("/async/")
    assert ask(blocked, "block") == "blocking"
    assert ask(other, "query") == "row"
    assert ask(third, "own") == "row"
    assert ask(third, "bridge") == "row"
    assert ask(third, "hello") == "answer"
    blocked.send("query")
    released.set()
    assert [blocked.recv(PATIENCE) for _ in range(2)] == ["released", "row"]


def test_with_all_threads_blocked_async_connections_go_on(serve: Any) -> None:
    call = serve(threads=1)
    blocked, other = call("/sync/"), call("/async/")
    assert ask(blocked, "block") == "blocking"
    assert ask(other, "hello") == "answer"


@pytest.mark.parametrize("threads", [1, 2])
def test_handlers_in_all_threads_may_use_the_layer_and_send(threads: int, serve: Any) -> None:
    call = serve(threads=threads)
    clients = [call("/sync/") for _ in range(2 * threads + 1)]
    for client in clients:
        client.send("group")
    for client in clients:
        assert [client.recv(PATIENCE) for _ in clients] == ["to all"] * len(clients)


def test_errors_of_send_arrive_in_the_handler_and_order_is_kept(serve: Any) -> None:
    client = serve(threads=2)("/sync/")
    assert ask(client, "bad") == "went on"
    client.send("burst")
    assert [client.recv(PATIENCE) for _ in range(100)] == [str(n) for n in range(100)]


def test_threads_of_the_users_own_can_send(serve: Any) -> None:
    assert ask(serve(threads=1)("/sync/"), "thread") == "from a thread of its own"


def test_the_pool_bounds_the_database_connections(serve: Any) -> None:
    call = serve(threads=2)
    before = {id(found) for found in opened_anywhere()}
    clients = [call("/sync/" if n % 2 else "/async/") for n in range(20)]
    for _ in range(3):
        for n, client in enumerate(clients):
            client.send("query" if n % 2 else "bridge")
        assert {client.recv(PATIENCE) for client in clients} == {"row"}
    opened = [found for found in opened_anywhere() if id(found) not in before]
    assert len(opened) <= 2
    assert pool.statistics()["threads"] <= 2


def test_idle_threads_close_what_has_become_old(serve: Any) -> None:
    connections.settings[DISK]["CONN_MAX_AGE"] = 1
    client = serve(threads=1)("/sync/")
    assert ask(client, "query") == "row"
    (worker,) = pool.workers
    (opened,) = opened_by(worker.thread)
    end = time.monotonic() + PATIENCE
    while opened.connection is not None:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_open_cursor_keeps_an_async_handler_in_one_thread(serve: Any, tmp_path: Path) -> None:
    call = serve(threads=3)
    with connections[DISK].schema_editor() as editor:
        editor.create_model(User)
    User.objects.using(DISK).bulk_create(User(username=str(n)) for n in range(5))
    clients = [call("/async/") for _ in range(6)]
    for client in clients:
        client.send("orm")
    assert {client.recv(PATIENCE) for client in clients} == {"1"}


def test_a_slow_handler_is_logged_with_its_stack(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "channels.threads"):
        client = serve(threads=1, CHANNELS_SLOW_HANDLER=0.05)("/sync/")
        assert ask(client, "block") == "blocking"
        end = time.monotonic() + PATIENCE
        while not caplog.records:
            assert time.monotonic() < end
            time.sleep(0.01)
    text = caplog.records[0].getMessage()
    assert f"In consumer {__name__}.Sync, handling 'websocket.receive', path '/sync/', user " in text
    assert "in receive" in text
    released.set()
    assert client.recv(PATIENCE) == "released"


def test_under_a_foreign_event_loop_too(serve: Any) -> None:
    """The pool serves every loop of the process."""
    call = serve(threads=1)
    assert ask(call("/sync/"), "query") == "row"

    async def elsewhere() -> Any:
        with serving({"asgi": {}}):
            return await database_sync_to_async(query)()

    assert asyncio.run(elsewhere()) == "row"
