"""One call in a thread, for a coroutine that waits for it and sends what the call wants sent.

A handler's ``send`` must not cost two thread switches. So the thread puts its messages into an
outbox, and the coroutine that waits for the handler sends them in order, as those of an async
handler. The thread waits for the loop only if the caller asks for the result, or the outbox is full.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from asgiref.sync import SyncToAsync, _restore_context

from channels.sync.bridge import LoopBridge
from channels.sync.pool import Strand

#: The most messages in the outbox; a thread that adds another waits until the loop has sent it.
OUTBOX: Final = 16

_Send: TypeAlias = Callable[[Any], Awaitable[Any]]
#: Its ``call`` is the one that this thread is making; see :func:`current_call`.
in_thread = threading.local()


def current_call() -> ThreadCall | None:
    """Return the call that this thread is making, or None."""
    call: ThreadCall | None = getattr(in_thread, "call", None)
    return call


class ThreadCall:
    """A call that is made in a thread; ``await call.run(strand)`` is its result.

    The call sees the context variables of the coroutine that made this object, and the coroutine sees
    afterwards what the call has set. ``async_to_sync`` in the call runs in the coroutine's loop.

    Args:
        bridge: of the loop that waits.
        call: the call, without arguments.
        label: says what is called, for the log.

    Attributes:
        context: the context variables of the call.
        queued_at: since when it waits; ``expire`` may be called once that is too long. 0: it may not.
    """

    __slots__ = (
        "_abandoned",
        "_borrowed",
        "_call",
        "_error",
        "_finished",
        "_outbox",
        "_result",
        "_send_error",
        "_tasks",
        "_waiter",
        "bridge",
        "context",
        "label",
        "queued_at",
    )

    def __init__(self, bridge: LoopBridge, call: Callable[[], Any], label: Callable[[], str]) -> None:
        self.bridge = bridge
        self.label = label
        self._call = call
        self.context = contextvars.copy_context()
        self._outbox: list[OutboundMessage] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._waiter: asyncio.Future[None] | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._send_error: BaseException | None = None
        self._finished = False
        self._abandoned = False
        self.queued_at = 0.0

    # In the thread

    def __call__(self) -> None:
        """Make the call; raises nothing."""
        outer, in_thread.call = getattr(in_thread, "call", None), self
        bridge = SyncToAsync.threadlocal
        bridge.main_event_loop = self.bridge.loop
        bridge.main_event_loop_pid = os.getpid()
        bridge.task_context = self._tasks
        try:
            # asgiref's Locals belong to one thread each; this brings those of the context along.
            self.context.run(_restore_context, self.context)
            self._result = self.context.run(self._call)
        except StopIteration as error:  # nothing may raise that out of a coroutine
            self._error = RuntimeError(f"A call in a thread raised StopIteration: {self.label()}")
            self._error.__cause__ = error
        except BaseException as error:
            self._error = error
        finally:
            in_thread.call = outer
            self._finished = True
            self.bridge.announce(self)

    def send(self, send: _Send, message: Any, wait: bool) -> None:
        """Have the loop await ``send(message)``; called in the thread of the call.

        Args:
            send: what to await.
            message: its argument.
            wait: whether to wait until it is done. If not, an error comes out of the next
                ``send``, or of :meth:`run`.

        Raises:
            CancelledError: the coroutine that waited for the call was cancelled.
            BaseException: whatever ``send`` raised.
        """
        if self._send_error is not None:
            error, self._send_error = self._send_error, None  # it is told once
            raise error
        outbound = OutboundMessage(send, message, wait or len(self._outbox) >= OUTBOX)
        self._outbox.append(outbound)
        if not self._abandoned:
            if not self.bridge.announce(self):
                raise RuntimeError("The event loop is closed, so this message cannot be sent.")
            if outbound.settled is not None:
                outbound.settled.acquire()
        # Read again: the coroutine may have been cancelled before or after this outbound was seen.
        if self._abandoned:
            raise asyncio.CancelledError
        if outbound.error is not None:
            raise outbound.error

    @property
    def is_behind(self) -> bool:
        """Whether the next ``send`` would wait for those before."""
        return len(self._outbox) >= OUTBOX

    def expire(self, error: Exception) -> None:
        """Fail with ``error`` instead of being made; from any thread."""
        self._error = error
        self._finished = True
        self.bridge.announce(self)

    # In the loop

    def wake(self) -> None:
        """Let the coroutine look at the outbox and the result; the thread has added to one of them."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def run(self, strand: Strand | None, whole: bool = False) -> Any:
        """Have the call made and send what it sends, until it has returned.

        Cancelling takes the call back if it has not begun. One that has runs on to its end,
        unless it waits in ``async_to_sync`` or in a ``send``, which are cancelled; what it
        returns is dropped.

        Args:
            strand: where the call waits for its turn; None for asgiref's thread of this context.
            whole: the call is a whole handler.

        Raises:
            BaseException: whatever the call raised.
        """
        if strand is None:
            self._borrowed = asyncio.ensure_future(SyncToAsync(self.__call__)())
            self._borrowed.add_done_callback(self._returned)
        else:
            if type(strand) is Strand:  # what its put() does: a call less for each page, row "page"
                strand.pool.put(strand, self, whole)
            else:  # strands of lookups gather them
                strand.put(self, whole)
            self.bridge.arm_watchdog()
        try:
            while True:
                finished = self._finished  # what was sent before is in the outbox by now
                while self._outbox:
                    await self._deliver(self._outbox.pop(0))
                if finished:
                    break
                if not self._finished and not self._outbox:
                    self._waiter = self.bridge.loop.create_future()
                    await self._waiter
        except BaseException:
            self._abandon(strand)
            raise
        finally:
            _restore_context(self.context)
        error = self._error or self._send_error
        self._error = self._send_error = None
        try:
            if error is not None:
                raise error
            return self._result
        finally:
            del error  # its traceback leads back here

    def _returned(self, borrowed: asyncio.Task[None]) -> None:
        """End the call with an error if asgiref's task has failed, or was cancelled, before making it."""
        if not self._finished:
            self._finished = True
            self._error = asyncio.CancelledError() if borrowed.cancelled() else borrowed.exception()
            self.wake()

    async def _deliver(self, outbound: OutboundMessage) -> None:
        try:
            await outbound.send(outbound.message)
        except Exception as error:
            if outbound.settled is not None:
                outbound.error = error
            elif self._send_error is None:
                self._send_error = error
        except BaseException as error:
            outbound.error = error
            raise
        finally:
            if outbound.settled is not None:
                outbound.settled.release()

    def _abandon(self, strand: Strand | None) -> None:
        """Let the call end as soon as it can, since its coroutine does not wait for it any more."""
        self._abandoned = True
        if strand is not None:
            strand.withdraw(self)
        for task in tuple(self._tasks):
            task.cancel()
        while self._outbox:
            outbound = self._outbox.pop(0)
            if outbound.settled is not None:
                outbound.settled.release()


class OutboundMessage:
    """A message in the outbox.

    Attributes:
        settled: held until the message was sent, or never will be; None if its thread does not wait for that.
        error: what sending it raised, for a thread that waits.
    """

    __slots__ = ("error", "message", "send", "settled")

    def __init__(self, send: _Send, message: Any, awaited: bool) -> None:
        self.send = send
        self.message = message
        self.error: BaseException | None = None
        self.settled = threading.Lock() if awaited else None
        if self.settled is not None:
            self.settled.acquire()
