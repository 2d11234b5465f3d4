"""A server in a thread."""

from __future__ import annotations

import socket
import sys
import threading
import urllib.request

import pytest

from channels.server.config import Config, ConfigError
from channels.server.endpoints.endpoints import ListenError
from channels.server.in_thread import ServerThread
from tests.server.helpers import LONG, echo


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_serves_and_ends(loop: str) -> None:
    before = set(threading.enumerate())
    with ServerThread(echo, loop=loop) as server:
        assert server.host == "localhost"
        with urllib.request.urlopen(f"{server.url}/path", b"body", timeout=LONG) as response:
            assert response.read() == b"body"
            assert response.headers["x-path"] == "/path"
        server.settle()
        assert server.statistics()["requests"] == 1
    server.stop()
    server.settle()
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)  # one that was told to end may take a moment
        assert not thread.is_alive()


def test_what_keeps_it_from_starting_is_raised_here() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = ServerThread(echo, "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ListenError, match="another program"):
            server.start()
    assert not server._thread.is_alive()


def test_urls() -> None:
    server = ServerThread(echo, "::1", 80)
    assert server.url == "http://[::1]:80"
    assert server.ws_url == "ws://[::1]:80"
    assert server.statistics() == {}
    server.stop()


def test_of_a_whole_configuration() -> None:
    config = Config(app=echo, endpoints=("tcp:port=0:interface=127.0.0.1",), server_name="mine")
    with (
        ServerThread.of(config, "127.0.0.1") as server,
        urllib.request.urlopen(server.url, timeout=LONG) as response,
    ):
        assert response.headers["server"] == "mine"


def test_a_loop_that_is_not_installed_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ConfigError, match="uvloop is not installed"):
        ServerThread(echo, loop="uvloop").start()
