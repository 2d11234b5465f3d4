"""The base of both kinds of streams: ASGI events that wait, and one run of the application."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Any

from channels import telemetry
from channels.diagnostics.tracebacks import exc_info_without_our_frames
from channels.exceptions import ChannelLayerUnavailable
from channels.server.interfaces import Carrier
from channels.server.io.timer_wheel import NEVER, Slot
from channels.server.runtime import Runtime
from channels.typing import Message, Scope, Wakeup

logger = logging.getLogger("channels.server")


#: What is said to an application that receives in two tasks at once.
CONFLICT = (
    "receive() was called while another call of it waits, for %s: of the events that follow each call would "
    "get some. Receive in one task, and let that one hand on what the others need."
)


class ClientDisconnected(OSError):
    """The client has gone, and cannot get what the application sends (ASGI, "Disconnected Client")."""


def _is_disconnect(error: Exception) -> bool:
    """Whether an application ended with nothing but the news that its client has gone."""
    if isinstance(error, ExceptionGroup):
        return error.split(ClientDisconnected)[1] is None
    return isinstance(error, ClientDisconnected)


def suspended_at(task: asyncio.Task[Any]) -> str:
    """Return where ``task`` waits: the innermost of its coroutines that we can see into."""
    here, place = task.get_coro(), "an unknown place"
    while (frame := getattr(here, "cr_frame", None)) is not None:
        place = f"{here.__qualname__} ({frame.f_code.co_filename}:{frame.f_lineno})"  # type: ignore[union-attr]
        here = here.cr_await  # type: ignore[union-attr]
    return place


def named(client: list[Any] | None) -> str | None:
    """Return the peer as the access log writes it."""
    return None if client is None else f"{client[0]}:{client[1]}"


class Stream(ABC):
    """One scope and one run of the application for it.

    It satisfies :class:`channels.typing.PushReceive`: a consumer may take events without
    a task that waits for them.

    The run begins when the stream is made, in a task that the loop comes to later.

    Args:
        runtime: what the process shares.
        label: what the log calls it, such as ``GET /path``.
        scope: what the application is called with.
        carrier: counts the run while its peer is gone.
    """

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_client",
        "_counted",
        "_killed",
        "_leave_by",
        "_waiters",
        "_wakeup",
        "carrier",
        "label",
        "runtime",
        "slot",
        "task",
    )

    def __init__(self, runtime: Runtime, label: str, scope: Scope, carrier: Carrier) -> None:
        self.runtime = runtime
        self.label = label
        self.carrier = carrier
        self.slot: Slot | None = None
        self._client: list[Any] | None = scope["client"]
        self._leave_by = NEVER
        self._abandoned = self._killed = False
        self._counted = 0  # bytes of a body, see HeldBodies
        self._wakeup: Wakeup | None = None
        self._waiters: list[asyncio.Future[None]] | None = None
        runtime.streams.add(self)
        run = runtime.create_task(self._run(scope), name=self.label)
        self.task: asyncio.Task[None] | None = run

    # Events for the application

    @abstractmethod
    def receive_nowait(self) -> Message | None:
        """Take the next event, or None if there is none yet."""

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """Call ``wakeup()`` after each event that arrives from now on; None to stop."""
        self._wakeup = wakeup

    async def receive(self) -> Message:
        """ASGI's ``receive``. Cancelling it loses nothing.

        Raises:
            RuntimeError: another call waits for the next event of a WebSocket.
        """
        if self._waiters and not all(waiter.cancelled() for waiter in self._waiters):
            self._received_twice()
        # Waiters' loop, written out: it saves a call for each message of a plain ASGI application.
        while (message := self.receive_nowait()) is None:
            waiter = self.runtime.loop.create_future()
            waiters = self._waiters = self._waiters or []
            waiters.append(waiter)
            try:
                await waiter
            finally:
                waiters.remove(waiter)
        return message

    def _received_twice(self) -> None:
        """``receive()`` is called while another call of it waits: one of the two would get the next event."""
        raise RuntimeError(CONFLICT % self.label)

    def announce(self) -> None:
        """Wake the application: it has an event to take."""
        if self._wakeup is not None:
            self._wakeup()
        for waiter in self._waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    # What the application sends

    @abstractmethod
    async def send(self, message: Message) -> None:
        """ASGI's ``send``."""

    def late(self, message: Message) -> None:
        """Count a message for a peer that has gone."""
        telemetry.count("server.late_send", type=message["type"], label=self.label)

    # The run of the application

    async def _run(self, scope: Scope) -> None:
        try:
            running = self.runtime.app(scope, self.receive, self.send)
            del scope  # the application has one of its own, as soon as a middleware adds something
            await running
        except asyncio.CancelledError:
            self._cancelled()
        except Exception as error:
            if _is_disconnect(error):
                self.application_returned()
                return
            self._report(error)
            self.application_failed()
        else:
            self.application_returned()
        finally:
            self._ended()

    def _report(self, error: Exception) -> None:
        """Log what the application raised: the user's frames, with level DEBUG ours too."""
        telemetry.count("server.application_failed", label=self.label)
        shown = error if logger.isEnabledFor(logging.DEBUG) else exc_info_without_our_frames(error)
        if isinstance(error, ChannelLayerUnavailable):
            text = "The application failed: %s. The channel layer is away: %s"
            logger.error(text, self.label, error, exc_info=shown)
        else:
            logger.error("The application failed: %s", self.label, exc_info=shown)

    def _cancelled(self) -> None:
        """Log a run whose task was cancelled, unless the server did so because it took too long."""
        if not self._killed:
            logger.error("The application cancelled itself (it raised CancelledError): %s", self.label)
            telemetry.count("server.application_failed", label=self.label)
        self.application_failed()

    def _ended(self) -> None:
        self.task = None
        self._wakeup = None
        if self._abandoned:
            self.carrier.abandoned(-1)
        if self._counted:
            self.runtime.bodies.give_back(self._client, self._counted)
        if self.slot is not None:
            self.runtime.timers.cancel(self)
        self.runtime.streams.discard(self)
        self.runtime.left()

    @abstractmethod
    def application_failed(self) -> None:
        """The application raised: answer in its place, if the peer is still owed an answer."""

    @abstractmethod
    def application_returned(self) -> None:
        """The application returned: answer in its place, if it should have answered and did not."""

    def expect_return(self) -> None:
        """The peer is gone: give the application a while to return, and count its run until it does."""
        if self.task is None:
            return
        if not self._abandoned:
            self._abandoned = True
            self.carrier.abandoned(1)
        limit = self.runtime.config.application_close_timeout
        if limit is not None:
            self._leave_by = self.runtime.timers.now + limit
            self.runtime.timers.schedule(self, self._leave_by)

    def expect_progress(self) -> None:
        """The peer has closed behind what is not taken yet: give the application a while to take more."""
        limit = self.runtime.config.application_close_timeout
        if self._leave_by == NEVER and limit is not None:
            self._leave_by = self.runtime.timers.now + limit
            self.runtime.timers.schedule(self, self._leave_by)

    def progressed(self) -> None:
        """Begin the time of :meth:`expect_progress` anew: the application has taken something."""
        limit = self.runtime.config.application_close_timeout
        if self._leave_by != NEVER and limit is not None:
            self._leave_by = self.runtime.timers.now + limit

    def on_due(self, now: float) -> float:
        """Cancel an application that should have returned."""
        if now < self._leave_by:
            return self._leave_by
        self.kill(f"within {self.runtime.config.application_close_timeout} s after its client had gone")
        return NEVER

    def kill(self, when: str) -> None:
        """Cancel the application and say so.

        Args:
            when: until when it should have ended, for the log.
        """
        if self.task is None:
            return
        self._killed = True
        telemetry.count("server.application_killed", label=self.label)
        logger.warning(
            "The application did not end %s and was cancelled: %s. Its task %s waits in %s. "
            "End on the disconnect event, or raise --application-close-timeout.",
            when,
            self.label,
            self.task.get_name(),
            suspended_at(self.task),
        )
        self.task.cancel()
