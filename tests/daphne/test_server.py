"""daphne.server.Server and its keywords."""

from __future__ import annotations

import inspect
import socket
import threading
import time
import urllib.request
from typing import Any

import pytest

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, limit
from tests.server.helpers import GET, LONG, Recorder, echo

KEYWORDS = (
    "application endpoints signal_handlers action_logger http_timeout request_buffer_size websocket_timeout "
    "websocket_connect_timeout ping_interval ping_timeout root_path proxy_forwarded_address_header "
    "proxy_forwarded_port_header proxy_forwarded_proto_header verbosity websocket_handshake_timeout "
    "websocket_max_message_size websocket_max_frame_size application_close_timeout ready_callable server_name"
)


def test_the_keywords_in_their_order() -> None:
    assert list(inspect.signature(Server).parameters)[: len(KEYWORDS.split())] == KEYWORDS.split()


def test_it_runs_in_a_thread_until_it_is_stopped() -> None:
    ready = threading.Event()
    lines: list[Any] = []
    server = Server(
        echo,
        endpoints=build_endpoint_description_strings(host="127.0.0.1", port=0),
        action_logger=lambda *line: lines.append(line),
        ready_callable=ready.set,
    )
    server.stop()
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(LONG)
    ((host, port),) = server.listening_addresses
    with urllib.request.urlopen(f"http://{host}:{port}/x", timeout=LONG) as response:
        assert response.headers["server"] == "daphne"
    server.stop()
    thread.join(LONG)
    assert not thread.is_alive()
    assert not server.abort_start
    assert lines[0][:2] == ("http", "complete")
    server.stop()


def test_what_keeps_it_from_listening_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(echo, endpoints=["fd:fileno=987"])
    server.run()
    assert server.abort_start
    assert "file descriptor 987" in server.abort_reason
    assert caplog.messages == [server.abort_reason]


def test_a_unix_socket_has_no_listening_address(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server = Server(echo, endpoints=[f"unix:{tmp_path}/s"])
    server.ready_callable = server.stop
    server.run()
    assert server.listening_addresses == []
    assert f"Listening on {tmp_path}/s" in caplog.messages


def test_without_endpoints_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    Server(echo)
    assert "No endpoints" in caplog.text


def test_the_keywords_become_a_configuration() -> None:
    config = Server(
        echo, ["tcp:0"], websocket_connect_timeout=-1, websocket_handshake_timeout=7, websocket_timeout=-1
    ).config()
    assert config.websocket_connect_timeout == 7
    assert config.websocket_timeout is None
    assert config.action_logger is None
    never = Server(echo, ["tcp:0"], websocket_connect_timeout=-1, websocket_handshake_timeout=-1).config()
    assert never.websocket_connect_timeout is None
    assert Server(echo, ["tcp:0"]).config().websocket_connect_timeout == 5


def test_log_action_may_be_overridden() -> None:
    seen: list[str] = []

    class Own(Server):
        def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
            seen.append(action)
            super().log_action(protocol, action, details)

    server = Own(echo, ["tcp:0"], action_logger=lambda *line: seen.append("handed on"))
    logger = server.config().action_logger
    assert logger is not None
    logger("http", "complete", {})
    server.action_logger = None
    logger("http", "again", {})
    assert seen == ["complete", "handed on", "again"]


def test_the_checker_of_a_subclass_is_called_while_it_serves() -> None:
    seen: list[Any] = []

    class Own(Server):
        def application_checker(self) -> None:
            super().application_checker()
            seen.append(self.connections)
            if len(seen) == 2:
                self.stop()

    server = Own(echo, ["tcp:0:interface=127.0.0.1"])
    assert server.connections == {}
    server.run()
    assert seen == [{}, {}]


def test_connections_are_what_is_alive() -> None:
    app = Recorder()
    server = Server(app, ["tcp:0:interface=127.0.0.1"], lifespan="off", drain_timeout=0.1)
    ready = threading.Event()
    server.ready_callable = ready.set
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(LONG)
    with socket.create_connection(server.listening_addresses[0], LONG) as client:
        client.sendall(GET)
        until = time.monotonic() + LONG
        while not server.connections and time.monotonic() < until:
            time.sleep(0.01)
        ((_, details),) = server.connections.items()
        assert not details["application_instance"].done()
        server.stop()
        thread.join(LONG)
    assert server.connections == {}


def test_limits() -> None:
    assert [limit(value) for value in (None, -1, 0, 5)] == [None, None, 0, 5]
