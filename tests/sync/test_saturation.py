"""Every thread held: nobody waits for ever, everybody can see why, and the process can be ended."""

from __future__ import annotations

import http.client
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application as djangos
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from channels import telemetry
from channels.http import get_asgi_application as ours
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.sync import saturation as module
from channels.sync.context import pool, saturation
from channels.sync.pool import Pool, Strand
from tests.support.ports import free_port
from tests.support.served import environment, served

PATIENCE = 20
go_on = threading.Event()
held = threading.Semaphore(0)
closed = threading.Semaphore(0)


def quick(request: HttpRequest) -> HttpResponse:
    return HttpResponse("quick")


def hold(request: HttpRequest) -> HttpResponse:
    held.release()
    go_on.wait(PATIENCE)
    return HttpResponse("held")


def endless(request: HttpRequest, pause: str) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        held.release()
        try:
            while True:
                yield b"x" * 10_000
                time.sleep(float(pause))
        finally:
            closed.release()

    return StreamingHttpResponse(parts())


def fetch(request: HttpRequest, port: int) -> HttpResponse:
    """A page that asks for another one of the same server."""
    return HttpResponse(b"fetched " + ask(port, "/quick/")[1])


urlpatterns = [
    path("quick/", quick),
    path("hold/", hold),
    path("endless/<str:pause>/", endless),
    path("fetch/<int:port>/", fetch),
]
HANDLERS = {"Django's": djangos, "channels.http": ours}


@pytest.fixture(params=HANDLERS)
def server(request: Any) -> Iterator[ServerThread]:
    go_on.clear()
    pool.stop(PATIENCE)  # other tests may have left more threads than there may be here
    more = getattr(request.node.get_closest_marker("threads"), "args", ({},))[0]
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], **more):
        application = ProtocolTypeRouter({"http": HANDLERS[request.param]()})
        with ServerThread(application, drain_timeout=5, health_path="/health") as server:
            yield server
            go_on.set()
        pool.stop(PATIENCE)
    while held.acquire(blocking=False) or closed.acquire(blocking=False):
        pass


def ask(port: int, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    client.request("GET", path)
    response = client.getresponse()
    body = response.read()
    client.close()
    return response, body


def send(port: int, path: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return sock


def status(sock: socket.socket) -> int:
    with sock:
        return int(sock.recv(12).split()[1])


def hold_all(port: int, count: int) -> list[socket.socket]:
    socks = [send(port, "/hold/") for _ in range(count)]
    for _ in socks:
        assert held.acquire(timeout=PATIENCE)
    return socks


@pytest.mark.threads({"CHANNELS_THREADS": 3, "CHANNELS_THREAD_WAIT": 0.3})
def test_when_every_thread_is_held(
    server: ServerThread, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saturation, "_reported_at", 0.0)
    before = telemetry.counters["threads.refused"]
    assert ask(server.port, "/health")[0].status == 200
    with caplog.at_level(logging.ERROR, "channels.threads"):
        holders = hold_all(server.port, 3)
        waiting = send(server.port, "/quick/")  # it comes before anybody could know
        assert status(waiting) == 503
        response, _ = ask(server.port, "/quick/")
        assert (response.status, response.headers["Retry-After"]) == (503, "10")
        response, body = ask(server.port, "/health")
        assert response.status == 503
        assert body.startswith(b"threads: each of the 3 threads")
        ask(server.port, "/quick/")
    (record,) = [record for record in caplog.records if "no thread left" in record.getMessage()]
    assert "3 of them, as channels-" in record.getMessage()
    assert "in hold" in record.getMessage()
    assert telemetry.counters["threads.refused"] == before + 3
    go_on.set()
    assert [status(holder) for holder in holders] == [200, 200, 200]
    end = time.monotonic() + PATIENCE
    while ask(server.port, "/health")[0].status != 200:
        assert time.monotonic() < end
    assert ask(server.port, "/quick/")[0].status == 200


@pytest.mark.threads({"CHANNELS_THREADS": 3, "CHANNELS_THREAD_WAIT": 0.2, "CHANNELS_SLOW_HANDLER": None})
def test_it_is_logged_although_nobody_waits(
    server: ServerThread, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saturation, "_reported_at", 0.0)
    with caplog.at_level(logging.ERROR, "channels.threads"):
        holders = hold_all(server.port, 3)
        end = time.monotonic() + PATIENCE
        while "no thread left" not in caplog.text:
            assert time.monotonic() < end
            time.sleep(0.01)
    go_on.set()
    assert {status(holder) for holder in holders} == {200}


def test_the_default_bears_a_site_of_slow_pages(server: ServerThread) -> None:
    holders = hold_all(server.port, 40)
    assert ask(server.port, "/quick/")[1] == b"quick"
    assert ask(server.port, "/health")[0].status == 200
    go_on.set()
    assert {status(holder) for holder in holders} == {200}


def test_pages_that_ask_for_pages_of_the_same_server(server: ServerThread) -> None:
    asked = [send(server.port, f"/fetch/{server.port}/") for _ in range(20)]
    assert {status(each) for each in asked} == {200}


@pytest.mark.threads({"CHANNELS_THREADS": 4})
def test_abandoned_streams_of_endless_generators_are_closed(server: ServerThread) -> None:
    for _ in range(9):
        with send(server.port, "/endless/0.001/"):
            assert held.acquire(timeout=PATIENCE)
        assert closed.acquire(timeout=PATIENCE)
    assert ask(server.port, "/quick/")[1] == b"quick"


@pytest.mark.threads({"CHANNELS_THREADS": 1})
@pytest.mark.parametrize("server", ["channels.http"], indirect=True)
def test_a_client_that_does_not_read_holds_no_thread(server: ServerThread) -> None:
    socks = [send(server.port, "/endless/0/") for _ in range(3)]
    for _ in socks:
        assert held.acquire(timeout=PATIENCE)
    assert ask(server.port, "/quick/")[1] == b"quick"
    for sock in socks:
        sock.close()
        assert closed.acquire(timeout=PATIENCE)


def test_a_record_shows_a_few_stacks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STACKS", 0)
    strand_pool = Pool(lambda: 1, name="test")
    text = module.Saturation(strand_pool, lambda: 1.0)._holders()
    assert text == ""


PROGRAM = """
import asyncio, threading, time
import django
from django.conf import settings
settings.configure(SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF="app", INSTALLED_APPS=["daphne"],
                   MIDDLEWARE=[], CHANNELS_THREADS=3)
django.setup()
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

def hold(request):
    print("held\\n", end="", flush=True)
    threading.Event().wait(120)
    return HttpResponse()

async def elsewhere(request):
    print("held\\n", end="", flush=True)
    await asyncio.to_thread(time.sleep, 120)
    return HttpResponse()

urlpatterns = [path("hold/", hold), path("elsewhere/", elsewhere)]
bare = get_asgi_application()
ours = ProtocolTypeRouter({})
djangos = ProtocolTypeRouter({"http": bare})
"""


@pytest.mark.parametrize("abandoned", [False, True])
@pytest.mark.parametrize(
    ("name", "path"), [("ours", "/hold/"), ("djangos", "/hold/"), ("bare", "/hold/"), ("ours", "/elsewhere/")]
)
def test_sigterm_ends_the_process_whatever_threads_do(
    name: str, path: str, abandoned: bool, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    log, port = tmp_path / "log", free_port()
    command = ["daphne", "-p", str(port), "--drain-timeout", "1", f"app:{name}"]
    with served(command, port, folder=tmp_path, log=log, env=environment()) as process:
        socks = [send(port, path) for _ in range(3)]
        end = time.monotonic() + PATIENCE
        while log.read_text().count("held\n") < 3:
            assert time.monotonic() < end
            time.sleep(0.01)
        if abandoned:
            for sock in socks:
                sock.close()
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(PATIENCE) == 0
        # The drain, and two seconds for a machine that is busy.
        assert time.monotonic() - begun < 1 + 2
        for sock in socks:
            sock.close()


def test_settings_are_not_read_for_each_request_while_threads_take_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With many requests at once one or the other always waits, and reading settings takes microseconds."""
    reads: list[float] = []

    def limit() -> float:
        reads.append(time.monotonic())
        return PATIENCE

    threads = Pool(lambda: 1)
    begun, end = threading.Event(), threading.Event()
    Strand(threads).put(lambda: bool(begun.set() or end.wait(PATIENCE)))
    assert begun.wait(PATIENCE)
    try:
        Strand(threads).put(bool)
        assert threads.ready
        for moment, expected in ((PATIENCE, 0), (0, 1)):
            monkeypatch.setattr(module, "MOMENT", moment)
            before = time.monotonic()
            assert before <= module.Saturation(threads, limit).admit() <= time.monotonic()
            assert len(reads) == expected
    finally:
        end.set()
        assert threads.stop(PATIENCE)
