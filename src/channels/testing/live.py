"""The test case with a live server, for browsers and other real clients.

``make_application``, ``set_database_connection`` and ``DaphneProcess`` are for those who start a
server process of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar

from asgiref.sync import SyncToAsync
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test import TransactionTestCase
from django.test.utils import modify_settings

from channels.process import serving
from channels.routing import get_default_application
from channels.sync.context import pool
from channels.testing.database import lent


def make_application(*, static_wrapper: Any) -> Any:
    """Return the ``ASGI_APPLICATION``.

    Args:
        static_wrapper: the ASGI middleware to put in front of it, or None.
    """
    application = get_default_application()
    return application if static_wrapper is None else static_wrapper(application)


def set_database_connection() -> None:
    """Have this process use the test databases: for a server process that was not forked from the test's.

    It is called in that process before anything else, as ``setup`` of ``DaphneProcess``.
    A database in memory is out of its reach and left as it is.
    """
    for connection in connections.all():
        if not _is_in_memory(connection):
            name = _test_name(connection)
            settings.DATABASES[connection.alias]["NAME"] = name
            connection.settings_dict["NAME"] = name


def _test_name(connection: BaseDatabaseWrapper) -> str:
    """Return the name of the database that Django's test runner has made."""
    name = str(connection.settings_dict["NAME"])
    told = connection.settings_dict["TEST"]["NAME"]
    if told or name.startswith(TEST_DATABASE_PREFIX):
        return str(told or name)
    return TEST_DATABASE_PREFIX + name


def _is_in_memory(connection: Any) -> bool:
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


class _LateDaphneProcess:
    """Stands for :class:`daphne.testing.DaphneProcess`: communicators must not need a server."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return import_module("daphne.testing").DaphneProcess


def __getattr__(name: str) -> Any:
    if name == "DaphneProcess":
        return import_module("daphne.testing").DaphneProcess
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ChannelsLiveServerTestCase(TransactionTestCase):
    """Serves ``ASGI_APPLICATION`` over real sockets while the tests of the class run.

    The server runs in a thread of the test process, so that nothing has to be pickled or
    forked, and a database in memory works: its connection is shared with the server.

    Attributes:
        host: where the server listens; it is added to ``ALLOWED_HOSTS``.
        serve_static: whether static files are served, as the finders find them.
        static_wrapper: the ASGI middleware that serves them.
        ProtocolServerProcess: a server in a process of its own, for test cases that start one
            themselves: ``cls.ProtocolServerProcess(cls.host, get_application)``. The test
            case itself starts none; setting it to something else warns.
    """

    host: ClassVar[str] = "localhost"
    serve_static: ClassVar[bool] = True
    static_wrapper: ClassVar[Any] = ASGIStaticFilesHandler
    ProtocolServerProcess: ClassVar[Any] = _LateDaphneProcess()

    _port: int

    @property
    def live_server_url(self) -> str:
        """The address of the server for HTTP, without a slash at its end."""
        return f"http://{_netloc(self.host, self._port)}"

    @property
    def live_server_ws_url(self) -> str:
        """The address of the server for WebSockets, without a slash at its end."""
        return f"ws://{_netloc(self.host, self._port)}"

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server; raises whatever keeps it from starting."""
        # Communicators, in the same package, must not need a server.
        from channels.server.in_thread import ServerThread

        super().setUpClass()
        if cls.ProtocolServerProcess not in (None, import_module("daphne.testing").DaphneProcess):
            warnings.warn(
                f"{cls.__qualname__}.ProtocolServerProcess is not used: the server runs in a thread of the "
                "test process. Remove it, or start it in a setUpClass() that does not call this one.",
                RuntimeWarning,
                stacklevel=2,
            )
        cls.enterClassContext(modify_settings(ALLOWED_HOSTS={"append": cls.host}))
        cls.enterClassContext(lent(filter(_is_in_memory, connections.all())))
        cls.enterClassContext(_closed_connections())
        wraps = cls.serve_static and settings.STATIC_URL
        application = make_application(static_wrapper=cls.static_wrapper if wraps else None)
        server = cls.enterClassContext(ServerThread(application, host=cls.host))
        cls._port = server.port


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _closed_connections() -> Iterator[None]:
    """Close in the end what sync code of the server has left open: test databases get dropped."""
    try:
        yield
    finally:
        serving.end()
        pool.stop(timeout=30)
        SyncToAsync.single_thread_executor.submit(connections.close_all).result(timeout=30)
