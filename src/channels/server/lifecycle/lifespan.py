"""ASGI lifespan: the application's startup and shutdown, around everything it serves."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from channels import telemetry
from channels.server.asgi.stream import CONFLICT
from channels.typing import ASGIApp, Message, Scope

logger = logging.getLogger("channels.server")


#: Seconds that a lifespan gets to end once it was cancelled.
_CANCEL_LIMIT = 2.0
#: Seconds that an application may still run behind its answer.
_LAST_LINES = 0.2


class LifespanFailed(Exception):
    """The application could not start; the text says what it said about it."""


class Lifespan:
    """Runs the application's lifespan.

    Args:
        app: the application.
        mode: "auto" takes any error before startup is complete as "not supported", "on"
            as a failure, "off" never asks.
        timeout: seconds that startup may take; None for no limit.
        shutdown_timeout: likewise of shutdown.

    Attributes:
        state: what the application left for its requests; None if it has no lifespan.

    See the ASGI lifespan protocol, version 2.0.
    """

    def __init__(
        self, app: ASGIApp, mode: str, timeout: float | None, shutdown_timeout: float | None = 10.0
    ) -> None:
        self.state: dict[str, Any] | None = None
        self._app = app
        self._mode = mode
        self._timeout = timeout
        self._shutdown_timeout = shutdown_timeout
        self._state: dict[str, Any] = {}
        self._events: deque[Message] = deque()
        self._receiver: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[Message]

    async def startup(self) -> None:
        """Run the startup.

        Raises:
            LifespanFailed: the application says that it failed, or took too long; in
                mode "on" also that it raised.
        """
        if self._mode == "off":
            return
        scope: Scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        self._task = asyncio.ensure_future(self._run(scope))
        try:
            answer = await self._ask("startup", self._timeout)
        except asyncio.CancelledError:  # the server is told to stop
            await self._cancel()
            raise
        except TimeoutError:
            await self._cancel()
            raise LifespanFailed(
                f"Startup of the application did not end within {self._timeout} s (--lifespan-timeout)."
            ) from None
        if answer["type"] == "lifespan.startup.failed":
            await self._cancel()
            raise LifespanFailed(
                f"Startup of the application failed: {answer.get('message') or 'no reason given'}"
            )
        if answer["type"] == "lifespan.startup.complete":
            self.state = self._state

    async def shutdown(self) -> None:
        """Run the shutdown; what goes wrong is logged."""
        if self.state is None or self._task is None or self._task.done():
            return
        try:
            answer = await self._ask("shutdown", self._shutdown_timeout)
        except TimeoutError:
            logger.error(
                "Shutdown of the application did not end within %s s (--lifespan-shutdown-timeout).",
                self._shutdown_timeout,
            )
        else:
            if answer["type"] == "lifespan.shutdown.failed":
                logger.error(
                    "Shutdown of the application failed: %s", answer.get("message") or "no reason given"
                )
            else:
                # It may have a line or two left behind its answer.
                await asyncio.wait([self._task], timeout=_LAST_LINES)
        await self._cancel()

    async def _ask(self, what: str, limit: float | None) -> Message:
        """Send an event of the lifespan and wait for the application's answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._events.append({"type": f"lifespan.{what}"})
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
        try:
            return await asyncio.wait_for(self._answer, limit)
        except TimeoutError:
            telemetry.count("server.lifespan_timeout", phase=what)
            raise

    async def _cancel(self) -> None:
        """Cancel the application's task, if it has not ended by itself."""
        if self._task is not None:
            self._task.cancel()
            if not (await asyncio.wait([self._task], timeout=_CANCEL_LIMIT))[0]:
                logger.error("The application's lifespan ignores its cancellation and is left behind.")

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            self._raised(error)
        else:
            self._settle({"type": "lifespan.unsupported"})

    async def _receive(self) -> Message:
        """ASGI's ``receive``; raises RuntimeError if another call of it waits."""
        if self._receiver is not None and not self._receiver.cancelled():
            raise RuntimeError(CONFLICT % "the lifespan")
        while not self._events:
            receiver = self._receiver = asyncio.get_running_loop().create_future()
            try:
                await receiver
            finally:
                if self._receiver is receiver:  # else it was cancelled, and another call waits
                    self._receiver = None
        return self._events.popleft()

    def _raised(self, error: Exception) -> None:
        """Tell an application without lifespan from one whose lifespan is broken."""
        if self.state is not None:
            logger.error("The application's lifespan failed.", exc_info=error)
            self._settle({"type": "lifespan.shutdown.complete"})
        elif self._mode == "on":
            logger.error("The application's lifespan failed.", exc_info=error)
            self._settle({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
        else:
            logger.debug("The application has no lifespan: %s: %s", type(error).__name__, error)
            self._settle({"type": "lifespan.unsupported"})

    async def _send(self, message: Message) -> None:
        phase = "startup" if self.state is None else "shutdown"
        if message["type"] not in (f"lifespan.{phase}.complete", f"lifespan.{phase}.failed"):
            raise ValueError(
                f"Cannot handle message type {message['type']}! This is the {phase} of a lifespan."
            )
        self._settle(message)
        # The application goes on only after startup() has seen the answer and set the state.
        await asyncio.sleep(0)

    def _settle(self, answer: Message) -> None:
        if not self._answer.done():
            self._answer.set_result(answer)
