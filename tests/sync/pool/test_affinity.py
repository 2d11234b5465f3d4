"""Requests and consumers of a real server: who waits for whom, and what keeps them in one thread."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import h2.events
import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application as djangos
from django.db import connections, transaction
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from websockets.sync.client import connect

from channels import telemetry
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.http import get_asgi_application as ours
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.sync.context import pool
from tests.support.http2_client import GET, H2Client
from tests.support.serving import serving

PATIENCE = 20
DISK = "disk"
go_on, begun = threading.Event(), threading.Event()
own = threading.local()


def quick(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"thread": threading.current_thread().name})


def slow(request: HttpRequest) -> JsonResponse:
    begun.set()
    go_on.wait(PATIENCE)
    return quick(request)


async def two_steps(request: HttpRequest) -> JsonResponse:
    await sync_to_async(int)()
    if "slow" in request.GET:
        await sync_to_async(slow)(request)
    return JsonResponse({"thread": await sync_to_async(lambda: threading.current_thread().name)()})


async def thread_local(request: HttpRequest, name: str) -> JsonResponse:
    """What old middleware does: note the request in one piece of sync code, read it in the next."""
    await sync_to_async(setattr)(own, "name", name)
    await asyncio.sleep(0.2)
    return JsonResponse({"name": await sync_to_async(lambda: getattr(own, "name", None))()})


def write(text: str) -> None:
    with connections[DISK].cursor() as cursor:
        cursor.execute("insert into note values (%s)", [text])


def read() -> list[str]:
    with connections[DISK].cursor() as cursor:
        cursor.execute("select text from note order by text")
        return [text for (text,) in cursor.fetchall()]


def begin() -> None:
    transaction.atomic(DISK).__enter__()


def roll_back() -> None:
    connections[DISK].atomic_blocks[-1].__exit__(RuntimeError, RuntimeError(), None)


async def in_transaction(request: HttpRequest) -> JsonResponse:
    """A transaction over several pieces of sync code, while others write."""
    await sync_to_async(begin)()
    await sync_to_async(write)("mine")
    begun.set()
    await asyncio.to_thread(go_on.wait, PATIENCE)
    seen = await sync_to_async(read)()
    await sync_to_async(roll_back)()
    return JsonResponse({"seen": seen})


async def leaves_transaction(request: HttpRequest) -> JsonResponse:
    await sync_to_async(begin)()
    await sync_to_async(write)("left behind")
    return JsonResponse({})


async def cursor_over_pieces(request: HttpRequest) -> JsonResponse:
    def opened() -> Any:
        cursor = connections[DISK].cursor()
        cursor.execute("select text from note order by text")
        return cursor, threading.current_thread()

    cursor, thread = await sync_to_async(opened)()
    rows = []
    for _ in range(3):
        await asyncio.sleep(0.01)
        (text,) = await sync_to_async(cursor.fetchone)()
        rows.append(text)
    same = await sync_to_async(threading.current_thread)() is thread
    await sync_to_async(cursor.close)()
    return JsonResponse({"rows": rows, "same": same})


def note(request: HttpRequest, text: str) -> JsonResponse:
    write(text)
    return JsonResponse({"notes": read()})


urlpatterns = [
    path("quick/", quick),
    path("slow/", slow),
    path("two/", two_steps),
    path("local/<str:name>/", thread_local),
    path("transaction/", in_transaction),
    path("leaves/", leaves_transaction),
    path("cursor/", cursor_over_pieces),
    path("note/<str:text>/", note),
]


class TwoSteps(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await database_sync_to_async(int)()
        if text_data == "slow":
            await database_sync_to_async(slow)(HttpRequest())
        await self.send(await database_sync_to_async(lambda: threading.current_thread().name)())


MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
HANDLERS = {"Django's": djangos, "channels.http": ours}


@pytest.fixture(params=HANDLERS)
def application(request: Any) -> Iterator[Any]:
    for event in (go_on, begun):
        event.clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE):
        yield ProtocolTypeRouter({"http": HANDLERS[request.param](), "websocket": TwoSteps.as_asgi()})
    go_on.set()
    pool.stop(PATIENCE)


@pytest.fixture
def server(application: Any) -> Iterator[ServerThread]:
    with ServerThread(application, drain_timeout=5) as server:
        yield server
        go_on.set()


@pytest.fixture
def disk(tmp_path: Path, django_db_blocker: Any) -> Iterator[None]:
    connections.settings[DISK] = {
        **connections.settings["default"],
        "NAME": str(tmp_path / "db.sqlite3"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"timeout": 5},
    }
    with django_db_blocker.unblock():
        with connections[DISK].cursor() as cursor:
            cursor.execute("pragma journal_mode=wal")
            cursor.execute("create table note (text)")
        yield
        connections[DISK].close()
    del connections[DISK]
    pool.stop(PATIENCE)
    del connections.settings[DISK]


class Asked:
    """Requests, each on a connection of its own, all of them written in the same moment."""

    def __init__(self, port: int, *paths: str) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in paths]
        for sock, each in zip(self._sockets, paths, strict=True):
            sock.sendall(f"GET {each} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    def answer(self, number: int) -> Any:
        data = b""
        with self._sockets[number] as sock:
            while received := sock.recv(65536):
                data += received
        assert data.startswith(b"HTTP/1.1 200"), data[:300]
        return json.loads(data.partition(b"\r\n\r\n")[2])


def get(port: int, path: str) -> Any:
    return Asked(port, path).answer(0)


@pytest.mark.parametrize("paths", [("/slow/", "/quick/"), ("/two/?slow=1", "/two/")])
class TestOneSlowFiveQuick:
    def test_http1(self, server: ServerThread, paths: tuple[str, str]) -> None:
        self._see(server.port, *paths)

    def _see(self, port: int, slow: str, quick: str) -> None:
        asked = Asked(port, slow, *[quick] * 5)
        threads = {asked.answer(number)["thread"] for number in range(1, 6)}
        assert begun.wait(PATIENCE)
        assert not go_on.is_set()
        go_on.set()
        assert asked.answer(0)["thread"] not in threads

    def test_uvicorn(self, application: Any, paths: tuple[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="error"))
            thread = threading.Thread(target=server.run, args=([listening],))
            thread.start()
            try:
                self._see(listening.getsockname()[1], *paths)
            finally:
                go_on.set()
                server.should_exit = True
                thread.join(PATIENCE)

    async def test_http2(self, server: ServerThread, paths: tuple[str, str]) -> None:
        client = H2Client(*await asyncio.open_connection("127.0.0.1", server.port))
        client.h2.initiate_connection()
        headers = [[*GET[:3], (":path", path)] for path in (paths[0], *[paths[1]] * 5)]
        streams = [await client.request(each) for each in headers]
        for number in streams[1:]:
            await client.until(partial(_ends, number))
        assert not any(_ends(streams[0], event) for event in client.events)
        assert not go_on.is_set()
        go_on.set()
        await client.until(partial(_ends, streams[0]))
        client.writer.close()


def _ends(stream_id: int, event: Any) -> bool:
    return isinstance(event, h2.events.StreamEnded) and event.stream_id == stream_id


@pytest.mark.parametrize("application", ["channels.http"], indirect=True)
def test_one_slow_consumer_and_five_quick_ones(server: ServerThread) -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(f"ws://127.0.0.1:{server.port}/")) for _ in range(6)]
        for number, each in enumerate(sockets):
            each.send("quick" if number else "slow")
        for each in sockets[1:]:
            each.recv(PATIENCE)
        assert not go_on.is_set()
        go_on.set()
        sockets[0].recv(PATIENCE)


def test_thread_locals_of_a_request_are_its_own(server: ServerThread) -> None:
    """In one thread from piece to piece, and nobody else meanwhile, as the originals have it."""
    names = [f"user{number}" for number in range(12)]
    asked = Asked(server.port, *[f"/local/{name}/" for name in names])
    assert [asked.answer(number)["name"] for number in range(12)] == names


def test_a_transaction_over_several_pieces_is_nobody_elses(server: ServerThread, disk: None) -> None:
    first = Asked(server.port, "/transaction/")
    assert begun.wait(PATIENCE)
    threads = {answer["thread"] for answer in (get(server.port, "/quick/") for _ in range(20))}
    assert threads
    go_on.set()
    assert first.answer(0) == {"seen": ["mine"]}
    assert get(server.port, "/note/yours/") == {"notes": ["yours"]}


def test_a_transaction_that_is_left_behind_is_rolled_back(
    server: ServerThread, disk: None, caplog: pytest.LogCaptureFixture
) -> None:
    before = telemetry.counters["threads.connection_abandoned"]
    get(server.port, "/leaves/")
    end = time.monotonic() + PATIENCE
    while telemetry.counters["threads.connection_abandoned"] == before:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert "it is rolled back" in caplog.text
    assert get(server.port, "/note/mine/") == {"notes": ["mine"]}


def test_a_cursor_keeps_its_thread(server: ServerThread, disk: None) -> None:
    for text in "abc":
        get(server.port, f"/note/{text}/")
    asked = Asked(server.port, *["/cursor/"] * 8)
    for number in range(8):
        assert asked.answer(number) == {"rows": ["a", "b", "c"], "same": True}


def test_where_nothing_is_open_no_thread_is_bound(disk: None) -> None:
    async def pieces() -> int:
        with serving({"type": "websocket", "asgi": {}}):
            await database_sync_to_async(write)("a")
            return pool.statistics()["bound"]

    assert asyncio.run(pieces()) == 0
