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
from typing import Any, ClassVar

from channels.server.config import Config
from channels.server.thread import ServerThread
from channels.typing import ASGIApp, Message, Receive, Scope, Send
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server

#: A test's client is its own proxy: it may say what the first of all proxies would, root path included.
_BELIEVED: dict[str, Any] = {
    "trusted_proxies": ("0.0.0.0/0", "::/0"),
    "root_path_header": True,
    "plain_root_path": False,
}


class BaseDaphneTestingInstance:
    """A server for an application, as a context manager.

    Its clients may leave out the Host header.

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
        given = {
            "http_timeout": http_timeout,
            "request_buffer_size": request_buffer_size,
            "websocket_max_message_size": websocket_max_message_size,
            "websocket_max_frame_size": websocket_max_frame_size,
            "application_close_timeout": application_close_timeout,
        }
        self._keywords: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        self._thread: ServerThread | None = None

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

    def _config(self) -> Config:
        if self.xff:
            self._keywords |= {
                "proxy_forwarded_address_header": "X-Forwarded-For",
                "proxy_forwarded_port_header": "X-Forwarded-Port",
                "proxy_forwarded_proto_header": "X-Forwarded-Proto",
            }
        endpoints = build_endpoint_description_strings(host=self.host, port=0)
        server = Server(
            application=self.get_application(),
            endpoints=endpoints,
            require_host=False,
            # A recorder would record the lifespan's scope and wait for messages that no test gave it.
            lifespan="off",
            **{**_BELIEVED, **self._keywords},
        )
        return server.config()

    def __enter__(self) -> Any:
        self.process_setup()
        self._thread = ServerThread.of(self._config(), host=self.host)
        self._thread.start()
        self.port = self._thread.port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        self.process_teardown()


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
        """Say what the application sends, from now on, for each scope."""
        TestApplication.delete_result()
        TestApplication.save_setup(messages)

    def get_received(self) -> tuple[Scope, list[Message]]:
        """Return the last scope and the events that came for it.

        Raises:
            Exception: what the application was refused or failed with.
        """
        if self._thread is not None:
            self._thread.settle()
        return TestApplication.load_result()


class TestApplication:
    """Records its scope and events, and sends what it was told to.

    Setup and results belong to the class, so that the test and the server find the same.

    Args:
        lock: held while they are read and written.
    """

    __test__ = False  # its name looks like a test's to pytest
    _setup: ClassVar[list[Message]] = []
    _result: ClassVar[dict[str, Any]] = {}

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.messages: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive the request, send the answer, record until the end."""
        try:
            await self._play(scope, receive, send)
        except Exception as error:
            with self.lock:
                self.save_exception(error)
            raise

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []
        await self._record(scope, messages, receive)
        while messages[-1].get("more_body", False):
            await self._record(scope, messages, receive)
        with self.lock:
            answers = self.load_setup()
        for answer in answers:
            await send(answer)
        while not messages[-1]["type"].endswith(".disconnect"):
            await self._record(scope, messages, receive)

    async def _record(self, scope: Scope, messages: list[Message], receive: Receive) -> None:
        messages.append(await receive())
        with self.lock:
            self.save_result(scope, list(messages))

    @classmethod
    def save_setup(cls, response_messages: list[Message]) -> None:
        """Keep what is to be sent."""
        TestApplication._setup = list(response_messages)

    @classmethod
    def load_setup(cls) -> list[Message]:
        """Return what is to be sent."""
        return list(TestApplication._setup)

    @classmethod
    def save_result(cls, scope: Scope, messages: list[Message]) -> None:
        """Keep what was received."""
        TestApplication._result = {"scope": scope, "messages": messages}

    @classmethod
    def save_exception(cls, exception: Exception) -> None:
        """Keep what went wrong."""
        TestApplication._result = {"exception": exception}

    @classmethod
    def load_result(cls) -> tuple[Scope, list[Message]]:
        """Return what was received.

        Raises:
            Exception: what went wrong.
            ValueError: nothing was received.
        """
        result = TestApplication._result
        if "exception" in result:
            raise result["exception"]
        if not result:
            raise ValueError("No results: the application received nothing. Did the request reach it?")
        return result["scope"], result["messages"]

    @classmethod
    def delete_setup(cls) -> None:
        """Forget what is to be sent."""
        TestApplication._setup = []

    @classmethod
    def delete_result(cls) -> None:
        """Forget what was received."""
        TestApplication._result = {}


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
