"""The worker: runs consumers for named channels, outside of any server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from asgiref.compatibility import guarantee_single_callable
from asgiref.server import StatelessServer

from channels import telemetry
from channels.core.private import PrivateField
from channels.layers.engine import pushing_engine
from channels.process import serving
from channels.process.exit import CANCELLED, EXIT, LimitedExecutor, end_loop, exit_in_time, gentle_part
from channels.process.signals import stop_on_signal
from channels.typing import PUSH_EXTENSION, ASGIApp, Message, Scope, Wakeup

logger = logging.getLogger("django.channels.worker")


class InputQueue:
    """The messages on their way to one application: one waits, one is handled.

    A :class:`~channels.typing.PushReceive` for the application, a queue for the worker.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._wakeup: Wakeup | None = None
        self._arrived = asyncio.Event()
        self._handled = asyncio.Event()
        self._handled.set()
        self.taken = 0

    def put_nowait(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        self._arrived.set()
        self._handled.clear()
        if self._wakeup is not None:
            self._wakeup()

    def receive_nowait(self) -> Message | None:
        """Take the oldest message; asking in vain says that all before are handled."""
        if self._messages:
            self.taken += 1
            return self._messages.popleft()
        self._arrived.clear()
        self._handled.set()
        return None

    async def receive(self) -> Message:
        """Wait for the oldest message; the ASGI ``receive`` of the application."""
        while (message := self.receive_nowait()) is None:
            await self._arrived.wait()
        return message

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """See :class:`~channels.typing.EventSource`."""
        self._wakeup = wakeup

    @property
    def waiting(self) -> int:
        """How many messages were not taken yet."""
        return len(self._messages)

    async def wait_handled(self) -> None:
        """Wait until the application has handled everything and asks for more."""
        await self._handled.wait()

    def clear(self) -> int:
        """Drop what waits, and say how much that was."""
        dropped = len(self._messages)
        self._messages.clear()
        self._handled.set()
        return dropped


class Worker(StatelessServer):
    """Listens on named channels and hands their messages to an application.

    Each channel has one running instance of the application, with the scope
    ``{"type": "channel", "channel": name}``; it is started by the first message, and
    again after it has ended. Messages of one channel are handled in order, one at a
    time; the next is taken from the layer when the one before is handled.

    Args:
        application: the ASGI application, as a ProtocolTypeRouter with a ChannelNameRouter.
        channels: names of the channels.
        channel_layer: the layer to receive from.
        max_applications: application instances to keep at most.
    """

    #: Seconds in which the worker stops; messages in hand get to be handled until shortly before their end.
    shutdown_timeout: ClassVar[float] = 30.0
    #: Seconds before a listener that failed starts again; doubled with each failure in a row.
    restart_delay: ClassVar[float] = 0.5
    #: The longest such delay in seconds.
    max_restart_delay: ClassVar[float] = 30.0

    application: ASGIApp
    max_applications: int
    application_instances: dict[str, dict[str, Any]]

    def __init__(
        self,
        application: ASGIApp,
        channels: list[str],
        channel_layer: Any,
        max_applications: int = 1000,
    ) -> None:
        super().__init__(application, max_applications)  # type: ignore[no-untyped-call]
        self.channels = channels
        self.channel_layer = channel_layer
        if self.channel_layer is None:
            raise ValueError(
                "Channel layer is not valid: a worker needs one. Configure it in the setting CHANNEL_LAYERS."
            )

    def run(self) -> None:
        """Work in an event loop of its own until SIGTERM or SIGINT; a second SIGINT ends it at once."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        telemetry.emit("worker.started")
        serving.announce()
        try:
            loop.run_until_complete(self.arun())
        except KeyboardInterrupt:
            logger.info("Exiting due to Ctrl-C/interrupt")
        finally:
            end_loop(loop)
            exit_in_time(0)

    async def arun(self) -> None:
        """Work until SIGTERM, SIGINT or :meth:`stop`."""
        asyncio.get_running_loop().set_default_executor(LimitedExecutor())
        checker = asyncio.ensure_future(self.application_checker())  # type: ignore[no-untyped-call]
        try:
            with stop_on_signal(lambda: _stop_gracefully(runner_of(self))):
                await self.handle()
        finally:
            checker.cancel()
            await asyncio.gather(checker, return_exceptions=True)

    async def handle(self) -> None:
        """Listen on all channels until :meth:`stop`; end when all messages in hand are handled."""
        await runner_of(self).run()

    def stop(self) -> None:
        """Make the worker end gracefully; call it in the worker's event loop."""
        runner_of(self).stop()

    async def listener(self, channel: str) -> None:
        """Pass the messages of one channel on, without end. Cancelling it loses none."""
        runner = runner_of(self)
        while True:
            details = self.application_instances.get(channel)
            if details is not None:
                await details["input_queue"].wait_handled()
            await runner.acknowledge(channel)
            message = await runner.take(channel)
            # Nothing may wait between here and put_nowait: the message would be lost on cancellation.
            if not message.get("type"):
                telemetry.count("worker.dropped", reason="no type", channel=channel)
                logger.error("Worker received message with no type on channel %r: dropped.", channel)
                continue
            scope = {"type": "channel", "channel": channel}
            self.get_or_create_application_instance(channel, scope).put_nowait(message)

    def get_or_create_application_instance(self, scope_id: str, scope: Scope) -> InputQueue:
        """Return the inbox of the instance ``scope_id``; start one with ``scope`` if none runs."""
        details = self.application_instances.get(scope_id)
        if details is None or details["future"].done():
            while len(self.application_instances) > self.max_applications:
                self.delete_oldest_application_instance()  # type: ignore[no-untyped-call]
            details = runner_of(self).start(scope_id, scope)
        details["last_used"] = time.time()
        inbox: InputQueue = details["input_queue"]
        return inbox

    async def application_send(self, scope: Scope, message: Message) -> None:
        """Refuse what an application sends: there is no client.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"A consumer on channel {scope['channel']!r} sent {message.get('type')!r}, but a worker has no "
            "client to send to. Answer with channel_layer.send() or group_send()."
        )

    async def application_exception(
        self, exception: BaseException, application_details: dict[str, Any]
    ) -> None:
        """Log what an application raised; override it to do more."""
        channel = application_details["scope"].get("channel")
        telemetry.count("worker.application_failed", channel=channel)
        logger.error("Exception inside application on channel %r.", channel, exc_info=exception)


class _Runner:
    """Listens for a worker, and runs its applications.

    What users may override is the worker's, and called there.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stopping = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop
        self._unacknowledged: dict[str, Callable[[], Awaitable[None]]] = {}

    def stop(self) -> None:
        """Have :meth:`run` end."""
        self._stopping.set()

    async def run(self) -> None:
        """Listen on all channels until :meth:`stop`; end when all messages in hand are handled."""
        self.loop = asyncio.get_running_loop()
        telemetry.register("worker", self)
        listeners = [asyncio.ensure_future(self.keep_listening(channel)) for channel in self._worker.channels]
        try:
            await self._stopping.wait()
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
            await self.drain()

    def ask_to_drain(self) -> None:
        """Have :meth:`run` end; called in any thread, while it runs."""
        self.loop.call_soon_threadsafe(self.stop)

    def statistics(self) -> dict[str, int]:
        """Return how much it does: applications that run, and messages that they have not taken."""
        instances = tuple(self._worker.application_instances.values())
        waiting = sum(details["input_queue"].waiting for details in instances)
        return {"applications": len(instances), "messages_waiting": waiting}

    async def take(self, channel: str) -> Message:
        """Receive; where the layer can wait for it, acknowledge only what has been handled."""
        # A layer whose ``receive`` was replaced is read with it.
        take = getattr(pushing_engine(self._worker.channel_layer), "take", None)
        if take is None:
            message: Message = await self._worker.channel_layer.receive(channel)
            return message
        message, self._unacknowledged[channel] = await take(channel)
        return message

    async def acknowledge(self, channel: str) -> None:
        """Tell the layer that the last message of ``channel`` is done with; to tell it twice is harmless."""
        acknowledge = self._unacknowledged.get(channel)
        if acknowledge is not None:
            await acknowledge()
            del self._unacknowledged[channel]

    def start(self, scope_id: str, scope: Scope) -> dict[str, Any]:
        """Start an instance of the application; returns what is known of it."""
        inbox = InputQueue()
        details: dict[str, Any] = {"input_queue": inbox, "scope": scope, "last_used": time.time()}
        details["future"] = asyncio.ensure_future(self.run_application(scope_id, details))
        self._worker.application_instances[scope_id] = details
        return details

    async def run_application(self, scope_id: str, details: dict[str, Any]) -> None:
        """Run instances until the inbox is empty when one ends."""
        inbox: InputQueue = details["input_queue"]
        try:
            while True:
                taken = inbox.taken
                await self.run_once(details)
                # An application that ends without taking anything would be started forever.
                if not inbox.waiting or inbox.taken == taken:
                    break
        finally:
            dropped = inbox.clear()
            if dropped:
                telemetry.count("worker.dropped", dropped, reason="application ended", channel=scope_id)
            if self._worker.application_instances.get(scope_id) is details:
                del self._worker.application_instances[scope_id]

    async def run_once(self, details: dict[str, Any]) -> None:
        """Run one instance to its end; an error is the worker's to log."""
        inbox: InputQueue = details["input_queue"]
        scope = {**details["scope"], "extensions": {PUSH_EXTENSION: inbox}}

        async def send(message: Message) -> None:
            await self._worker.application_send(scope, message)

        try:
            application = guarantee_single_callable(self._worker.application)  # type: ignore[no-untyped-call]
            await application(scope, inbox.receive, send)
        except Exception as error:
            await self._worker.application_exception(error, details)

    async def keep_listening(self, channel: str) -> None:
        """Listen, and again after a failure, a while later."""
        first, longest = self._seconds("restart_delay"), self._seconds("max_restart_delay")
        delay = first
        while True:
            started = time.monotonic()
            try:
                await self._worker.listener(channel)
                return
            except Exception:
                if time.monotonic() - started > longest:
                    delay = first
                telemetry.count("worker.listener_failed", channel=channel)
                logger.exception(
                    "The listener on channel %r failed; it starts again in %s s.", channel, delay
                )
            await asyncio.sleep(delay)
            delay = min(delay * 2, longest)

    async def drain(self) -> None:
        """Let the instances handle what they have, then end them."""
        late = await self.wait_handled()
        done = set(self._unacknowledged) - late
        await asyncio.gather(*map(self.acknowledge, done), return_exceptions=True)
        futures = [details["future"] for details in self._worker.application_instances.values()]
        for future in futures:
            future.cancel()
        if futures:  # one that is in a thread cannot be ended, and keeps nobody
            await asyncio.wait(futures, timeout=CANCELLED)

    async def wait_handled(self) -> set[str]:
        """Wait until all instances have handled what they have; return the channels of those too late."""
        waiters = {
            asyncio.ensure_future(details["input_queue"].wait_handled()): channel
            for channel, details in self._worker.application_instances.items()
        }
        if not waiters:
            return set()
        limit = self._seconds("shutdown_timeout")
        _, late = await asyncio.wait(waiters, timeout=gentle_part(limit, 2 * CANCELLED + EXIT))
        for waiter in late:
            waiter.cancel()
        if late:
            telemetry.count("worker.dropped", len(late), reason="shutdown timeout")
            logger.error("%d applications did not finish within %s s of the stop.", len(late), limit)
        return {waiters[waiter] for waiter in late}

    def _seconds(self, name: str) -> float:
        """Read a setting of the worker's class; a subclass may use its name for something else."""
        value = getattr(self._worker, name)
        return value if isinstance(value, int | float) else float(getattr(Worker, name))


_runner: PrivateField[_Runner | None] = PrivateField("runner", None)


def runner_of(worker: Worker) -> _Runner:
    """Return what runs for ``worker``; made when it is asked for."""
    runner = _runner.get(worker)
    if runner is None:
        runner = _Runner(worker)
        _runner.set(worker, runner)
    return runner


def _stop_gracefully(runner: _Runner) -> None:
    """Stop after the messages in hand, and say so."""
    logger.info("Stopping: messages in hand are handled first.")
    runner.stop()
