"""This process as a member of the fleet: it answers questions, in a thread of its own.

So it answers while the event loop of the server is held, and can say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

import msgspec

from channels import DEFAULT_CHANNEL_LAYER, telemetry
from channels.exceptions import ChannelsError
from channels.layers.manager import channel_layers
from channels.observability.fleet.answering import answer
from channels.observability.fleet.asking import TIME_LIMIT, NodeAnswer, Questions
from channels.observability.fleet.messages import (
    Answer,
    Envelope,
    Goodbye,
    Hello,
    Question,
    decode_result,
    encode,
)
from channels.observability.fleet.questions import Ask
from channels.observability.fleet.roster import Roster, this_process
from channels.observability.fleet.transport import Transport, listen, opened

logger = logging.getLogger("channels.fleet")

#: Seconds between two words that this process is there.
HELLO_INTERVAL: Final = 5.0
#: Seconds before it joins again after the layer has failed.
RETRY: Final = 1.0
#: Seconds that its end may take.
FAREWELL: Final = 0.5
#: Questions that are worked on at once; more are left unanswered, and counted.
MOST_QUESTIONS: Final = 20


class Member:
    """This process in the fleet; one per process.

    Attributes:
        node: who it is.
        layer_error: why it does not reach the others; "" while it does, as far as it knows.
    """

    def __init__(self) -> None:
        self.node = this_process()
        self.layer_error = ""
        self._roster = Roster()
        self._questions = Questions(self._roster)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._transport: Transport | None = None
        self._thread = threading.Thread(target=self._run, name="channels-fleet", daemon=True)
        self._answering: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()

    def start(self) -> None:
        """Begin; does not wait."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, and end; waits for a moment."""
        if self._loop is not None and self._stopped is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(FAREWELL)

    def ask(self, ask: Ask, time_limit: float = TIME_LIMIT) -> list[NodeAnswer]:
        """Ask all processes, from any thread but that of the member; see :meth:`Questions.ask`.

        Where the layer is away, or there is none, this process alone answers.
        """
        self._ready.wait(time_limit)
        if self._loop is None:
            return []
        asking: Future[list[NodeAnswer]] = asyncio.run_coroutine_threadsafe(
            self.aask(ask, time_limit), self._loop
        )
        try:
            return asking.result(2 * time_limit)
        except FutureTimeoutError:
            asking.cancel()
            return []

    async def aask(self, ask: Ask, time_limit: float = TIME_LIMIT) -> list[NodeAnswer]:
        """Do as :meth:`ask`, in the member's own event loop."""
        if self._transport is not None:
            try:
                return await self._questions.ask(self._transport, ask, time_limit)
            except (ChannelsError, OSError) as error:
                self._layer_is_away(error)
        own = await self._answer_to(ask)
        if own.error:
            return [NodeAnswer(self.node, "failed", error=own.error)]
        return [NodeAnswer(self.node, "ok", decode_result(ask, own.result))]

    # In its thread

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception:
            logger.exception("This process left the fleet: no inspector sees it any more.")

    async def _live(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        if DEFAULT_CHANNEL_LAYER not in channel_layers:
            self._ready.set()
            await self._stopped.wait()
            return
        while not self._stopped.is_set():
            try:
                await self._belong()
            except (ChannelsError, OSError) as error:
                self._layer_is_away(error)
            self._transport = None
            self._ready.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), RETRY)

    def _layer_is_away(self, error: Exception) -> None:
        telemetry.count("fleet.layer_unavailable", error=type(error).__name__)
        self.layer_error = f"{type(error).__name__}: {error}"

    async def _belong(self) -> None:
        """Be in the group until :meth:`stop`, or until the layer fails."""
        assert self._stopped is not None
        async with opened() as (transport, mailbox):
            await transport.join()
            self._transport = transport
            listening = asyncio.ensure_future(listen(transport, mailbox, self._hear))
            try:
                await self._say_hello(transport, listening)
            finally:
                listening.cancel()
                with contextlib.suppress(ChannelsError, OSError):
                    await transport.tell_all(Goodbye(self.node.id))
                    await transport.leave()

    async def _say_hello(self, transport: Transport, listening: asyncio.Future[None]) -> None:
        assert self._stopped is not None
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while not self._stopped.is_set():
                await transport.tell_all(Hello(self.node, transport.channel))
                self._roster.heard(self.node)
                self.layer_error = ""
                self._ready.set()
                waits: tuple[asyncio.Future[Any], ...] = (stopped, listening)
                await asyncio.wait(waits, timeout=HELLO_INTERVAL, return_when=asyncio.FIRST_COMPLETED)
                if listening.done():
                    listening.result()  # raises why
                    return
        finally:
            stopped.cancel()

    def _hear(self, envelope: Envelope) -> None:
        _HEARD[type(envelope)](self, envelope)

    def _greeted(self, hello: Hello) -> None:
        """Note a process; a new one hears of this one at once, so that it knows all when it is asked."""
        is_new = not self._roster.knows(hello.node.id)
        self._roster.heard(hello.node)
        if is_new and hello.channel and self._transport is not None:
            self._spawn(self._tell(self._transport, hello.channel, Hello(self.node)))

    def _asked(self, question: Question) -> None:
        if len(self._answering) >= MOST_QUESTIONS:
            telemetry.count("fleet.questions_refused")
            return
        self._spawn(self._reply(question))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _reply(self, question: Question) -> None:
        transport = self._transport
        if transport is not None:
            reply = await self._answer_to(question.ask, question.number)
            await self._tell(transport, question.reply, reply)

    async def _tell(self, transport: Transport, channel: str, envelope: Envelope) -> None:
        try:
            await transport.tell(channel, envelope)
        except (ChannelsError, OSError) as error:
            telemetry.count("fleet.not_answered", error=type(error).__name__)

    async def _answer_to(self, ask: Ask, number: int = 0) -> Answer:
        known = self._roster.known()
        try:
            result = await answer(self.node, ask)
        except Exception as error:
            logger.exception("A question of the fleet could not be answered.")
            return Answer(number, self.node, known, _NOTHING, f"{type(error).__name__}: {error}"[:300])
        return Answer(number, self.node, known, msgspec.Raw(encode(result)))


_NOTHING: Final = msgspec.Raw(encode(None))
_HEARD: Final[dict[type[Envelope], Any]] = {
    Hello: Member._greeted,
    Goodbye: lambda member, goodbye: member._roster.forget(goodbye.node),
    Question: Member._asked,
    Answer: lambda member, answer: member._questions.heard(answer),
}
