"""Whatever a subclass calls its methods and attributes, its class works.

``names.json`` says what the originals have: ``tests/compat/names/inspection.py`` has looked. The names of our
own machinery are not among them and belong to whoever subclasses, so each of them is used here for
something else, as a method and as an attribute.
"""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.handlers.asgi import ASGIHandler as DjangoHandler
from django.db.utils import ConnectionHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.functional import LazyObject

from channels.consumer import AsyncConsumer
from channels.layers import get_channel_layer
from channels.server.in_thread import ServerThread
from channels.testing import HttpCommunicator, WebsocketCommunicator, live
from tests.compat.echoes import IN_MEMORY, TIMEOUT, Echo, SyncEcho, connected, said
from tests.compat.names.inspection import CLASSES, attributes_of, find, used

TABLE = json.loads((Path(__file__).parent / "names.json").read_text())

#: What the originals put on an instance only while it serves.
WHILE_SERVING = {"channel_receive", "connections", "port", "server"}
#: What is new here, documented and a subclass's own if it wants the name.
NEW = {
    "channels.generic.websocket": {"websocket_send"},
    "channels.routing.URLRouter": {"describe", "reverse"},
    "channels.worker.Worker": {"max_restart_delay", "restart_delay", "shutdown_timeout", "stop"},
    "daphne.cli.CommandLineInterface": {"prog"},
    "daphne.server.Server": {"abort_reason", "config", "stop"},
}
#: Django's, of which users subclass ours.
HANDLER = "channels.http.ASGIHandler"
#: Names that machinery had once, on one class or another: none of them comes back.
FORMER = """
_acknowledge _action_logger _add_static_arguments _announce _answer _application _async_twin _backend_class
_call _call_handler _cancel _close_timeout _compile _compiled _compiled_table _config _describe _dispatch
_dispatches_itself _django _drain _endpoints _enter _expect _fitting _give_up _inbox _is_async _is_plain
_keep_listening _key _keywords _leads_to_async_view _leave_layer _listen_to_layer _listen_to_server
_listening _lock _loop _made _mailbox _make _make_application _make_server _messages _netloc _not_found
_on_what _open_access_log _passes_broadcasts_on _play _record _report _result _routes _run _run_application
_run_once _save_and_send _sent _serve _serve_static_over_wsgi _server _server_keywords _session _set_cookie
_set_up_logging _setup _signals _start _state _stopping _store _stream _sync_capable _table _take _task
_thread _tick _to_save _try_each _unacknowledged _urlconf _wait_handled _worker answered describe handler
inbox layer mailbox options passes remedy supervisor_link state table thread whole
""".split()  # noqa: SIM905


#: What asgiref gives to its objects, by the version of Python.
BY_VERSION = {"_is_coroutine_marker"}


def names_of_others(cls: type) -> set[str]:
    """What the classes of Python, asgiref and Django below ``cls`` define; they differ by version."""
    others = [base for base in cls.__mro__ if base.__module__.partition(".")[0] not in ("channels", "daphne")]
    return {name for base in others for name in vars(base)}


def new_names(dotted: str) -> set[str]:
    return NEW.get(dotted, NEW.get(dotted.rpartition(".")[0], set()))


def free_names(dotted: str) -> list[str]:
    """Names that a subclass may use as it likes: the original's class has none of them."""
    known = attributes_of(DjangoHandler) if dotted == HANDLER else TABLE["classes"][dotted]
    return sorted({*FORMER, *new_names(dotted)} - set(known))


def never(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise AssertionError("A method of the user's own was called by machinery.")


def with_methods(dotted: str, base: Any = None) -> Any:
    base = base or find(dotted)
    return type(base.__name__, (base,), dict.fromkeys(free_names(dotted), never))


def with_class_attributes(dotted: str, base: Any = None) -> Any:
    base = base or find(dotted)
    return type(base.__name__, (base,), dict.fromkeys(free_names(dotted), ...))


def with_instance_attributes(dotted: str, base: Any = None) -> Any:
    base = base or find(dotted)

    own: Any

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        vars(self).update(dict.fromkeys(free_names(dotted), "mine"))
        super(own, self).__init__(*args, **kwargs)
        vars(self).update(dict.fromkeys(free_names(dotted), "mine"))

    own = type(base.__name__, (base,), {"__init__": __init__})
    return own


@pytest.fixture(params=[with_methods, with_class_attributes, with_instance_attributes])
def own(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a subclass that uses all these names."""
    make: Callable[..., Any] = request.param
    return make


# --- by inspection ---------------------------------------------------------------------------------------


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
def test_no_class_has_a_name_that_the_original_lacks() -> None:
    instances = async_to_sync(used)()
    extra = {}
    for dotted in CLASSES:
        ours = attributes_of(find(dotted), *([instances[dotted]] if dotted in instances else []))
        known = set(TABLE["classes"][dotted]) | WHILE_SERVING | new_names(dotted)
        if dotted == "channels.testing.ApplicationCommunicator":
            known.add("_future")  # asgiref's own
        known |= BY_VERSION | names_of_others(find(dotted))
        names = {name for name in ours - known if name.isidentifier()}
        if names:
            extra[dotted] = names
    assert extra == {}


def test_the_handler_of_pages_has_no_name_that_djangos_lacks() -> None:
    ours, djangos = find(HANDLER), DjangoHandler
    extra = attributes_of(ours, ours()) - attributes_of(djangos, djangos())
    assert {name for name in extra if name.isidentifier()} == set()


async def test_the_handler_of_pages(own: Callable[..., Any]) -> None:
    handler = own(HANDLER)()
    for view in (sync_page, async_page, streamed_page):
        with override_settings(ROOT_URLCONF=(path("page/", view),)):
            http = HttpCommunicator(handler, "GET", "/page/")
            response = await http.get_response(timeout=TIMEOUT)
            assert (response["status"], response["body"]) == (200, b"page")


def sync_page(request: Any) -> HttpResponse:
    return HttpResponse(b"page")


async def async_page(request: Any) -> HttpResponse:
    return HttpResponse(b"page")


def streamed_page(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"pa", b"ge"]))


# --- consumers -------------------------------------------------------------------------------------------


def talks(base: Any) -> Any:  # noqa: C901
    """A consumer that echoes frames and passes a group's messages on, sync or async, text or JSON."""
    if issubclass(base, find("channels.generic.websocket.JsonWebsocketConsumer")):

        class SyncJson(base):
            groups = ["all"]

            def receive_json(self, content: Any, **kwargs: Any) -> None:
                self.send_json(content)

            def told(self, event: Any) -> None:
                self.send_json(event["text"])

        return SyncJson
    if issubclass(base, find("channels.generic.websocket.AsyncJsonWebsocketConsumer")):

        class AsyncJson(base):
            groups = ["all"]

            async def receive_json(self, content: Any, **kwargs: Any) -> None:
                await self.send_json(content)

            async def told(self, event: Any) -> None:
                await self.send_json(event["text"])

        return AsyncJson
    if issubclass(base, find("channels.generic.websocket.WebsocketConsumer")):

        class Sync(base):
            groups = ["all"]

            def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
                self.send(text_data=text_data)

            def told(self, event: Any) -> None:
                self.send(text_data=json.dumps(event["text"]))

        return Sync

    class Async(base):
        groups = ["all"]

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await self.send(text_data=text_data)

        async def told(self, event: Any) -> None:
            await self.send(text_data=json.dumps(event["text"]))

    return Async


@pytest.mark.parametrize(
    "dotted", [name for name in CLASSES if name.startswith("channels.generic.websocket")]
)
@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_websocket_consumers(own: Callable[..., Any], dotted: str) -> None:
    consumer = own(dotted, talks(find(dotted)))
    socket = await connected(consumer.as_asgi())
    await socket.send_json_to(["x"])
    assert await socket.receive_json_from(timeout=TIMEOUT) == ["x"]
    layer: Any = get_channel_layer()
    await layer.group_send("all", {"type": "told", "text": "to all"})
    assert await socket.receive_json_from(timeout=TIMEOUT) == "to all"
    await socket.disconnect(timeout=TIMEOUT)
    assert not layer.groups


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_bare_consumers(own: Callable[..., Any]) -> None:
    class Async(AsyncConsumer):
        async def test_ping(self, message: Any) -> None:
            await self.send({"type": "test.pong", "channel": self.channel_name})

    class Sync(find("channels.consumer.SyncConsumer")):  # type: ignore[misc]
        def test_ping(self, message: Any) -> None:
            self.send({"type": "test.pong", "channel": self.channel_name})

    for dotted, base in (
        ("channels.consumer.AsyncConsumer", Async),
        ("channels.consumer.SyncConsumer", Sync),
    ):
        communicator = find("channels.testing.ApplicationCommunicator")(
            own(dotted, base).as_asgi(), {"type": "test"}
        )
        await communicator.send_input({"type": "test.ping"})
        answer = await communicator.receive_output(timeout=TIMEOUT)
        layer: Any = get_channel_layer()
        await layer.send(answer["channel"], {"type": "test.ping"})
        assert await communicator.receive_output(timeout=TIMEOUT) == answer
        communicator.stop()


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_http_consumers(own: Callable[..., Any]) -> None:
    class Async(find("channels.generic.http.AsyncHttpConsumer")):  # type: ignore[misc]
        async def handle(self, body: bytes) -> None:
            await self.send_headers(status=202)
            await self.send_body(b"a", more_body=True)
            await self.send_body(b"b")

    class Sync(find("channels.generic.http.HttpConsumer")):  # type: ignore[misc]
        def handle(self, body: bytes) -> None:
            self.send_response(202, b"ab")

    for base in (Async, Sync):
        consumer = own("channels.generic.http.AsyncHttpConsumer", base)
        http = HttpCommunicator(consumer.as_asgi(), "POST", "/", b"x")
        response = await http.get_response(timeout=TIMEOUT)
        assert (response["status"], response["body"]) == (202, b"ab")
        await http.wait(timeout=TIMEOUT)


def test_served_consumers(own: Callable[..., Any]) -> None:
    """Over sockets: handlers in threads, and a call of the database bridge from an async one."""
    bridge = own("channels.db.DatabaseSyncToAsync")

    class Page(find("channels.generic.http.AsyncHttpConsumer")):  # type: ignore[misc]
        async def handle(self, body: bytes) -> None:
            await self.send_response(200, await bridge(lambda: b"from a thread")())

    class SyncPage(find("channels.generic.http.HttpConsumer")):  # type: ignore[misc]
        def handle(self, body: bytes) -> None:
            self.send_response(200, b"from a thread")

    for base in (Page, SyncPage):
        application = own("channels.generic.http.AsyncHttpConsumer", base).as_asgi()
        with ServerThread(application, lifespan="off") as server:
            assert fetch(server.url) == b"from a thread"


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        body: bytes = response.read()
    return body


# --- middleware and routers --------------------------------------------------------------------------------


@pytest.mark.parametrize("consumer", [Echo, SyncEcho])
async def test_middleware_and_routers(own: Callable[..., Any], consumer: Any) -> None:
    router = own("channels.routing.URLRouter")
    inner = router([path("inner/", consumer.as_asgi())])
    application: Any = own("channels.middleware.BaseMiddleware")(router([path("outer/", inner)]))
    application = own("channels.auth.AuthMiddleware")(application)
    application = own("channels.sessions.SessionMiddleware")(application)
    application = own("channels.sessions.CookieMiddleware")(application)
    application = own("channels.security.websocket.OriginValidator")(application, ["*"])
    application = own("channels.routing.ProtocolTypeRouter")({"websocket": application})
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
        assert await said(application, path="/outer/inner/") == "x"
        with pytest.raises(ValueError, match="No route found"):
            await WebsocketCommunicator(application, "/elsewhere/").connect(timeout=TIMEOUT)


async def test_the_manager_of_layers(own: Callable[..., Any]) -> None:
    with override_settings(CHANNEL_LAYERS=IN_MEMORY):
        layer = own("channels.layers.ChannelLayerManager")()["default"]
        name = await layer.new_channel()
        await layer.send(name, {"type": "x"})
        assert await layer.receive(name) == {"type": "x"}


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
async def test_the_users_object_of_a_scope(own: Callable[..., Any]) -> None:
    base = find("channels.auth.UserLazyObject")
    lazy = own("channels.auth.UserLazyObject") if own is not with_instance_attributes else base

    class Own(find("channels.auth.AuthMiddleware")):  # type: ignore[misc]
        def populate_scope(self, scope: Any) -> None:
            scope["user"] = lazy()
            with pytest.raises(ValueError, match="before it is ready"):
                _ = scope["user"].is_authenticated

    async def application(scope: Any, receive: Any, send: Any) -> Any:
        return scope["user"]

    middleware = find("channels.sessions.SessionMiddlewareStack")(Own(application))
    user = await middleware({"type": "websocket", "headers": []}, None, None)
    assert (type(user), user.is_anonymous) == (lazy, True)


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
async def test_the_sessions_object_of_a_scope() -> None:
    base = find("channels.sessions.SessionLazyObject")
    names = dict.fromkeys([*FORMER, "make", "held"], never)
    session = type("Own", (base,), names)(SessionStore, None)
    session["name"] = "ada"
    assert (session["name"], session.modified, isinstance(session, SessionStore)) == ("ada", True, True)
    assert set(dir(base)) - {*dir(LazyObject), "__slots__"} == set()


async def test_a_refused_origin(own: Callable[..., Any]) -> None:
    application = own("channels.security.websocket.OriginValidator")(Echo.as_asgi(), ["a.com"])
    socket = WebsocketCommunicator(application, "/", headers=[(b"origin", b"http://b.com")])
    assert not (await socket.connect(timeout=TIMEOUT))[0]


async def test_the_http_default_of_the_router(own: Callable[..., Any]) -> None:
    router = own("channels.routing.ProtocolTypeRouter")({})
    response = await HttpCommunicator(router, "GET", "/nowhere").get_response(timeout=TIMEOUT)
    assert response["status"] == 404


async def test_the_router_of_channel_names(own: Callable[..., Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> str:
        return "reached"

    router = own("channels.routing.ChannelNameRouter")({"mail": application})
    assert await router({"type": "channel", "channel": "mail"}, None, None) == "reached"


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
async def test_the_wrapper_of_sessions(own: Callable[..., Any]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    wrapper = own("channels.sessions.InstanceSessionWrapper")({"cookies": {}}, send)
    await wrapper.resolve_session()
    wrapper.scope["session"]["name"] = "ada"
    await wrapper.send({"type": "http.response.start", "status": 200})
    ((name, cookie),) = sent[0]["headers"]
    assert name == b"Set-Cookie"
    key = cookie.split(b";")[0].split(b"=", 1)[1].decode()
    assert SessionStore(key)["name"] == "ada"


async def test_the_denier(own: Callable[..., Any]) -> None:
    denier = own("channels.security.websocket.WebsocketDenier")
    assert (await WebsocketCommunicator(denier.as_asgi(), "/").connect(timeout=TIMEOUT))[0] is False


# --- tests, workers ----------------------------------------------------------------------------------------


async def test_communicators(own: Callable[..., Any]) -> None:
    socket = own("channels.testing.WebsocketCommunicator")(Echo.as_asgi(), "/")
    assert (await socket.connect(timeout=TIMEOUT))[0]
    await socket.send_to(text_data="x")
    assert await socket.receive_from(timeout=TIMEOUT) == "x"
    assert await socket.receive_nothing()
    with pytest.raises(asyncio.TimeoutError):
        await socket.receive_output(timeout=0.01)

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for number in range(2):
            await send({"type": "http.response.start", "status": 200 + number})
            await send({"type": "http.response.body", "body": b"x"})

    http = own("channels.testing.HttpCommunicator")(page, "GET", "/")
    for number in range(2):
        assert (await http.get_response(timeout=TIMEOUT))["status"] == 200 + number


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_the_worker(own: Callable[..., Any]) -> None:
    handled: asyncio.Queue[Any] = asyncio.Queue()

    class Mail(AsyncConsumer):
        async def mail_send(self, message: Any) -> None:
            await handled.put(message["number"])

    class Fails(find("channels.worker.Worker")):  # type: ignore[misc]
        failed = False

        async def listener(self, channel: str) -> None:
            if not self.failed:
                self.failed = True
                raise ValueError("once")
            await super().listener(channel)

    layer: Any = get_channel_layer()
    worker = own("channels.worker.Worker", Fails)(Mail.as_asgi(), ["mail"], layer)
    task = asyncio.ensure_future(worker.handle())
    for number in range(2):
        await layer.send("mail", {"type": "mail.send", "number": number})
        assert await asyncio.wait_for(handled.get(), TIMEOUT) == number
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.django_db(transaction=True)
@override_settings(ASGI_APPLICATION="tests.compat.names.test_names.hello")
def test_the_live_server(own: Callable[..., Any]) -> None:
    case = own("channels.testing.ChannelsLiveServerTestCase")
    case.setUpClass()
    try:
        test = object.__new__(case)
        assert fetch(test.live_server_url) == b"hello"
        assert test.live_server_ws_url.startswith("ws://")
    finally:
        case.tearDownClass()
        case.doClassCleanups()


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


# --- daphne ----------------------------------------------------------------------------------------------


def test_the_server(own: Callable[..., Any]) -> None:
    ready = threading.Event()
    base = find("daphne.server.Server")
    server = own("daphne.server.Server")(
        hello,
        ["tcp:port=0:interface=127.0.0.1"],
        signal_handlers=False,
        ready_callable=ready.set,
        lifespan="off",
        drain_timeout=0.1,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(TIMEOUT)
    ((host, port),) = server.listening_addresses
    assert fetch(f"http://{host}:{port}/") == b"hello"
    assert isinstance(server.connections, dict)
    base.stop(server)
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_a_server_that_cannot_listen(own: Callable[..., Any]) -> None:
    server = own("daphne.server.Server")(hello, ["fd:fileno=987"], lifespan="off")
    server.run()
    assert server.abort_start


def test_the_command_line(own: Callable[..., Any], tmp_path: Path) -> None:
    class Recorder:
        def __init__(self, **keywords: Any) -> None:
            self.keywords = keywords

        def run(self) -> None:
            """Serve nobody."""

    interface = own("daphne.cli.CommandLineInterface")()
    interface.server_class = Recorder
    log = tmp_path / "access.log"
    interface.run(
        ["-p", "8001", "--proxy-headers", "--access-log", str(log), "tests.compat.names.test_names:hello"]
    )
    keywords = interface.server.keywords
    assert keywords["endpoints"] == ["tcp:port=8001:interface=127.0.0.1"]
    assert keywords["proxy_forwarded_address_header"] == "X-Forwarded-For"


@override_settings(ASGI_APPLICATION="tests.compat.names.test_names.hello")
def test_runserver(own: Callable[..., Any]) -> None:
    made: list[Any] = []

    class Recorder:
        def __init__(self, **keywords: Any) -> None:
            made.append(keywords)

        def run(self) -> None:
            made[0]["ready_callable"]()

    dotted = "daphne.management.commands.runserver.Command"
    command = own(dotted)()
    command.server_cls = Recorder
    command.check_migrations = command.check = lambda **kwargs: None
    parser = command.create_parser("manage.py", "runserver")
    options = vars(parser.parse_args(["127.0.0.1:8001", "--noreload", "--skip-checks"]))
    command.handle(options.pop("addrport"), **{**options, "addrport": "127.0.0.1:8001"})
    assert made[0]["endpoints"] == ["tcp:port=8001:interface=127.0.0.1"]


def test_servers_for_tests(own: Callable[..., Any]) -> None:
    with own("daphne.testing.DaphneTestingInstance")(http_timeout=5) as instance:
        instance.add_send_messages(
            [
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]},
                {"type": "http.response.body", "body": b"hello"},
            ]
        )
        assert fetch(f"http://{instance.host}:{instance.port}/x") == b"hello"
        assert instance.get_received()[0]["path"] == "/x"
    application = own("daphne.testing.TestApplication")
    with find("daphne.testing.BaseDaphneTestingInstance")(
        application=application(threading.Lock())
    ) as instance:
        application.save_setup(
            [{"type": "http.response.start", "status": 204}, {"type": "http.response.body"}]
        )
        assert fetch(f"http://{instance.host}:{instance.port}/") == b""


@pytest.fixture
def process() -> Iterator[Any]:
    case = live.ChannelsLiveServerTestCase
    made = case.ProtocolServerProcess(case.host, say_hello, setup=live.set_database_connection)
    made.start()
    yield made
    made.terminate()
    made.join(TIMEOUT)


def say_hello() -> Any:
    return hello


def test_a_server_process_as_subclasses_of_the_live_server_start_it(process: Any) -> None:
    assert process.ready.wait(TIMEOUT)
    assert fetch(f"http://localhost:{process.port.value}/") == b"hello"


@pytest.mark.parametrize(
    ("name", "told", "used"),
    [("site", None, "test_site"), ("test_site", None, "test_site"), ("site", "own", "own")],
)
def test_the_database_of_a_server_process(
    name: str, told: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "TEST": {"NAME": told}}}
    handler = ConnectionHandler(databases)
    monkeypatch.setattr(live, "connections", handler)
    monkeypatch.setattr(settings, "DATABASES", databases)
    live.set_database_connection()
    assert settings.DATABASES["default"]["NAME"] == handler["default"].settings_dict["NAME"] == used


@override_settings(ASGI_APPLICATION="tests.compat.names.test_names.hello")
def test_the_application_of_a_server_process() -> None:
    class Wrapper:
        def __init__(self, application: Any) -> None:
            self.application = application

    assert live.make_application(static_wrapper=None) is hello
    assert live.make_application(static_wrapper=Wrapper).application is hello


def test_the_loop_of_the_server_takes_work_from_other_threads() -> None:
    from daphne.server import Server, twisted_loop

    with pytest.raises(RuntimeError, match=r"asyncio\.get_running_loop"):
        twisted_loop.create_task(None)
    ready = threading.Event()
    server = Server(
        hello,
        ["tcp:port=0:interface=127.0.0.1"],
        signal_handlers=False,
        ready_callable=ready.set,
        lifespan="off",
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(TIMEOUT)

    async def name_of_thread() -> str:
        return threading.current_thread().name

    future = asyncio.run_coroutine_threadsafe(name_of_thread(), twisted_loop)
    assert future.result(TIMEOUT) == thread.name
    server.stop()
    thread.join(TIMEOUT)
