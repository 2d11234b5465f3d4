"""A server in a thread of this process, for tests that want real sockets."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any

from channels.server.config import Config
from channels.server.endpoints.endpoints import endpoint_strings
from channels.server.loops import event_loop
from channels.server.server import Server
from channels.typing import ASGIApp

_TURNS = 20


class ServerThread:
    """A server with an event loop of its own, in a thread.

    ::

        with ServerThread(application) as server:
            urlopen(server.url + "/")

    Args:
        app: the ASGI application.
        host: where to listen.
        port: 0 for one that is free.
        options: any other field of :class:`channels.server.config.Config`. Where nothing is said,
            connections are cut when it stops (``drain_timeout`` is 0); applications are told, as ever.

    Attributes:
        host: as given.
        port: the port it listens on, once started.
    """

    def __init__(self, app: ASGIApp, host: str = "localhost", port: int = 0, **options: Any) -> None:
        # A test that ends has no client left that would be worth waiting for.
        options = {"drain_timeout": 0.0, "drain_idle_timeout": 0.0, **options}
        config = Config(app=app, endpoints=tuple(endpoint_strings(host, port)), **options)
        self._set_up(config, host, port)

    @classmethod
    def of(cls, config: Config, host: str) -> ServerThread:
        """Make one of a whole configuration; ``host`` is how clients call where it listens."""
        made = cls.__new__(cls)
        made._set_up(config, host, 0)
        return made

    def _set_up(self, config: Config, host: str, port: int) -> None:
        self.config = config
        self.host = host
        self.port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None

    @property
    def url(self) -> str:
        """The address for HTTP, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address for WebSockets, without a slash at its end."""
        return self.url.replace("http", "ws", 1)

    def start(self) -> None:
        """Start, and return once it listens.

        Raises:
            Exception: whatever kept it from starting (ListenError, LifespanFailed ...).
        """
        self._thread = threading.Thread(target=self._run, name=f"server-{self.host}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        """Stop as ``drain_timeout`` says; returns when the thread has ended. Harmless if it does not run."""
        if self._thread is None or not self._thread.is_alive() or self._loop is None or self._server is None:
            return
        self._loop.call_soon_threadsafe(self._server.ask_to_stop)
        self._thread.join()

    def settle(self) -> None:
        """Return when the server has dealt with everything that its peers have sent so far.

        What an application awaits elsewhere (threads, timers) is not waited for.
        """
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._turn(), self._loop).result()

    @staticmethod
    async def _turn() -> None:
        """Each turn of the loop reads what is there; a few carry it to the application and back."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def statistics(self) -> dict[str, int]:
        """Return the counts of :meth:`channels.server.server.Server.statistics`."""
        return {} if self._server is None else self._server.statistics()

    def __enter__(self) -> ServerThread:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            with event_loop(self.config.loop) as self._loop:
                self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._server = Server(self.config)
        await self._server.serve(self._listening, signals=False)

    def _listening(self) -> None:
        assert self._server is not None  # _serve() has made it
        first = self._server.addresses[0]
        self.port = int(first[1])
        self._ready.set()
