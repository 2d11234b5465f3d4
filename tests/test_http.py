"""The drop-in for Django's ASGI handler: sync pages in one visit to a thread, all else as documented.

Longer than other files: it is the test of one module, over one site of pages.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.handlers.asgi import ASGIHandler as DjangoHandler
from django.core.signals import request_finished, request_started
from django.db import connections
from django.http import HttpResponse
from django.test import override_settings

from channels import http as ours
from channels.http import ASGIHandler, get_asgi_application
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.sync.call import ThreadCall
from channels.sync.context import SyncContext, pool
from channels.testing import HttpCommunicator
from tests.support import pages
from tests.support.hops import counted_hops

PATIENCE = 30
SITE = {
    "ROOT_URLCONF": "tests.support.pages",
    "MIDDLEWARE": ["tests.support.pages.SyncOnly"],
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
}


class Site:
    """A served site, and a client."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(
        self, path: str, method: str = "GET", **kwargs: Any
    ) -> tuple[http.client.HTTPResponse, bytes]:
        client = http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)
        client.request(method, path, **kwargs)
        response = client.getresponse()
        body = response.read()
        client.close()
        return response, body

    def get(self, path: str) -> Any:
        return json.loads(self.request(path)[1])

    def abandon(self, path: str) -> None:
        """Ask, and leave once the view has begun."""
        client = http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)
        client.request("GET", path)
        assert pages.begun.wait(PATIENCE)
        client.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    pages.seen.clear()
    pages.begun.clear()
    pages.go_on.clear()
    with ExitStack() as stack:
        stack.callback(pool.stop, PATIENCE)

        def start(application: Any = get_asgi_application, **settings: Any) -> Site:
            stack.enter_context(override_settings(**{**SITE, **settings}))
            server = stack.enter_context(ServerThread(application(), drain_timeout=5))
            stack.callback(pages.go_on.set)
            return Site(server.port)

        yield start


def until(*expected: Any) -> None:
    """Wait until the views have seen this."""
    end = time.monotonic() + PATIENCE
    while not set(expected) <= set(pages.seen):
        assert time.monotonic() < end, pages.seen
        time.sleep(0.005)


def test_it_is_djangos_handler() -> None:
    application = get_asgi_application()
    assert isinstance(application, DjangoHandler)
    assert isinstance(application, ASGIHandler)


@pytest.mark.parametrize("application", [get_asgi_application, lambda: ProtocolTypeRouter({})])
def test_sync_views_run_in_the_pool(application: Any, serve: Any) -> None:
    found = serve(application).get("/where/")
    assert found["loop"] is False
    assert found["thread"].startswith("channels-")
    assert found["kind"] == "ASGIRequest"


@pytest.mark.parametrize("path", ["/awhere/", "/async-class/"])
def test_async_views_run_in_the_loop(path: str, serve: Any) -> None:
    assert serve().get(path)["loop"] is True


def test_a_sync_page_is_one_visit_and_no_task(serve: Any) -> None:
    """What must not creep back: Django's handler makes some ten journeys and three tasks for this page."""
    site, visits, tasks = serve(), [], []
    visit, create = ThreadCall, asyncio.BaseEventLoop.create_task
    with (
        mock.patch.object(ours, "ThreadCall", lambda *args: visits.append(args) or visit(*args)),
        mock.patch.object(asyncio, "ensure_future", lambda *args: tasks.append(args)),
        counted_hops() as hops,
    ):
        site.get("/where/")
    assert (len(visits), hops, tasks) == (1, [], [])
    assert create is asyncio.BaseEventLoop.create_task


def test_the_middleware_is_made_once_for_each_kind_of_view(serve: Any) -> None:
    pages.SyncOnly.instances = 0
    site = serve(MIDDLEWARE=["tests.support.pages.SyncOnly", "tests.support.pages.both"])
    for path, in_loop in [("/where/", False), ("/where/", False)]:
        response, body = site.request(path)
        assert json.loads(body)["loop"] is in_loop
    assert pages.SyncOnly.instances == 1
    response, body = site.request("/awhere/")
    assert json.loads(body)["loop"] is True
    assert json.loads(response.headers["X-Middleware"]) == {"loop": False}
    assert pages.SyncOnly.instances == 2


def test_middleware_that_is_only_async_keeps_djangos_way(serve: Any) -> None:
    site = serve(MIDDLEWARE=["tests.support.pages.async_only", "tests.support.pages.SyncOnly"])
    response, body = site.request("/where/")
    assert response.headers["X-Async"] == "yes"
    assert json.loads(body)["loop"] is False


def test_one_request_one_thread(serve: Any) -> None:
    """Signals, view and the end of the response: as under WSGI."""
    site, signals = serve(), []

    def note(signal: Any, sender: Any, **kwargs: Any) -> None:
        signals.append((sender, threading.current_thread().name, "scope" in kwargs))

    for signal in (request_started, request_finished):
        signal.connect(note)
    try:
        thread = site.get("/where/")["thread"]
        end = time.monotonic() + PATIENCE
        while len(signals) < 2:
            assert time.monotonic() < end
            time.sleep(0.001)
    finally:
        for signal in (request_started, request_finished):
            signal.disconnect(note)
    assert signals == [(ASGIHandler, thread, True), (ASGIHandler, thread, False)]


def test_the_response_is_sent_before_it_is_closed(serve: Any) -> None:
    assert serve().request("/closes/")[1] == b"sent before it is closed"
    assert pages.begun.wait(PATIENCE)
    assert "closed" not in pages.seen
    pages.go_on.set()
    until("closed")


def test_the_response_is_closed_when_the_server_has_its_bytes(serve: Any) -> None:
    """However long the server takes it, and not for ever: a client that reads slowly holds no thread."""

    class Slow:
        def __init__(self) -> None:
            self.inner = get_asgi_application()

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def send_late(message: Any) -> None:
                if message["type"] == "http.response.body":
                    await asyncio.sleep(0.01)  # a thread that does not wait would be through in a tenth of it
                    pages.seen.append("sent")
                await send(message)

            await self.inner(scope, receive, send_late)

    pages.go_on.set()
    assert serve(Slow).request("/closes/")[1] == b"sent before it is closed"
    until("closed")
    assert pages.seen[-2:] == ["sent", "closed"]


async def test_a_body_that_the_server_does_not_take_holds_no_thread(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.go_on.set()
    monkeypatch.setattr(ours, "SENDING", 0.001)
    taken, closed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(**kwargs: Any) -> None:
        loop.call_soon_threadsafe(closed.set)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await taken.wait()

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "asgi": {},
        "method": "GET",
        "path": "/closes/",
        "headers": [],
        "query_string": b"",
    }
    request_finished.connect(note)
    try:
        with override_settings(**SITE):
            page = asyncio.ensure_future(get_asgi_application()(scope, receive, send))
            await asyncio.wait_for(closed.wait(), PATIENCE)
            assert not page.done()
            taken.set()
            await asyncio.wait_for(page, PATIENCE)
    finally:
        request_finished.disconnect(note)


@pytest.mark.parametrize("application", [get_asgi_application, lambda: ProtocolTypeRouter({})])
def test_a_page_enters_one_context(application: Any, serve: Any) -> None:
    site = serve(application)
    with (
        mock.patch.object(
            ThreadSensitiveContext, "__aenter__", side_effect=AssertionError("a second context")
        ),
        mock.patch.object(SyncContext, "enter", autospec=True, side_effect=SyncContext.enter) as entered,
    ):
        assert site.get("/where/")["loop"] is False
    assert entered.call_count == 1


def test_bodies_headers_and_cookies(serve: Any) -> None:
    site = serve(FILE_UPLOAD_MAX_MEMORY_SIZE=100_000, DATA_UPLOAD_MAX_MEMORY_SIZE=10_000_000)
    response, body = site.request("/echo/", "POST", body=b"hello")
    assert (response.status, body) == (200, b"hello")
    assert response.headers.get_all("Set-Cookie") == ["first=1; Path=/", "second=2; Path=/"]
    large = b"0123456789" * 50_000
    response, body = site.request("/echo/", "POST", body=large)
    assert body == large
    assert response.headers["X-Spooled"] == "True"
    assert (
        site.request("/echo/", "POST", body=iter([b"by ", b"and ", b"by"]), encode_chunked=True)[1]
        == b"by and by"
    )


def test_a_body_larger_than_allowed(serve: Any) -> None:
    site = serve(DATA_UPLOAD_MAX_MEMORY_SIZE=1000)
    assert site.request("/echo/", "POST", body=b"x" * 2000)[0].status == 400


@pytest.mark.parametrize(
    ("size", "where"), [(100, "InMemoryUploadedFile"), (50_000, "TemporaryUploadedFile")]
)
def test_uploads(size: int, where: str, serve: Any) -> None:
    site = serve(FILE_UPLOAD_MAX_MEMORY_SIZE=10_000)
    body = (
        f'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n{"x" * size}\r\n'
        '--B\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n--B--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    _, answer = site.request("/upload/", "POST", body=body.encode(), headers=headers)
    assert json.loads(answer) == {"post": {"field": "value"}, "files": {"file": [size, where]}}


def test_a_client_that_leaves_while_it_sends(serve: Any) -> None:
    site = serve()
    client = http.client.HTTPConnection("localhost", site.port, timeout=PATIENCE)
    client.putrequest("POST", "/echo/")
    client.putheader("Content-Length", "100")
    client.endheaders(b"not a hundred bytes")
    client.close()
    assert site.get("/where/")["loop"] is False


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/error/404/", 404, b"Not Found"),
        ("/error/403/", 403, b"403 Forbidden"),
        ("/error/500/", 418, b"caught"),
        ("/error/none/", 500, b"Server Error"),
        ("/nowhere/", 404, b"Not Found"),
        ("/%ff/", 404, b""),
    ],
)
def test_errors_are_responses(path: str, status: int, text: bytes, serve: Any) -> None:
    response, body = serve().request(path)
    assert response.status == status
    assert text in body


def test_uncaught_errors_are_500(serve: Any) -> None:
    response, body = serve(MIDDLEWARE=[], DEBUG_PROPAGATE_EXCEPTIONS=False).request("/error/500/")
    assert (response.status, b"Server Error" in body) == (500, True)


def test_an_error_that_nobody_turns_into_a_response(serve: Any) -> None:
    site = serve(MIDDLEWARE=[], DEBUG_PROPAGATE_EXCEPTIONS=True)
    assert site.request("/error/500/")[0].status == 500
    assert site.get("/where/")["loop"] is False


def test_a_request_that_cannot_be_understood(serve: Any) -> None:
    class Refusing(ASGIHandler):
        def create_request(self, scope: Any, body_file: Any) -> Any:
            return None, HttpResponse("no", status=400)

    response, body = serve(Refusing).request("/where/")
    assert (response.status, body) == (400, b"no")


def test_template_responses_are_rendered(serve: Any) -> None:
    assert serve().request("/template/")[1] == b"Hello middleware"
    assert "process_view" in pages.seen


def test_sync_streams_are_made_in_one_thread_and_closed(serve: Any) -> None:
    _, body = serve().request("/stream/")
    assert len(body) == 500_000 + 5 * len("0 False ")
    assert [body.find(f"{n} False ".encode()) for n in range(5)] == [n * 100_008 for n in range(5)]
    until("ended")
    assert len({thread for thread in pages.seen if isinstance(thread, threading.Thread)}) == 1


def test_async_streams_run_in_the_loop(serve: Any) -> None:
    assert serve().request("/astream/")[1] == b"0 True 1 True 2 True "


def test_a_stream_that_breaks_off_is_visibly_incomplete(serve: Any) -> None:
    site = serve()
    with pytest.raises(http.client.IncompleteRead):
        site.request("/breaks/")
    assert site.get("/where/")["loop"] is False


def test_a_stream_ends_when_its_client_leaves(serve: Any) -> None:
    site = serve()
    client = http.client.HTTPConnection("localhost", site.port, timeout=PATIENCE)
    client.request("GET", "/endless/")
    response = client.getresponse()
    assert response.read(100_000) == b"x" * 100_000
    response.close()
    client.close()
    until("ended")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/file/", Path(pages.__file__).read_bytes()),
        ("/part-of-a-file/", Path(pages.__file__).read_bytes()[100:]),
        ("/temporary-file/", b"gone when it is closed"),
        ("/file-in-memory/", b"in memory"),
    ],
)
def test_files(path: str, content: bytes, serve: Any) -> None:
    response, body = serve().request(path)
    assert body == content
    assert int(response.headers["Content-Length"]) == len(body)


@pytest.mark.parametrize("kind", [*pages.FILES, "altered"])
def test_a_file_is_sent_as_it_reads_and_to_its_length(kind: str, serve: Any) -> None:
    response, body = serve().request(f"/files/{kind.replace(' ', '%20')}/")
    assert response.status == 200
    assert body == pages.PLAIN


@pytest.mark.parametrize("path", ["/upload/", "/aupload/"])
def test_an_upload_in_chunks_is_parsed(path: str, serve: Any) -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nfive!\r\n'
        b'--B\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n--B--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    parts = iter([body[:60], body[60:]])
    _, answer = serve().request(path, "POST", body=parts, headers=headers, encode_chunked=True)
    assert json.loads(answer) == {"post": {"field": "value"}, "files": {"file": [5, "InMemoryUploadedFile"]}}


def test_an_async_stream_that_breaks_off_is_closed_and_told(serve: Any) -> None:
    site, finished = serve(), threading.Event()

    def note(sender: Any, **kwargs: Any) -> None:
        finished.set()

    request_finished.connect(note)
    try:
        with pytest.raises(http.client.IncompleteRead):
            site.request("/abreaks-async/")
        assert finished.wait(PATIENCE)
    finally:
        request_finished.disconnect(note)
    until("closed")


@pytest.mark.parametrize(("path", "by_path"), [("/file/", True), ("/part-of-a-file/", False)])
async def test_a_server_that_reads_files_is_told_which(path: str, by_path: bool) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"} if not sent else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    with override_settings(**SITE):
        communicator = HttpCommunicator(get_asgi_application(), "GET", path)
        scope = {**communicator.scope, "asgi": {}, "extensions": {"http.response.pathsend": {}}}
        await communicator.application(scope, receive, send)
    named = {"type": "http.response.pathsend", "path": pages.__file__}
    assert (sent[1:] == [named]) is by_path


def test_static_files_on_top(serve: Any) -> None:
    def application() -> Any:
        return ASGIStaticFilesHandler(get_asgi_application())

    site = serve(application, STATICFILES_DIRS=[str(Path(__file__).parent)])
    assert site.request("/static/support/pages.py")[1] == Path(pages.__file__).read_bytes()
    assert site.get("/where/")["loop"] is False


def test_async_code_inside_a_sync_view(serve: Any) -> None:
    assert serve(CHANNELS_THREADS=1).get("/inside/") == [True, True]


def test_language_and_urlconf_are_the_requests_own(serve: Any) -> None:
    site = serve(CHANNELS_THREADS=1, LANGUAGE_CODE="en-us", USE_I18N=True)
    for code in ("de", "fr"):
        assert site.get(f"/language/{code}/") == ["en-us", "tests.support.pages", code]


def test_atomic_requests(serve: Any, django_db_blocker: Any) -> None:
    with mock.patch.dict(connections.settings["default"], ATOMIC_REQUESTS=True), django_db_blocker.unblock():
        site = serve(MIDDLEWARE=[])
        assert site.get("/atomic/") is True
        # Django's own rule.
        assert site.request("/awhere/")[0].status == 500


def test_the_database_is_out_of_bounds_in_the_loop(serve: Any, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        assert serve().request("/forbidden/")[1] == b"SynchronousOnlyOperation"


def test_an_async_view_is_cancelled_when_its_client_leaves(serve: Any) -> None:
    serve().abandon("/patient/")
    until("cancelled")


def test_a_sync_view_runs_to_its_end_when_its_client_leaves(serve: Any) -> None:
    serve().abandon("/blocking/")
    pages.go_on.set()
    until("to its end", "closed")


def test_a_view_that_blocks_delays_no_other_page(serve: Any) -> None:
    site = serve(CHANNELS_THREADS=2)
    blocked = threading.Thread(target=site.request, args=("/blocking/",))
    blocked.start()
    assert pages.begun.wait(PATIENCE)
    assert site.get("/where/")["loop"] is False
    assert site.get("/awhere/")["loop"] is True
    assert "to its end" not in pages.seen
    pages.go_on.set()
    until("to its end")
    blocked.join(PATIENCE)


def test_a_changed_urlconf_is_noticed(serve: Any) -> None:
    site = serve()
    assert site.get("/awhere/")["loop"] is True
    with override_settings(ROOT_URLCONF="tests.urls"):
        assert site.request("/awhere/")[0].status == 404


def test_it_can_be_mounted_below_a_path() -> None:
    async def ask(path: str) -> Any:
        communicator = HttpCommunicator(get_asgi_application(), "GET", path)
        communicator.scope["root_path"] = "/below"
        return json.loads((await communicator.get_response(PATIENCE))["body"])

    with override_settings(**SITE):
        assert asyncio.run(ask("/below/awhere/"))["loop"] is True
        assert asyncio.run(ask("/below/where/"))["loop"] is False


async def test_under_a_communicator_it_runs_where_the_tests_database_is() -> None:
    thread = await SyncToAsync(threading.current_thread)()
    with override_settings(**SITE):
        response = await HttpCommunicator(get_asgi_application(), "GET", "/where/").get_response(PATIENCE)
    found = json.loads(response["body"])
    assert found["loop"] is False
    assert found["thread"] != threading.current_thread().name
    assert thread.name.startswith("ThreadPoolExecutor")
    assert found["thread"].startswith("ThreadPoolExecutor")


async def test_only_requests() -> None:
    with pytest.raises(ValueError, match="can only handle ASGI/HTTP"):
        await get_asgi_application()({"type": "websocket", "asgi": {}}, None, None)


async def test_servers_may_say_that_the_client_has_gone() -> None:
    """ASGI 2.4: send raises OSError then."""
    pages.seen.clear()
    pages.go_on.set()

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        raise ConnectionResetError("gone")

    with override_settings(**SITE):
        communicator = HttpCommunicator(get_asgi_application(), "GET", "/blocking/")
        await communicator.application({**communicator.scope, "asgi": {}}, receive, send)
    assert pages.seen[-2:] == ["to its end", "closed"]


async def test_a_cancelled_request_closes_its_response() -> None:
    pages.seen.clear()
    pages.begun.clear()
    pages.go_on.clear()

    async def receive(*message: Any) -> Any:
        return {"type": "http.request"}

    with override_settings(**SITE):
        communicator = HttpCommunicator(get_asgi_application(), "GET", "/blocking/")
        scope = {**communicator.scope, "asgi": {}}
        task = asyncio.ensure_future(communicator.application(scope, receive, receive))
        while not pages.begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pages.go_on.set()
        while "closed" not in pages.seen:
            await asyncio.sleep(0.001)
