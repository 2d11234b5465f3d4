"""The test case with a live server, for browsers and other real clients."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from asgiref.sync import SyncToAsync
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase
from django.test.utils import modify_settings

from channels.routing import get_default_application
from channels.testing.database import lent
from channels.threads.lanes import pool
from channels.typing import ASGIApp


class ChannelsLiveServerTestCase(TransactionTestCase):
    """Serves ``ASGI_APPLICATION`` over real sockets while the tests of the class run.

    The server runs in a thread of the test process, so that nothing has to be pickled or
    forked, and a database in memory works: its connection is shared with the server.

    Attributes:
        host: where the server listens; it is added to ``ALLOWED_HOSTS``.
        serve_static: whether static files are served, as the finders find them.
        static_wrapper: the ASGI middleware that serves them.
        ProtocolServerProcess: accepted for test cases that set it, but not used: there is
            no process; setting it warns.
    """

    host: ClassVar[str] = "localhost"
    serve_static: ClassVar[bool] = True
    static_wrapper: ClassVar[Any] = ASGIStaticFilesHandler
    ProtocolServerProcess: ClassVar[Any] = None

    _port: int

    @property
    def live_server_url(self) -> str:
        """The address of the server for HTTP, without a slash at its end."""
        return f"http://{self._netloc()}"

    @property
    def live_server_ws_url(self) -> str:
        """The address of the server for WebSockets, without a slash at its end."""
        return f"ws://{self._netloc()}"

    def _netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self._port}"

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server; raises whatever keeps it from starting."""
        # Communicators, in the same package, must not need a server.
        from channels.server.thread import ServerThread

        super().setUpClass()
        if cls.ProtocolServerProcess is not None:
            warnings.warn(
                f"{cls.__qualname__}.ProtocolServerProcess is not used: the server runs in a thread of the "
                "test process. Remove it.",
                RuntimeWarning,
                stacklevel=2,
            )
        cls.enterClassContext(modify_settings(ALLOWED_HOSTS={"append": cls.host}))
        cls.enterClassContext(lent(_in_memory_connections()))
        cls.enterClassContext(_closed_connections())
        server = cls.enterClassContext(ServerThread(cls._make_application(), host=cls.host, drain_timeout=5))
        cls._port = server.port

    @classmethod
    def _make_application(cls) -> ASGIApp:
        application: ASGIApp = get_default_application()
        if cls.serve_static and settings.STATIC_URL:
            application = cls.static_wrapper(application)
        return application


def _in_memory_connections() -> Iterator[BaseDatabaseWrapper]:
    for connection in connections.all():
        if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
            yield connection


@contextmanager
def _closed_connections() -> Iterator[None]:
    """Close in the end what sync code of the server has left open: test databases get dropped."""
    try:
        yield
    finally:
        pool.stop(timeout=30)
        SyncToAsync.single_thread_executor.submit(connections.close_all).result(timeout=30)
