"""Servers for tests, with Daphne's names.

:class:`DaphneTestingInstance` serves a :class:`TestApplication` from a thread of this
process; :class:`DaphneProcess` serves any application from a process of its own.
"""

from __future__ import annotations

import multiprocessing
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from channels.core.private import PrivateField
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.typing import ASGIApp, Message, Receive, Scope, Send
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from daphne.server import config_of as server_config

#: A test's client is its own proxy: it may say what the first of all proxies would, root path included.
_BELIEVED: dict[str, Any] = {
    "trusted_proxies": ("0.0.0.0/0", "::/0"),
    "root_path_header": True,
    "plain_root_path": False,
}


class BaseDaphneTestingInstance:
    """A server for an application, as a context manager.

    Its clients may leave out the Host header, and say a root path (``Daphne-Root-Path``).

    Args:
        xff: believe X-Forwarded-For, -Port and -Proto.
        http_timeout: seconds; None for no limit.
        request_buffer_size: the largest body in one ``http.request``, in bytes.
        websocket_max_message_size: bytes; 0 for no limit.
        websocket_max_frame_size: bytes; 0 for no limit.
        application_close_timeout: seconds.
        application: what is served; or override :meth:`get_application`.

    Attributes:
        host: where it listens.
        port: likewise, once entered.
        startup_timeout: kept for those who set it; the start is waited for.
    """

    startup_timeout = 2

    def __init__(
        self,
        xff: bool = False,
        http_timeout: float | None = None,
        request_buffer_size: int | None = None,
        websocket_max_message_size: int | None = None,
        websocket_max_frame_size: int | None = None,
        application_close_timeout: float | None = None,
        *,
        application: ASGIApp | None = None,
    ) -> None:
        self.xff = xff
        self.host = "127.0.0.1"
        self.port = 0
        self.application = application
        self.http_timeout = http_timeout
        self.request_buffer_size = request_buffer_size
        self.websocket_max_message_size = websocket_max_message_size
        self.websocket_max_frame_size = websocket_max_frame_size
        _close_timeout.set(self, application_close_timeout)

    def get_application(self) -> ASGIApp:
        """Return what is served."""
        if self.application is None:
            raise ValueError("Give an application=, or override get_application().")
        return self.application

    def process_setup(self) -> None:
        """Called before the server starts."""

    def process_teardown(self) -> None:
        """Called after the server has stopped."""

    def get_received(self) -> Any:
        """Return what the application received; only some instances know."""
        raise NotImplementedError(
            "This instance serves an application that does not record what it receives."
        )

    def __enter__(self) -> Any:
        self.process_setup()
        thread = ServerThread.of(config_of(self), host=self.host)
        thread.start()
        _thread.set(self, thread)
        self.port = thread.port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (thread := _thread.get(self)) is not None:
            thread.stop()
            _thread.set(self, None)
        self.process_teardown()


#: What runs the server of an instance that is entered.
_thread: PrivateField[ServerThread | None] = PrivateField("thread", None)
_close_timeout: PrivateField[float | None] = PrivateField("application_close_timeout", None)
_PROXY_HEADERS: dict[str, Any] = {
    "proxy_forwarded_address_header": "X-Forwarded-For",
    "proxy_forwarded_port_header": "X-Forwarded-Port",
    "proxy_forwarded_proto_header": "X-Forwarded-Proto",
}


def config_of(instance: BaseDaphneTestingInstance) -> Config:
    """Return what the server of ``instance`` is to be like."""
    told: dict[str, Any] = {
        "http_timeout": instance.http_timeout,
        "request_buffer_size": instance.request_buffer_size,
        "websocket_max_message_size": instance.websocket_max_message_size,
        "websocket_max_frame_size": instance.websocket_max_frame_size,
        "application_close_timeout": _close_timeout.get(instance),
    }
    server = Server(
        application=instance.get_application(),
        endpoints=build_endpoint_description_strings(host=instance.host, port=0),
        require_host=False,
        drain_timeout=0.0,  # a test that ends waits for no client
        # A recorder would record the lifespan's scope and wait for messages that no test gave it.
        lifespan="off",
        **_BELIEVED,
        **{name: value for name, value in told.items() if value is not None},
        **(_PROXY_HEADERS if instance.xff else {}),
    )
    return server_config(server)


class DaphneTestingInstance(BaseDaphneTestingInstance):
    """A server for a :class:`TestApplication`: say what it answers, ask what it received."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lock = threading.Lock()
        super().__init__(*args, **{"application": TestApplication(lock=self.lock), **kwargs})

    def __enter__(self) -> Any:
        TestApplication.delete_setup()
        TestApplication.delete_result()
        return super().__enter__()

    def add_send_messages(self, messages: list[Message]) -> None:
        """Say what the application sends after the next event, whichever scope that is of."""
        TestApplication.delete_result()
        TestApplication.save_setup(messages)

    def get_received(self) -> tuple[Scope, list[Message]]:
        """Return the last scope and the events that came for it.

        Raises:
            Exception: what the application was refused or failed with.
        """
        if (thread := _thread.get(self)) is not None:
            thread.settle()
        result = TestApplication.load_result()
        if "exception" in result:
            raise result["exception"]
        return result["scope"], result["messages"]


#: What the application is to send, and what it has received: the same for the test and the server.
_setup: list[Message] = []
_result: dict[str, Any] = {}


class TestApplication:
    """Records its scope and events, and sends after each event what it has been told to since.

    Setup and results belong to all instances, so that the test and the server find the same.

    Args:
        lock: held while they are read and written.
    """

    __test__ = False  # its name looks like a test's to pytest

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.messages: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record and answer until the end."""
        try:
            await play(self, scope, receive, send)
        except Exception as error:
            with self.lock:
                self.save_exception(error)
            raise

    @classmethod
    def save_setup(cls, response_messages: list[Message]) -> None:
        """Keep what is to be sent."""
        _setup[:] = response_messages

    @classmethod
    def load_setup(cls) -> dict[str, list[Message]]:
        """Return what is to be sent, as ``response_messages``."""
        return {"response_messages": list(_setup)}

    @classmethod
    def save_result(cls, scope: Scope, messages: list[Message]) -> None:
        """Keep what was received."""
        _keep({"scope": scope, "messages": messages})

    @classmethod
    def save_exception(cls, exception: Exception) -> None:
        """Keep what went wrong."""
        _keep({"exception": exception})

    @classmethod
    def load_result(cls) -> dict[str, Any]:
        """Return what was received, as ``scope`` and ``messages``, or what went wrong, as ``exception``.

        Raises:
            ValueError: nothing was received.
        """
        if not _result:
            raise ValueError("No results: the application received nothing. Did the request reach it?")
        return dict(_result)

    @classmethod
    def delete_setup(cls) -> None:
        """Forget what is to be sent."""
        _setup.clear()

    @classmethod
    def delete_result(cls) -> None:
        """Forget what was received."""
        _result.clear()


def _keep(result: dict[str, Any]) -> None:
    _result.clear()
    _result.update(result)


async def play(application: TestApplication, scope: Scope, receive: Receive, send: Send) -> None:
    """Record the events of one scope, and send after each what has been set up since."""
    messages: list[Message] = []
    while True:
        messages.append(await receive())
        with application.lock:
            application.save_result(scope, list(messages))
            if messages[-1]["type"].endswith(".disconnect"):
                return
            answers = application.load_setup()["response_messages"]
            application.delete_setup()
        for answer in answers:
            await send(answer)


class DaphneProcess(multiprocessing.Process):
    """A server in a process of its own.

    Args:
        host: where it listens.
        get_application: called in the process; returns the application. Where processes
            are spawned it must be picklable, as all of these.
        kwargs: keywords of :class:`daphne.server.Server`.
        setup: called in the process before anything else.
        teardown: called in it after the server has stopped.
        port: None or 0 for one that is free.

    Attributes:
        ready: an Event that is set once it listens.
        port: a Value that holds the port then.
        errors: a Queue that gets (exception, traceback) if it cannot serve.
    """

    def __init__(
        self,
        host: str,
        get_application: Callable[[], ASGIApp],
        kwargs: dict[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[[], Any] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__()
        self.host = host
        self.get_application = get_application
        self.kwargs = kwargs or {}
        self.setup = setup
        self.teardown = teardown
        self.port = multiprocessing.Value("i", port or 0)
        self.ready = multiprocessing.Event()
        self.errors: Any = multiprocessing.Queue()
        self.server: Server | None = None

    def run(self) -> None:
        """Serve, in the process."""
        try:
            if self.setup is not None:
                self.setup()
            endpoints = build_endpoint_description_strings(host=self.host, port=self.port.value)
            self.server = Server(
                application=self.get_application(),
                endpoints=endpoints,
                ready_callable=self.resolve_port,
                **{"signal_handlers": False, **self.kwargs},
            )
            self.server.run()
            if self.server.abort_start:
                raise RuntimeError(self.server.abort_reason)
            if self.teardown is not None:
                self.teardown()
        except Exception as error:
            self.errors.put((error, traceback.format_exc()))

    def resolve_port(self) -> None:
        """Tell the parent where it listens."""
        if self.server is not None:
            self.port.value = self.server.listening_addresses[0][1]
            self.ready.set()


def _reinstall_reactor() -> None:
    """Do nothing: a forked process has no reactor of its parent's to get rid of.

    Test suites call it, by this name, in the process of a server.
    """
