"""The communicator that speaks raw ASGI messages with an application."""

# ruff: noqa: ASYNC109  (the parameter `timeout` is part of the public interface)

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from asgiref.testing import ApplicationCommunicator as BaseApplicationCommunicator

from channels.testing.database import lend_connections
from channels.typing import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from django.core.handlers.asgi import ASGIHandler

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class ApplicationCommunicator(BaseApplicationCommunicator):
    """Runs an ASGI application in the test's event loop: you are its server.

    The application starts with the first call that needs it. From then on the sync code
    it runs, in whichever thread, uses the database connections on which the test has a
    transaction open, and so sees the rows of the test (see
    :func:`channels.testing.database.lend_connections`).

    Args:
        application: the ASGI application under test.
        scope: the connection scope it is called with.
    """

    application: ASGIApp
    scope: Scope
    _future: asyncio.Task[Any] | None = None

    def __init__(self, application: ASGIApp | ASGIHandler, scope: Scope) -> None:
        super().__init__(application, scope)  # type: ignore[no-untyped-call]

    @property
    def future(self) -> asyncio.Task[Any]:
        """The task that runs the application; reading it starts the application."""
        if self._future is None:
            lend_connections()
        return super().future  # type: ignore[no-any-return]

    async def wait(self, timeout: float | None = 1) -> None:
        """Wait for the application to end by itself and raise what it raised.

        Args:
            timeout: seconds after which it is cancelled, which is no error; None waits without end.
        """
        await super().wait(timeout)  # type: ignore[no-untyped-call]

    def stop(self, exceptions: bool = True) -> None:
        """Cancel the application; if it has ended, raise what it raised unless ``exceptions`` is false."""
        super().stop(exceptions)  # type: ignore[no-untyped-call]

    async def send_input(self, message: Message) -> None:
        """Send one ASGI message to the application; raises what the application raised, if it has ended."""
        await super().send_input(message)  # type: ignore[no-untyped-call]

    async def receive_output(self, timeout: float | None = 1) -> Message:
        """Return the next ASGI message the application sends, or raise what ended it.

        Args:
            timeout: seconds to wait; None waits without end.

        Raises:
            TimeoutError: nothing was sent in time, and the application has been cancelled;
                or it ended meanwhile without a word.
        """
        if self.future.done():
            self.future.result()
        getter = asyncio.ensure_future(self.output_queue.get())
        try:
            await asyncio.wait((getter, self.future), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if getter.done() or not self.output_queue.empty():
                return cast(Message, await getter)
        finally:
            getter.cancel()
        if self.future.done():
            self.future.result()
            raise TimeoutError(f"The application ended without sending anything more {_place(self.scope)}.")
        self.future.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.future
        raise TimeoutError(
            f"The application sent nothing within {timeout} s {_place(self.scope)}, and has been cancelled. "
            "Where it needs longer, pass a larger timeout."
        )

    async def receive_nothing(self, timeout: float = 0.1, interval: float = 0.01) -> bool:
        """Tell whether the application sends nothing within ``timeout`` seconds.

        Args:
            timeout: seconds to watch.
            interval: seconds between two looks.
        """
        quiet = await super().receive_nothing(timeout, interval)  # type: ignore[no-untyped-call]
        return bool(quiet)


async def expect(
    communicator: ApplicationCommunicator, kinds: tuple[str, ...], timeout: float | None
) -> Message:
    """Receive a message and insist on its type; raises AssertionError for another one."""
    message = await communicator.receive_output(timeout)
    if message["type"] not in kinds:
        wanted = " or ".join(repr(kind) for kind in kinds)
        raise AssertionError(f"Expected type {wanted}, but was {message['type']!r}: {dict(message)!r}.")
    return message


def _place(scope: Scope) -> str:
    return f"on the scope {scope.get('type')!r} {scope.get('path', '')!r}"


def split_path(path: str) -> tuple[str, bytes]:
    """Split what a client would request into the ``path`` and ``query_string`` of a scope.

    Args:
        path: a path, which may be percent-encoded, with an optional query; a full URL will do.

    Raises:
        TypeError: ``path`` is not a str.
    """
    if not isinstance(path, str):
        raise TypeError(f"Expected str, got {type(path)}: the path of a communicator is text.")
    parts = urlsplit(path)
    return unquote(parts.path), parts.query.encode()
