"""The contract of :mod:`channels.layers.base` as tests, for every backend, third-party ones included.

:class:`TopicStoreContract` is that of stores of topics, see :mod:`channels.testing.store_contract`, and
:class:`StoreValuesContract` that of those that keep values besides.

Derive a test case and say how your layer is made::

    from unittest import IsolatedAsyncioTestCase
    from channels.testing.contracts import ChannelLayerContract

    class MyLayerTests(ChannelLayerContract, IsolatedAsyncioTestCase):
        def make_layer(self, **config):
            return MyLayer(**config)

Set ``pushing = False`` for a layer that has no ``attach``, ``detach``, ``statistics`` and ``sync``, and
``takes_anything = True`` for one whose messages need not be dicts. With ``spans_processes = True`` two layers
that ``make_layer`` returns are two processes that reach each other.

More than 400 lines: the contract is one class, so that a test case derives from it and runs all of it.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import threading
import uuid
from typing import Any

from asgiref.sync import async_to_sync

from channels.exceptions import ChannelFull
from channels.layers.names import channel_name, group_name
from channels.testing.store_contract import StoreValuesContract, TopicStoreContract
from channels.typing import EventSource, Message

__all__ = ["ChannelLayerContract", "StoreValuesContract", "TopicStoreContract", "numbered"]

PATIENCE = 20.0  # seconds until a message that should come counts as lost
QUIET = 0.2  # seconds without a message that mean none was sent

VALUES: dict[str, Any] = {
    "text": "héllo ✓",
    "bytes": b"\x00\xff",
    "number": 1.5,
    "big": 2**40,
    "none": None,
    "flag": True,
    "list": [1, [2, {"a": "b"}]],
    "dict": {"nested": {"er": [1, 2]}},
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC),
    "naive": datetime.datetime(2026, 1, 2, 3, 4, 5),
    "date": datetime.date(2026, 1, 2),
    "time": datetime.time(3, 4, 5, 6),
    "timedelta": datetime.timedelta(days=-1, microseconds=5),
    "decimal": decimal.Decimal("1.500"),
    "uuid": uuid.UUID(int=7),
    "set": {1, 2},
    "tuple": (1, ("a", 2)),
    "deep": [{"when": datetime.date(2026, 1, 2)}, ({3},)],
}


def numbered(n: int) -> Message:
    """Return a message that carries ``n``."""
    return {"type": "test.message", "n": n}


class ChannelLayerContract:
    """The tests; mix into an ``IsolatedAsyncioTestCase``."""

    pushing = True
    takes_anything = False
    spans_processes = False

    def make_layer(self, **config: Any) -> Any:
        """Return a new layer; ``config`` are arguments of 4.3 such as ``capacity`` and ``expiry``."""
        raise NotImplementedError(f"{type(self).__name__} must implement make_layer(**config).")

    async def asyncSetUp(self) -> None:
        """Make the layer that most tests use."""
        self.layer = self.make_layer(capacity=100)
        await self.layer.flush()

    async def asyncTearDown(self) -> None:
        """Close it."""
        await self.close(self.layer)

    async def close(self, layer: Any) -> None:
        """Empty a layer and close its connections."""
        await layer.flush()
        closing = getattr(layer, "aclose", None) or getattr(layer, "close", None)
        if closing is not None:
            await closing()

    async def receive(self, channel: str, layer: Any = None) -> Message:
        """Return the next message, or fail after a while."""
        message: Message = await asyncio.wait_for((layer or self.layer).receive(channel), PATIENCE)
        return message

    async def assert_quiet(self, channel: str, layer: Any = None) -> None:
        """Fail if a message comes."""
        try:
            message = await asyncio.wait_for((layer or self.layer).receive(channel), QUIET)
        except TimeoutError:
            return
        raise AssertionError(f"Nothing should arrive on {channel!r}, got {message!r}.")

    async def take(self, source: EventSource, amount: int) -> list[Any]:
        """Return the numbers of the next messages of an attached channel."""
        arrived = asyncio.Event()
        source.set_wakeup(arrived.set)
        numbers: list[Any] = []
        async with asyncio.timeout(PATIENCE):
            while len(numbers) < amount:
                message = source.receive_nowait()
                if message is None:
                    await arrived.wait()
                    arrived.clear()
                else:
                    numbers.append(message["n"])
        return numbers

    # Sending and receiving

    async def test_a_message_arrives(self) -> None:
        """What is sent to a channel can be received there, also by a name from new_channel."""
        for channel in ("test-channel", await self.layer.new_channel()):
            await self.layer.send(channel, {"type": "test.message", "text": "Ahoy-hoy!"})
            assert await self.receive(channel) == {"type": "test.message", "text": "Ahoy-hoy!"}
            await self.assert_quiet(channel)

    async def test_order_is_kept_on_a_channel(self) -> None:
        """One sender's messages arrive in the order they were sent."""
        for n in range(50):
            await self.layer.send("test-order", numbered(n))
        assert [(await self.receive("test-order"))["n"] for _ in range(50)] == list(range(50))

    async def test_each_message_has_one_reader(self) -> None:
        """Readers of one named channel share its messages."""
        readers = [asyncio.ensure_future(self.receive("test-shared")) for _ in range(2)]
        await asyncio.sleep(0.05)
        for n in range(2):
            await self.layer.send("test-shared", numbered(n))
        assert sorted([message["n"] for message in await asyncio.gather(*readers)]) == [0, 1]

    async def test_a_cancelled_receive_loses_nothing(self) -> None:
        """Whoever stops waiting leaves the message to the next."""
        for n in range(20):
            reader = asyncio.ensure_future(self.layer.receive("test-cancel"))
            await asyncio.sleep(0.005 * (n % 3))
            await self.layer.send("test-cancel", numbered(n))
            reader.cancel()
            await asyncio.wait([reader])
            got = (await self.receive("test-cancel")) if reader.cancelled() else reader.result()
            assert got["n"] == n

    async def test_a_full_channel_refuses(self) -> None:
        """``send`` over capacity raises ChannelFull; what was there before stays."""
        layer = self.make_layer(capacity=3)
        for n in range(3):
            await layer.send("test-full", numbered(n))
        try:
            await layer.send("test-full", numbered(3))
        except ChannelFull:
            assert [(await self.receive("test-full", layer))["n"] for _ in range(3)] == [0, 1, 2]
        else:
            raise AssertionError("The fourth message should raise ChannelFull.")
        finally:
            await self.close(layer)

    async def test_unread_messages_expire(self) -> None:
        """A message nobody reads within ``expiry`` is gone."""
        layer = self.make_layer(expiry=1)
        await layer.send("test-expiry", numbered(1))
        await asyncio.sleep(1.3)
        await self.assert_quiet("test-expiry", layer)
        await self.close(layer)

    # Values and names

    async def test_values_come_back_equal(self) -> None:
        """All types of the contract travel, at any depth."""
        await self.layer.group_add("test-values", "test-values-member")
        await self.layer.send("test-values-channel", {"type": "test", **VALUES})
        await self.layer.group_send("test-values", {"type": "test", **VALUES})
        for channel in ("test-values-channel", "test-values-member"):
            received = await self.receive(channel)
            for key, value in VALUES.items():
                assert received[key] == value, f"{key}: sent {value!r}, received {received[key]!r}"
                assert type(received[key]) is type(value), f"{key}: {type(received[key])}"

    async def test_what_cannot_travel_is_named(self) -> None:
        """A value that cannot be carried is a TypeError that names its key."""
        await self.layer.group_add("test-type-error", "test-type-error-member")
        for send in (self.layer.send, self.layer.group_send):
            message = {"type": "test", "outer": {"culprit": object()}}
            error = await self.assert_raises(TypeError, send("test-type-error", message))
            assert "culprit" in str(error)

    async def test_the_receiver_has_its_own_copy(self) -> None:
        """Neither the sender nor another receiver sees what a receiver changes."""
        message = {"type": "test", "items": [1]}
        for channel in ("test-copy-a", "test-copy-b"):
            await self.layer.group_add("test-copy", channel)
        await self.layer.group_send("test-copy", message)
        message["items"].append(2)  # type: ignore[attr-defined]  # a list, as the line above says
        (await self.receive("test-copy-a"))["items"].append(3)
        assert (await self.receive("test-copy-b"))["items"] == [1]

    async def test_names_are_checked(self) -> None:
        """Names out of grammar and messages that are no dicts are the caller's mistakes."""
        for call in (
            self.layer.send("no spaces", {}),
            self.layer.group_add("g", "é"),
            self.layer.group_send("é", {}),
        ):
            await self.assert_raises(TypeError, call)
        if not self.takes_anything:
            await self.assert_raises(AssertionError, self.layer.send("test-names", "text"))
            await self.assert_raises(AssertionError, self.layer.group_send("test-names", None))

    async def assert_raises(self, kind: type[Exception], call: Any) -> Exception:
        """Return what awaiting ``call`` raises; fail unless it is a ``kind``."""
        try:
            await call
        except kind as error:
            return error
        raise AssertionError(f"{kind.__name__} should have been raised.")

    async def test_any_text_has_a_name_that_works(self) -> None:
        """500 characters of any script name a group and a channel, through ``channels.layers.names``."""
        text = "Küche 7/блог ✓ 🎉" * 30
        group, channel = group_name(text[:500]), channel_name(text[:499])
        await self.layer.group_add(group, channel)
        await self.layer.group_send(group, numbered(1))
        await self.layer.send(channel, numbered(2))
        assert {(await self.receive(channel))["n"] for _ in range(2)} == {1, 2}

    async def test_new_names_are_new(self) -> None:
        """Names from new_channel never repeat, and belong to this process."""
        names = [await self.layer.new_channel() for _ in range(100)]
        assert len(set(names)) == 100
        assert all("!" in name for name in names)

    # Groups

    async def test_members_get_what_is_sent_to_their_group(self) -> None:
        """Members do, those who left and those of other groups do not."""
        names = [await self.layer.new_channel() for _ in range(4)]
        for name in names[:3]:
            await self.layer.group_add("test-group", name)
        await self.layer.group_add("test-group", names[0])
        await self.layer.group_add("test-other", names[3])
        await self.layer.group_discard("test-group", names[2])
        await self.layer.group_discard("test-group", names[3])
        await self.layer.group_send("test-group", numbered(1))
        assert (await self.receive(names[0]))["n"] == 1
        assert (await self.receive(names[1]))["n"] == 1
        for name in names:
            await self.assert_quiet(name)
        await self.layer.group_send("test-nobody", numbered(1))

    async def test_order_is_kept_in_a_group(self) -> None:
        """Each member gets one sender's messages in the order they were sent."""
        names = [await self.layer.new_channel() for _ in range(3)]
        for name in names:
            await self.layer.group_add("test-group-order", name)
        for n in range(50):
            await self.layer.group_send("test-group-order", numbered(n))
        for name in names:
            assert [(await self.receive(name))["n"] for _ in range(50)] == list(range(50))

    async def test_a_full_member_misses_the_message_and_nobody_else_does(self) -> None:
        """``group_send`` never raises for one slow member."""
        layer = self.make_layer(capacity=2)
        slow, quick = await layer.new_channel(), await layer.new_channel()
        for name in (slow, quick):
            await layer.group_add("test-slow", name)
        for n in range(4):
            await layer.group_send("test-slow", numbered(n))
            assert (await self.receive(quick, layer))["n"] == n
        assert [(await self.receive(slow, layer))["n"] for _ in range(2)] == [0, 1]
        await self.assert_quiet(slow, layer)
        if self.pushing:
            assert layer.statistics()["dropped"] == {"capacity": 2}
        await self.close(layer)

    async def test_who_is_in_a_group(self) -> None:
        """Each channel once, a named one too, and nobody who has left; the sync face knows the same."""
        if not self.pushing:
            return
        names = sorted([await self.layer.new_channel() for _ in range(3)])
        for name in (*names, "test-members-named", names[0]):
            await self.layer.group_add("test-members", name)
        await self.layer.group_discard("test-members", names[1])
        expected = sorted([names[0], names[2], "test-members-named"])
        found, count = (
            await self.layer.group_channels("test-members"),
            await self.layer.group_count("test-members"),
        )
        assert (list(found), found.unanswered) == (expected, 0)
        assert (count, count.unanswered) == (3, 0)
        nobody = await self.layer.group_channels("test-members-nobody")
        assert (list(nobody), nobody.unanswered) == ([], 0)
        await self.assert_raises(TypeError, self.layer.group_channels("no spaces"))

        def work() -> None:
            assert list(self.layer.sync.group_channels("test-members")) == expected
            assert self.layer.sync.group_count("test-members") == 3

        await self.in_threads(work, 1)

    async def test_who_is_in_a_group_in_other_processes(self) -> None:
        """Each layer is a process of its own to the backend, unless it spans one only."""
        if not self.pushing or not self.spans_processes:
            return
        other = self.make_layer()
        here, there = await self.layer.new_channel(), await other.new_channel()
        await self.layer.group_add("test-members", here)
        await other.group_add("test-members", there)
        for layer in (self.layer, other):
            assert await layer.group_channels("test-members") == sorted([here, there])
            assert await layer.group_count("test-members") == 2
        await self.close(other)

    async def test_flush_forgets(self) -> None:
        """After a flush there are no messages and no memberships."""
        await self.layer.send("test-flush", numbered(1))
        await self.layer.group_add("test-flush", "test-flush-member")
        await self.layer.flush()
        await self.layer.group_send("test-flush", numbered(2))
        await self.assert_quiet("test-flush")
        await self.assert_quiet("test-flush-member")

    # From other threads and loops

    async def test_sync_code_in_many_threads_and_loops(self) -> None:
        """``async_to_sync`` works from any thread, each call with a loop of its own."""
        name = await self.layer.new_channel()
        await self.layer.group_add("test-threads", name)

        def work() -> None:
            for n in range(5):
                async_to_sync(self.layer.group_send)("test-threads", numbered(n))

        await self.in_threads(work, 3)
        assert sorted([(await self.receive(name))["n"] for _ in range(15)]) == sorted([*range(5)] * 3)

    async def test_the_sync_face(self) -> None:
        """``layer.sync`` needs no loop, and keeps the order."""
        if not self.pushing:
            return
        name = await self.layer.new_channel()
        await self.layer.group_add("test-sync", name)

        def work() -> None:
            for n in range(5):
                self.layer.sync.group_send("test-sync", numbered(n))
            self.layer.sync.send("test-sync-channel", numbered(5))

        await self.in_threads(work, 1)
        assert [(await self.receive(name))["n"] for _ in range(5)] == list(range(5))
        assert (await self.receive("test-sync-channel"))["n"] == 5

    async def in_threads(self, work: Any, amount: int) -> None:
        """Run ``work`` in threads while this loop goes on."""
        failures: list[BaseException] = []

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded) for _ in range(amount)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
        assert not failures, failures

    # What pushing layers add

    async def test_attached_channels_are_pushed_to_in_order(self) -> None:
        """Direct and group messages reach an attached channel without receive()."""
        if not self.pushing:
            return
        name = await self.layer.new_channel()
        source = self.layer.attach(name)
        await self.layer.group_add("test-push", name)
        for n in range(0, 40, 2):
            await self.layer.group_send("test-push", numbered(n))
        assert await self.take(source, 20) == list(range(0, 40, 2))
        for n in range(20):
            await self.layer.send(name, numbered(n))
        assert await self.take(source, 20) == list(range(20))
        self.layer.detach(name)

    async def test_detaching_leaves_nothing(self) -> None:
        """No channel, no membership, no unread message is left of a connection."""
        if not self.pushing:
            return
        for _ in range(10):
            name = await self.layer.new_channel()
            source = self.layer.attach(name)
            await self.layer.group_add("test-end", name)
            await self.layer.send(name, numbered(1))
            assert await self.take(source, 1) == [1]
            self.layer.detach(name)
        after = self.layer.statistics()
        assert (after["channels"], after["memberships"], after["unread"]) == (0, 0, 0)
