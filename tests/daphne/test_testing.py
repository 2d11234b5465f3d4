"""The servers that tests in the wild use."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

import pytest

from daphne.testing import BaseDaphneTestingInstance, DaphneProcess, DaphneTestingInstance, TestApplication
from tests.server.helpers import LONG, UPGRADE, echo, frame

ANSWER: list[MutableMapping[str, Any]] = [
    {"type": "http.response.start", "status": 201, "headers": [(b"x-own", b"yes")]},
    {"type": "http.response.body", "body": b"created"},
]


def talk(instance: Any, data: bytes) -> bytes:
    """Send ``data`` and return the first thing that comes back."""
    with socket.create_connection((instance.host, instance.port), LONG) as client:
        client.sendall(data)
        return client.recv(65536)


def test_a_request_without_host_is_recorded_and_answered() -> None:
    with DaphneTestingInstance(request_buffer_size=2) as instance:
        instance.add_send_messages(ANSWER)
        answer = talk(instance, b"POST /x?y HTTP/1.1\r\nX-One: a\r\nContent-Length: 3\r\n\r\nabc")
        scope, messages = instance.get_received()
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert (scope["path"], scope["query_string"]) == ("/x", b"y")
    assert scope["headers"] == [(b"x-one", b"a"), (b"content-length", b"3")]
    assert [message.get("body") for message in messages[:2]] == [b"ab", b"c"]
    assert messages[-1] == {"type": "http.disconnect"}


def test_proxy_headers_are_believed_with_xff() -> None:
    with DaphneTestingInstance(xff=True) as instance:
        instance.add_send_messages(ANSWER)
        talk(instance, b"GET / HTTP/1.1\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n")
        scope, _ = instance.get_received()
    assert scope["client"] == ["10.1.2.3", 0]


@pytest.mark.parametrize("path", [b"/mounted%20here", b"/a/../b"])
def test_a_test_says_its_root_path(path: bytes) -> None:
    for more in ({}, {"xff": True}):
        with DaphneTestingInstance(**more) as instance:
            instance.add_send_messages(ANSWER)
            talk(
                instance,
                b"GET / HTTP/1.1\r\nDaphne-Root-Path: "
                + path
                + b"\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n\r\n",
            )
            scope, _ = instance.get_received()
        assert scope["root_path"] == unquote(path.decode())
        assert b"daphne-root-path" not in dict(scope["headers"])
        assert scope["client"][0] == ("1.1.1.1" if more else "127.0.0.1")


def test_a_websocket_is_recorded() -> None:
    with DaphneTestingInstance(websocket_max_message_size=10) as instance:
        instance.add_send_messages([{"type": "websocket.accept"}, {"type": "websocket.send", "text": "hi"}])
        with socket.create_connection((instance.host, instance.port), LONG) as client:
            client.sendall(UPGRADE)
            assert b" 101 " in client.recv(65536)
            client.sendall(frame(b"short"))
            client.sendall(frame(b"much too long"))
            while client.recv(65536):
                continue
        _, messages = instance.get_received()
    kinds = [message["type"] for message in messages]
    assert kinds == ["websocket.connect", "websocket.receive", "websocket.disconnect"]
    assert messages[-1]["code"] == 1009


def test_what_the_application_was_refused_is_raised_to_the_test() -> None:
    with DaphneTestingInstance() as instance:
        instance.add_send_messages([{"type": "http.response.body", "body": b"x"}])
        talk(instance, b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ValueError, match="has not been started"):
            instance.get_received()


def test_nothing_received() -> None:
    with DaphneTestingInstance() as instance, pytest.raises(ValueError, match="No results"):
        instance.get_received()
    with pytest.raises(ValueError, match="No results"):
        DaphneTestingInstance().get_received()


async def test_after_every_event_goes_what_has_been_set_up_since() -> None:
    events: asyncio.Queue[Any] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    application = TestApplication(threading.Lock())
    TestApplication.save_setup([{"type": "websocket.accept"}])
    task = asyncio.ensure_future(application({"type": "websocket"}, events.get, sent.put))
    await events.put({"type": "websocket.connect"})
    assert await asyncio.wait_for(sent.get(), LONG) == {"type": "websocket.accept"}
    for text in ("one", "two"):
        TestApplication.save_setup([{"type": "websocket.send", "text": text}])
        await events.put({"type": "websocket.receive", "text": "?"})
        assert (await asyncio.wait_for(sent.get(), LONG))["text"] == text
    await events.put({"type": "websocket.receive", "text": "nothing was set up since"})
    await events.put({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait_for(task, LONG)
    assert sent.empty()
    assert len(TestApplication.load_result()["messages"]) == 5


def test_the_storage_belongs_to_the_class() -> None:
    TestApplication.save_setup(ANSWER)
    assert TestApplication.load_setup() == {"response_messages": ANSWER}
    TestApplication.delete_setup()
    assert TestApplication.load_setup() == {"response_messages": []}
    TestApplication.save_result({"type": "http"}, [])
    assert TestApplication.load_result() == {"scope": {"type": "http"}, "messages": []}
    error = ValueError("refused")
    TestApplication.save_exception(error)
    assert TestApplication.load_result() == {"exception": error}
    TestApplication.delete_result()
    assert TestApplication(threading.Lock()).messages == []


def test_an_instance_for_any_application() -> None:
    log: list[str] = []

    class Own(BaseDaphneTestingInstance):
        def process_setup(self) -> None:
            log.append("setup")

        def process_teardown(self) -> None:
            log.append("teardown")

    with Own(http_timeout=5, application=echo) as instance:
        connection = http.client.HTTPConnection(instance.host, instance.port, timeout=LONG)
        connection.request("GET", "/path")
        assert connection.getresponse().headers["x-path"] == "/path"
        connection.close()
        with pytest.raises(NotImplementedError):
            instance.get_received()
    assert log == ["setup", "teardown"]
    instance.__exit__(None, None, None)
    with pytest.raises(ValueError, match="application="):
        BaseDaphneTestingInstance().get_application()
    BaseDaphneTestingInstance(application=echo).process_setup()


def get_application() -> Any:
    return echo


def refuse() -> Any:
    raise RuntimeError("no application today")


def test_a_process_of_its_own() -> None:
    process = DaphneProcess("127.0.0.1", get_application, kwargs={"server_name": "mine"})
    process.start()
    try:
        assert process.ready.wait(LONG)
        assert process.errors.empty()
        connection = http.client.HTTPConnection("127.0.0.1", process.port.value, timeout=LONG)
        connection.request("GET", "/path")
        assert connection.getresponse().headers["server"] == "mine"
        connection.close()
    finally:
        process.terminate()
        process.join(LONG)


def test_a_process_that_cannot_serve_says_why() -> None:
    process = DaphneProcess("127.0.0.1", refuse)
    process.start()
    error, trace = process.errors.get(timeout=LONG)
    process.join(LONG)
    assert str(error) == "no application today"
    assert "Traceback" in trace


def test_a_process_runs_its_setup_and_teardown() -> None:
    log: list[str] = []
    process = DaphneProcess("127.0.0.1", get_application, setup=lambda: log.append("setup"))
    process.teardown = lambda: log.append("teardown")
    process.resolve_port()
    stopper = threading.Thread(target=lambda: process.ready.wait(LONG) and process.server.stop())
    stopper.start()
    process.run()  # here, in this process: what it does can be seen
    stopper.join()
    assert log == ["setup", "teardown"]
    assert process.errors.empty()


def test_a_process_without_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = DaphneProcess("127.0.0.1", get_application, port=taken.getsockname()[1])
        process.run()
    error, _ = process.errors.get(timeout=LONG)
    assert "another program" in str(error)
