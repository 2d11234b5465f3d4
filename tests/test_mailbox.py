from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import Any

import pytest

from channels.core.broadcast import Broadcast
from channels.exceptions import StopConsumer
from channels.layers import InMemoryChannelLayer
from channels.layers.engine import pushing_engine
from channels.mailbox import (
    BATCH,
    Mailbox,
    ReceiveTask,
    close_without_pending_receive,
    direct_write,
    fastlane,
    get_handler_name,
    is_fastlane,
    may_be_left_out,
    pushing_receive,
)
from channels.server.loops import count_tasks
from channels.typing import PUSH_EXTENSION


def wraps(function: Any) -> Any:
    """Do as :func:`functools.wraps`, with no word about types."""
    return functools.wraps(function)


class Source:
    """An EventSource that a test fills."""

    def __init__(self, *messages):
        self.messages = deque(messages)
        self.wakeup = None

    def put(self, message):
        self.messages.append(message)
        if self.wakeup:
            self.wakeup()

    def receive_nowait(self):
        return self.messages.popleft() if self.messages else None

    def set_wakeup(self, wakeup):
        self.wakeup = wakeup

    async def receive(self):
        raise AssertionError("a pushing source is not asked")


@pytest.mark.parametrize(
    ("kind", "name"), [("websocket.receive", "websocket_receive"), ("a.b.c", "a_b_c"), ("x_", "x_")]
)
def test_handler_names(kind, name):
    assert get_handler_name({"type": kind}) == name


@pytest.mark.parametrize("kind", ["_private", ".private", "__init__"])
def test_private_methods_cannot_be_called(kind):
    with pytest.raises(ValueError, match="Malformed type in message"):
        get_handler_name({"type": kind})


def test_a_message_needs_a_type():
    with pytest.raises(ValueError, match=r"has no 'type' attribute, only \['text'\]"):
        get_handler_name({"text": "x"})


async def test_sources_take_turns():
    mailbox = Mailbox()
    mailbox.add(Source(*"aaa"))
    mailbox.add(Source(*"bbb"))
    assert [await mailbox.get() for _ in range(6)] == [*"ababab"]
    assert mailbox.get_nowait() is None


async def test_waiting_ends_with_the_first_message_of_any_source():
    mailbox, first, second = Mailbox(), Source(), Source()
    mailbox.add(first)
    mailbox.add(second)
    waiting = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    second.put("b")
    first.put("a")
    assert await asyncio.wait_for(waiting, 5) == "a"
    assert await mailbox.get() == "b"


@pytest.mark.parametrize("flooding", [0, 1])
async def test_a_flood_from_one_source_does_not_hold_up_the_other(flooding):
    mailbox, sources = Mailbox(), [Source(), Source()]
    for source in sources:
        mailbox.add(source)
    flood, other = sources[flooding], sources[1 - flooding]
    assert mailbox.get_nowait() is None  # so each is known to have nothing
    for _ in range(10):
        flood.put("flood")
    assert mailbox.get_nowait() == "flood"
    other.put("other")
    assert "other" in [mailbox.get_nowait(), mailbox.get_nowait()]
    other.put("again")
    assert "again" in [mailbox.get_nowait(), mailbox.get_nowait()]
    assert [mailbox.get_nowait() for _ in range(8)] == ["flood"] * 7 + [None]


async def test_a_source_that_has_nothing_is_not_asked_for_each_message():
    class Counting(Source):
        asked = 0

        def receive_nowait(self):
            self.asked += 1
            return super().receive_nowait()

    mailbox, server, layer = Mailbox(), Source(), Counting()
    mailbox.add(server)
    mailbox.add(layer)
    assert mailbox.get_nowait() is None
    for _ in range(100):
        server.put("frame")
        assert mailbox.get_nowait() == "frame"
        assert mailbox.get_nowait() is None
    assert layer.asked == 1
    layer.put("event")
    assert mailbox.get_nowait() == "event"


async def test_a_source_wakes_who_was_cancelled():
    async def handle(message):
        raise AssertionError(message)

    mailbox, source = Mailbox(), Source()
    mailbox.add(source)
    delivering = asyncio.ensure_future(mailbox.deliver(handle))
    await asyncio.sleep(0)
    delivering.cancel()
    await asyncio.wait([delivering])
    source.put("a")
    source.put("b")
    assert await mailbox.get() == "a"


async def test_a_cancelled_wait_takes_nothing():
    mailbox, source = Mailbox(), Source()
    mailbox.add(source)
    waiting = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    source.put("a")
    waiting.cancel()
    await asyncio.wait([waiting])
    assert await mailbox.get() == "a"


async def test_an_empty_message_is_a_message():
    handled = []

    async def handle(message):
        handled.append(message)
        raise EOFError

    mailbox = Mailbox()
    mailbox.add(Source({}))
    with pytest.raises(EOFError):
        await mailbox.deliver(handle)
    assert handled == [{}]


async def test_what_an_error_was_raised_at_is_kept():
    async def handle(message):
        raise RuntimeError("broken")

    mailbox = Mailbox()
    mailbox.add(Source({"type": "x"}))
    with pytest.raises(RuntimeError):
        await mailbox.deliver(handle)
    assert mailbox.failed == {"type": "x"}


@pytest.mark.parametrize(("counts", "least", "most"), [(True, BATCH, 3 * BATCH), (False, 2, 3)])
async def test_a_consumer_that_feeds_itself_lets_others_run(counts, least, most):
    """After a batch of messages where the loop counts its tasks, else after each."""
    if counts:
        count_tasks(asyncio.get_running_loop())
    mailbox, source = Mailbox(), Source({"type": "again"})
    mailbox.add(source)
    handled = []

    async def handle(message):
        handled.append(message)
        source.put(message)

    delivering = asyncio.ensure_future(mailbox.deliver(handle))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    delivering.cancel()
    await asyncio.wait([delivering])
    assert least <= len(handled) <= most


async def test_no_task_is_created_for_a_message():
    mailbox, source = Mailbox(), Source()
    mailbox.add(source)
    handled = asyncio.Queue()
    delivering = asyncio.ensure_future(mailbox.deliver(handled.put))
    await asyncio.sleep(0)
    made = []
    asyncio.get_running_loop().set_task_factory(
        lambda loop, coro, **kw: made.append(coro) or asyncio.Task(coro, loop=loop, **kw)
    )
    for n in range(1000):
        source.put({"n": n})
        assert (await handled.get())["n"] == n
    assert made == []
    delivering.cancel()


async def test_closing_lets_go_of_the_sources():
    mailbox, source = Mailbox(), Source("left")
    mailbox.add(source)
    mailbox.close()
    assert source.wakeup is None
    assert mailbox.get_nowait() is None
    assert source.messages == deque(["left"])


async def test_a_pump_reads_one_ahead_and_no_more():
    asked = []

    async def receive():
        asked.append(len(asked))
        return {"type": "x", "n": asked[-1]}

    receive_task = ReceiveTask(receive)
    mailbox = Mailbox()
    mailbox.add(receive_task)
    for n in range(3):
        assert (await mailbox.get())["n"] == n
    for _ in range(5):
        await asyncio.sleep(0)
    assert asked == [0, 1, 2, 3]
    await receive_task.aclose()


async def test_what_receive_raises_comes_out_after_what_it_gave():
    answers = deque([{"type": "x"}])

    async def receive():
        if answers:
            return answers.popleft()
        raise ConnectionError("backend is gone")

    mailbox, receive_task = Mailbox(), ReceiveTask(receive)
    mailbox.add(receive_task)
    assert await mailbox.get() == {"type": "x"}
    with pytest.raises(ConnectionError, match="backend is gone"):
        await mailbox.get()
    await receive_task.aclose()


async def test_a_pump_ends_when_it_is_closed():
    receive_task = ReceiveTask(asyncio.Event().wait)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await receive_task.aclose()
    assert receive_task._task.cancelled()


async def test_nothing_is_asked_while_a_close_is_sent():
    asked = []
    queue = asyncio.Queue()

    async def receive():
        asked.append("began")
        try:
            return await queue.get()
        finally:
            asked.append("ended")

    async def send(message):
        sent.append((message["type"], asked[-1]))

    sent = []
    mailbox, receive_task = Mailbox(), ReceiveTask(receive)
    mailbox.add(receive_task)
    await asyncio.sleep(0)
    paused = close_without_pending_receive(receive_task, send)
    await paused({"type": "websocket.send"})
    await paused({"type": "websocket.close"})
    assert sent == [("websocket.send", "began"), ("websocket.close", "ended")]
    queue.put_nowait({"type": "websocket.disconnect"})
    assert (await mailbox.get())["type"] == "websocket.disconnect"
    await receive_task.aclose()


async def test_a_message_that_waits_is_not_lost_by_a_pause():
    async def receive():
        return {"type": "x"}

    mailbox, receive_task = Mailbox(), ReceiveTask(receive)
    mailbox.add(receive_task)
    await asyncio.sleep(0)
    async with receive_task.paused():
        pass
    assert await mailbox.get() == {"type": "x"}
    await receive_task.aclose()


async def test_the_servers_own_receive_is_read_directly_a_wrapped_one_is_not():
    source = Source()
    scope = {"type": "websocket", "extensions": {PUSH_EXTENSION: source}}
    assert pushing_receive(scope, source.receive) is source

    async def wrapped():
        return await source.receive()

    assert pushing_receive(scope, wrapped) is None
    assert pushing_receive({"type": "websocket"}, source.receive) is None


def test_a_layer_whose_receive_was_replaced_is_asked():
    class Overridden(InMemoryChannelLayer):
        async def receive(self, channel):
            return await super().receive(channel)

    patched = InMemoryChannelLayer()
    patched.receive = lambda channel: None  # type: ignore[assignment, return-value]
    assert pushing_engine(InMemoryChannelLayer()) is not None
    assert pushing_engine(Overridden()) is None
    assert pushing_engine(patched) is None
    assert pushing_engine(object()) is None


async def test_a_consumer_that_stops_has_not_failed():
    async def handle(message):
        raise StopConsumer

    mailbox = Mailbox()
    mailbox.add(Source({"type": "websocket.disconnect"}))
    with pytest.raises(StopConsumer):
        await mailbox.deliver(handle)
    assert mailbox.failed is None
    assert mailbox.peer_gone


async def test_a_task_of_a_handler_gets_its_turn_before_the_next_message():
    count_tasks(asyncio.get_running_loop())
    order, tasks = [], set()

    async def begun(name):
        order.append(f"task of {name}")

    async def handle(message):
        order.append(message["type"])
        tasks.add(asyncio.ensure_future(begun(message["type"])))

    mailbox = Mailbox()
    mailbox.add(Source({"type": "a"}, {"type": "b"}))
    delivering = asyncio.ensure_future(mailbox.deliver(handle))
    while len(order) < 4:
        await asyncio.sleep(0)
    assert order == ["a", "task of a", "b", "task of b"]
    delivering.cancel()


async def test_waking_who_was_cancelled_or_does_not_wait_is_harmless():
    mailbox = Mailbox()
    mailbox.wake()
    waiting = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    mailbox.wake()
    mailbox.wake()
    assert mailbox.get_nowait() is None


async def test_a_broadcast_is_written_past_a_consumer_that_waits_and_only_then():
    mailbox, source, written = Mailbox(), Source(), []
    mailbox.add(source)
    broadcast = Broadcast([{"type": "websocket.send", "text": "x"}])
    busy, done = asyncio.Event(), asyncio.Event()

    async def handle(message):
        busy.set()
        await done.wait()

    def write(given):
        written.append(given)
        return True

    delivering = asyncio.ensure_future(mailbox.deliver(handle))
    await asyncio.sleep(0)
    assert not mailbox.write_idle(broadcast), "there is nothing that writes"
    mailbox.add(Source(), write)
    assert mailbox.write_idle(broadcast)
    source.put({"type": "x"})
    await busy.wait()
    assert not mailbox.write_idle(broadcast), "the consumer is at work"
    assert written == [broadcast]
    delivering.cancel()


async def test_closing_returns_the_tasks_that_have_to_be_ended():
    mailbox, receive_task = Mailbox(), ReceiveTask(asyncio.Event().wait)  # type: ignore[arg-type]
    mailbox.add(Source())
    mailbox.add(receive_task)
    assert mailbox.close() == [receive_task]
    await receive_task.aclose()


async def test_a_task_that_nobody_listens_to_keeps_its_message():
    async def receive():
        return {"type": "x"}

    receive_task = ReceiveTask(receive)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert receive_task.receive_nowait() == {"type": "x"}
    await receive_task.aclose()


class Server(Source):
    """A source of a server that writes broadcasts."""

    async def send(self, message):
        """Its application's ``send``."""

    def write_broadcast(self, broadcast):
        return True


class Wrapper:
    """A ``send`` that looks at messages of one type, and hands the others on."""

    def __init__(self, send, looks_at):
        self.real_send, self.looks_at = send, looks_at

    async def send(self, message):
        """Hand it on."""


may_be_left_out(Wrapper.send, lambda wrapper, kind: None if kind == wrapper.looks_at else wrapper.real_send)


async def test_a_broadcast_goes_past_wrappers_that_do_not_look_at_it():
    server = Server()
    inner = Wrapper(server.send, "http.response.start")
    assert direct_write(server, server.send) == server.write_broadcast
    assert direct_write(server, Wrapper(inner.send, "http.response.start").send) == server.write_broadcast
    assert direct_write(server, Wrapper(server.send, "websocket.send").send) is None


async def test_a_broadcast_goes_through_wrappers_that_may_look_at_it():
    server = Server()

    async def own(message):
        await server.send(message)

    class Overridden(Wrapper):
        async def send(self, message):
            await super().send(message)

    class Decorated(Wrapper):
        @wraps(Wrapper.send)
        async def send(self, message):
            """Look at it, too."""

    assert direct_write(server, own) is None
    assert direct_write(server, Overridden(server.send, "").send) is None
    assert direct_write(server, Decorated(server.send, "").send) is None
    assert direct_write(Source(), server.send) is None


def test_a_marked_handler_is_known_on_every_object_and_what_wraps_it_is_not():
    class Consumer:
        @fastlane
        async def websocket_send(self, message):
            """Pass it on."""

    class Decorated(Consumer):
        @wraps(Consumer.websocket_send)
        async def websocket_send(self, message):
            """Look at it, too."""

    class Inherited(Consumer):
        pass

    assert is_fastlane(Consumer().websocket_send)
    assert is_fastlane(Inherited().websocket_send)
    assert not is_fastlane(Decorated().websocket_send)
    assert not is_fastlane(None)
