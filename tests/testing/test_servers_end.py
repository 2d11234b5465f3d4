"""A server of a test ends with the test, whoever is connected."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.testing import ChannelsLiveServerTestCase
from channels.typing import Receive, Scope, Send
from daphne.testing import BaseDaphneTestingInstance, DaphneTestingInstance
from tests.server.helpers import GET, LONG, UPGRADE, echo

#: Seconds: it took two and more.
AT_ONCE = 1.0
#: What a client has asked for before it keeps its connection open: nothing, or a page, or a WebSocket.
ASKED = pytest.mark.parametrize("request_", [b"", GET, UPGRADE], ids=["idle", "answered", "websocket"])
left: list[str] = []


class Consumer(AsyncWebsocketConsumer):
    async def disconnect(self, code: int) -> None:
        left.append("told")


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    await echo(scope, receive, send)


application = ProtocolTypeRouter({"http": page, "websocket": Consumer.as_asgi()})


@contextmanager
def connected(host: str, port: int, request: bytes) -> Iterator[None]:
    """A client that stays until after the block."""
    with socket.create_connection((host, port), LONG) as client:
        client.sendall(request)
        if request:
            assert client.recv(65536).startswith(b"HTTP/1.1 ")
        yield


def ends_at_once(server: Any, request: bytes) -> None:
    server.__enter__()
    left.clear()
    with connected(server.host, server.port, request):
        begun = time.monotonic()
        server.__exit__(None, None, None)
        assert time.monotonic() - begun < AT_ONCE
    assert left == (["told"] if request is UPGRADE else [])


@ASKED
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_server_in_a_thread(loop: str, request_: bytes) -> None:
    ends_at_once(ServerThread(application, "127.0.0.1", loop=loop), request_)


@ASKED
def test_a_testing_instance(request_: bytes) -> None:
    ends_at_once(BaseDaphneTestingInstance(application=application), request_)


def test_a_testing_instance_whose_application_waits_for_the_disconnect() -> None:
    with DaphneTestingInstance() as server:
        server.add_send_messages(
            [
                {"type": "http.response.start", "status": 200},
                {"type": "http.response.body", "body": b"part", "more_body": True},
            ]
        )
        client = socket.create_connection((server.host, server.port), LONG)
        client.sendall(GET)
        assert client.recv(65536)
        begun = time.monotonic()
    assert time.monotonic() - begun < AT_ONCE
    client.close()


@ASKED
def test_a_live_server(request_: bytes, settings: Any) -> None:
    settings.ASGI_APPLICATION = f"{__name__}.application"

    class Case(ChannelsLiveServerTestCase):
        host = "127.0.0.1"
        serve_static = False
        databases = set()

    Case.setUpClass()
    left.clear()
    try:
        with connected("127.0.0.1", Case._port, request_):
            begun = time.monotonic()
            Case.doClassCleanups()
            assert time.monotonic() - begun < AT_ONCE
    finally:
        Case.tearDownClass()
    assert left == (["told"] if request_ is UPGRADE else [])
