"""The worker: instances per channel, failures that are seen, a stop that loses nothing.

Longer than other files: it is the test of one module, and its cases share their workers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock

import pytest

from channels import telemetry
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.layers.engine import engine_of
from channels.layers.memory import InMemoryChannelLayer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter
from channels.typing import Message, Receive, Scope, Send
from channels.worker import InputQueue, Worker

PATIENCE = 30
LOG = "django.channels.worker"


class Diary:
    """What happened, and a way to wait for it."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._changed = asyncio.Event()

    def note(self, entry: Any) -> None:
        self.entries.append(entry)
        self._changed.set()

    async def wait_for(self, *entries: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not all(entry in self.entries for entry in entries):
                self._changed.clear()
                await self._changed.wait()


def recorder(diary: Diary) -> Any:
    """Make an application that notes its messages, and fails on one that says so."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "channel"
        diary.note(("start", scope["channel"]))
        while True:
            message = await receive()
            diary.note((scope["channel"], message["n"]))
            if message["type"] == "fail":
                raise KeyError("no")
            if message["type"] == "send":
                await send({"type": "websocket.send"})
            if message["type"] == "end":
                return

    return app


class Eager(Worker):
    restart_delay = 0.01


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(worker.arun())
    try:
        yield task
    finally:
        worker.stop()
        await asyncio.wait_for(task, PATIENCE)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def layer() -> InMemoryChannelLayer:
    return InMemoryChannelLayer()


async def test_one_instance_per_channel_handles_its_messages_in_order(
    diary: Diary, layer: InMemoryChannelLayer
) -> None:
    async with working(Worker(recorder(diary), ["a", "b"], layer)):
        for n in range(5):
            await layer.send("a", {"type": "x", "n": n})
            await layer.send("b", {"type": "x", "n": n})
        await diary.wait_for(("a", 4), ("b", 4))
    for channel in "ab":
        assert [entry for entry in diary.entries if entry[0] == channel] == [(channel, n) for n in range(5)]
        assert diary.entries.count(("start", channel)) == 1


async def test_messages_of_a_group_arrive_too(diary: Diary, layer: InMemoryChannelLayer) -> None:
    await layer.group_add("everyone", "a")
    async with working(Worker(recorder(diary), ["a"], layer)):
        await layer.group_send("everyone", {"type": "x", "n": 1})
        await diary.wait_for(("a", 1))


async def test_an_instance_that_fails_is_logged_and_replaced(
    diary: Diary, layer: InMemoryChannelLayer, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(Worker(recorder(diary), ["a"], layer)):
        await layer.send("a", {"type": "fail", "n": 1})
        await layer.send("a", {"type": "send", "n": 2})
        await layer.send("a", {"type": "end", "n": 3})
        await layer.send("a", {"type": "x", "n": 4})
        await diary.wait_for(("a", 4))
    assert diary.entries.count(("start", "a")) == 4
    texts = [(record.getMessage(), record.exc_info) for record in caplog.records if record.name == LOG]
    assert [text for text, _ in texts] == ["Exception inside application on channel 'a'."] * 2
    (_, (_, first, _)), (_, (_, second, _)) = texts  # type: ignore[misc]
    assert isinstance(first, KeyError)
    assert "a worker has no client to send to" in str(second)


async def test_a_message_without_a_type_is_dropped_and_counted(
    diary: Diary, layer: InMemoryChannelLayer, caplog: pytest.LogCaptureFixture
) -> None:
    before = telemetry.counters["worker.dropped"]
    async with working(Worker(recorder(diary), ["a"], layer)):
        await layer.send("a", {"n": 1})
        await layer.send("a", {"type": "x", "n": 2})
        await diary.wait_for(("a", 2))
    assert telemetry.counters["worker.dropped"] == before + 1
    assert "message with no type on channel 'a'" in caplog.text


async def test_what_an_application_never_takes_is_counted(layer: InMemoryChannelLayer) -> None:
    router = ProtocolTypeRouter({"channel": ChannelNameRouter({})})
    before = telemetry.counters["worker.dropped"]
    failed = asyncio.Event()

    class Watching(Worker):
        async def application_exception(self, exception: BaseException, application_details: Any) -> None:
            assert isinstance(exception, ValueError)
            failed.set()

    async with working(Watching(router, ["a"], layer)):
        await layer.send("a", {"type": "x"})
        await asyncio.wait_for(failed.wait(), PATIENCE)
    assert telemetry.counters["worker.dropped"] == before + 1


async def test_a_listener_that_fails_is_seen_and_starts_again(
    diary: Diary, layer: InMemoryChannelLayer, caplog: pytest.LogCaptureFixture
) -> None:
    receive, failures = layer.receive, [OSError("backend gone"), OSError("still gone")]

    async def flaky(channel: str) -> Message:
        if failures:
            raise failures.pop()
        return await receive(channel)

    layer.receive = flaky
    before = telemetry.counters["worker.listener_failed"]
    async with working(Eager(recorder(diary), ["a"], layer)):
        await layer.send("a", {"type": "x", "n": 1})
        await diary.wait_for(("a", 1))
    assert telemetry.counters["worker.listener_failed"] == before + 2
    assert "The listener on channel 'a' failed; it starts again in 0.01 s" in caplog.text
    assert "backend gone" in caplog.text


async def test_a_listener_that_worked_for_long_starts_again_soon(
    diary: Diary, layer: InMemoryChannelLayer, caplog: pytest.LogCaptureFixture
) -> None:
    class Steady(Eager):
        max_restart_delay = 0.0
        tries = 0

        async def listener(self, channel: str) -> None:
            self.tries += 1
            await asyncio.sleep(0)
            if self.tries < 4:
                raise OSError("gone")
            diary.note("ended")

    async with working(Steady(recorder(diary), ["a"], layer)):
        await diary.wait_for("ended")
    assert caplog.text.count("starts again in 0.01 s") == 3


async def test_without_a_layer_there_is_nothing_to_do(diary: Diary) -> None:
    with pytest.raises(ValueError, match="Channel layer is not valid.*CHANNEL_LAYERS"):
        Worker(recorder(diary), ["a"], None)


class Slow(AsyncConsumer):
    """Notes when a message is begun and when it is done."""

    diary: Diary
    go: asyncio.Event

    def __init__(self, diary: Diary, go: asyncio.Event) -> None:
        self.diary, self.go = diary, go

    async def work(self, message: Message) -> None:
        self.diary.note("begun")
        await self.go.wait()
        self.diary.note("done")


class TestStop:
    async def test_waits_for_the_message_in_hand(self, diary: Diary, layer: InMemoryChannelLayer) -> None:
        go = asyncio.Event()
        worker = Worker(Slow.as_asgi(diary=diary, go=go), ["a"], layer)
        async with working(worker) as task:
            await layer.send("a", {"type": "work"})
            await layer.send("a", {"type": "work"})
            await diary.wait_for("begun")
            worker.stop()
            await asyncio.sleep(0)
            assert not task.done()
            go.set()
            await asyncio.wait_for(asyncio.shield(task), PATIENCE)
        assert diary.entries == ["begun", "done"]
        assert worker.application_instances == {}
        # The second one was not taken: the next worker gets it.
        assert await asyncio.wait_for(layer.receive("a"), PATIENCE) == {"type": "work"}

    async def test_has_an_end(
        self, diary: Diary, layer: InMemoryChannelLayer, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Impatient(Worker):
            shutdown_timeout = 0.05

        worker = Impatient(Slow.as_asgi(diary=diary, go=asyncio.Event()), ["a"], layer)
        before = telemetry.counters["worker.dropped"]
        async with working(worker):
            await layer.send("a", {"type": "work"})
            await diary.wait_for("begun")
        assert diary.entries == ["begun"]
        assert telemetry.counters["worker.dropped"] == before + 1
        assert "1 applications did not finish within 0.05 s" in caplog.text

    async def test_leaves_no_task_behind(self, diary: Diary, layer: InMemoryChannelLayer) -> None:
        before = asyncio.all_tasks()
        async with working(Worker(Slow.as_asgi(diary=diary, go=asyncio.Event()), ["a", "b"], layer)):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_stops_it(self, number: int, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, LOG)
        handled: list[Any] = []
        layer = InMemoryChannelLayer()

        class Signalling(SyncConsumer):
            def work(self, message: Message) -> None:
                os.kill(os.getpid(), number)
                handled.append(message["n"])

        class Prepared(Worker):
            async def handle(self) -> None:
                await self.channel_layer.send("a", {"type": "work", "n": 1})
                await super().handle()

        Prepared(Signalling.as_asgi(), ["a"], layer).run()
        assert handled == [1]
        assert "messages in hand are handled first" in caplog.text

    def test_an_interrupt_that_comes_through_is_no_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, LOG)

        class Interrupted(Worker):
            async def handle(self) -> None:
                raise KeyboardInterrupt

        Interrupted(None, [], InMemoryChannelLayer()).run()  # type: ignore[arg-type]
        assert "Exiting due to Ctrl-C" in caplog.text

    def test_in_another_thread_signals_are_not_its_business(self) -> None:
        ended: list[bool] = []

        class Brief(Worker):
            async def handle(self) -> None:
                self.stop()
                await super().handle()

        def run() -> None:
            Brief(None, [], InMemoryChannelLayer()).run()  # type: ignore[arg-type]
            ended.append(True)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(PATIENCE)
        assert ended == [True]


class Acknowledging(InMemoryChannelLayer):
    """Notes what was acknowledged, as layers that survive a worker's death do it."""

    def __init__(self, diary: Diary) -> None:
        super().__init__()
        self.diary = diary
        engine_of(self).take = self.take  # a method of that name on a subclass is the project's own affair

    async def take(self, channel: str) -> tuple[Message, Callable[[], Any]]:
        message = await self.receive(channel)

        async def acknowledge() -> None:
            self.diary.note(f"acknowledged {message['n']}")

        return message, acknowledge


class TestReplacedReceive:
    async def test_is_asked(self, diary: Diary) -> None:
        class Marking(Acknowledging):
            async def receive(self, channel: str) -> Message:
                return {**await super().receive(channel), "n": "marked"}

        layer = Marking(diary)
        async with working(Worker(recorder(diary), ["a"], layer)):
            await layer.send("a", {"type": "work"})
            await diary.wait_for(("a", "marked"))
        assert diary.entries == [("start", "a"), ("a", "marked")]

    async def test_a_mock_of_a_layer_will_do(self, diary: Diary) -> None:
        waiting = [{"type": "work", "n": 1}]

        async def receive(channel: str) -> Message:
            return waiting.pop() if waiting else await asyncio.Future()

        layer = AsyncMock()
        layer.receive = receive
        async with working(Worker(recorder(diary), ["a"], layer)):
            await diary.wait_for(("a", 1))


class TestAcknowledgement:
    async def test_comes_after_the_message_was_handled(self, diary: Diary) -> None:
        layer, go = Acknowledging(diary), asyncio.Event()
        async with working(Worker(Slow.as_asgi(diary=diary, go=go), ["a"], layer)):
            await layer.send("a", {"type": "work", "n": 1})
            await layer.send("a", {"type": "work", "n": 2})
            await diary.wait_for("begun")
            assert diary.entries == ["begun"]
            go.set()
            await diary.wait_for("acknowledged 2")
        assert diary.entries == ["begun", "done", "acknowledged 1", "begun", "done", "acknowledged 2"]

    async def test_comes_for_what_was_handled_during_the_stop(self, diary: Diary) -> None:
        layer, go = Acknowledging(diary), asyncio.Event()
        worker = Worker(Slow.as_asgi(diary=diary, go=go), ["a"], layer)
        async with working(worker):
            await layer.send("a", {"type": "work", "n": 1})
            await diary.wait_for("begun")
            worker.stop()
            go.set()
            await diary.wait_for("acknowledged 1")

    async def test_does_not_come_for_what_was_not(self, diary: Diary) -> None:
        class Impatient(Worker):
            shutdown_timeout = 0.05

        layer = Acknowledging(diary)
        async with working(Impatient(Slow.as_asgi(diary=diary, go=asyncio.Event()), ["a"], layer)):
            await layer.send("a", {"type": "work", "n": 1})
            await diary.wait_for("begun")
        assert diary.entries == ["begun"]


class TestInstances:
    async def test_too_many_make_the_oldest_go(self, diary: Diary, layer: InMemoryChannelLayer) -> None:
        worker = Worker(recorder(diary), [], layer, max_applications=1)
        for channel in ("a", "b", "c"):
            scope = {"type": "channel", "channel": channel}
            worker.get_or_create_application_instance(channel, scope).put_nowait({"type": "x", "n": 0})
            await diary.wait_for((channel, 0))
        assert list(worker.application_instances) == ["b", "c"]
        worker.stop()
        await worker.handle()

    async def test_messages_left_by_one_that_failed_go_to_the_next(
        self, diary: Diary, layer: InMemoryChannelLayer
    ) -> None:
        worker = Worker(recorder(diary), [], layer)
        inbox = worker.get_or_create_application_instance("a", {"type": "channel", "channel": "a"})
        inbox.put_nowait({"type": "fail", "n": 1})
        inbox.put_nowait({"type": "x", "n": 2})
        await diary.wait_for(("a", 2))
        assert diary.entries == [("start", "a"), ("a", 1), ("start", "a"), ("a", 2)]
        worker.stop()
        await worker.handle()

    async def test_an_inbox_pushes(self) -> None:
        inbox, woken = InputQueue(), []
        wakeup: Callable[[], None] = lambda: woken.append(True)  # noqa: E731
        inbox.set_wakeup(wakeup)
        inbox.put_nowait({"type": "x"})
        assert woken == [True]
        assert inbox.waiting == 1
        assert inbox.receive_nowait() == {"type": "x"}
        waiter = asyncio.ensure_future(inbox.wait_handled())
        await asyncio.sleep(0)
        assert not waiter.done()
        assert inbox.receive_nowait() is None
        await asyncio.wait_for(waiter, PATIENCE)
