"""What one client may cost: bounded, refused, counted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from contextvars import Context
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from channels import telemetry
from channels.mqtt.application import MQTTBroker
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.router import running_router
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import (
    V5,
    V311,
    Connect,
    Disconnect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    Subscribe,
    Subscription,
    Will,
)
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.manager import get_store
from tests.mqtt.client import broker
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceState, Private
from tests.protocols.mqtt.cases import CONNECT
from tests.server.helpers import LONG, eventually


def limited(**limits: float) -> dict[str, MQTTLimits]:
    return {"limits": MQTTLimits(**limits)}  # type: ignore[arg-type]


async def test_who_does_not_connect_is_closed() -> None:
    async with broker(limited(connect_timeout=0.1)) as fleet:
        device = await fleet.open()
        await device.raw(CONNECT[V5][:-1])
        await device.closed()


async def test_a_packet_above_the_limit_is_refused_before_it_is_kept() -> None:
    async with broker(limited(max_packet_size=1000)) as fleet:
        device = await fleet.open()
        answer = await fleet.tried(device, Connect("c"))
        assert answer.properties["maximum_packet_size"] == 1000
        await device.raw(b"\x30\xff\xff\x03")
        assert await device.receive() == Disconnect(Reason.PACKET_TOO_LARGE)


async def test_a_keep_alive_is_no_longer_than_the_limit() -> None:
    async with broker(limited(max_keep_alive=60)) as fleet:
        for asked, told in ((0, 60), (61, 60), (60, None), (30, None)):
            answer = await fleet.tried(await fleet.open(), Connect("c", keep_alive=asked))
            assert answer.properties.get("server_keep_alive") == told


async def test_a_session_lasts_no_longer_than_the_limit() -> None:
    async with broker(limited(max_session_expiry=60)) as fleet:
        asked = {"session_expiry_interval": 0xFFFFFFFF}
        answer = await fleet.tried(await fleet.open(), Connect("c", properties=asked))
        assert answer.properties["session_expiry_interval"] == 60


async def test_subscriptions_above_the_limit_are_refused_and_an_old_one_may_be_renewed() -> None:
    async with broker(limited(max_subscriptions=2)) as fleet:
        device = await fleet.connect("c")
        filters = ["devices/1/state", "devices/2/state", "devices/3/state", "devices/1/state"]
        reasons = [(await device.subscribe(each)).reasons[0] for each in filters]
        assert reasons == [0, 0, Reason.QUOTA_EXCEEDED, 0]


async def test_messages_for_who_is_away_are_bounded() -> None:
    dropped = telemetry.counters["mqtt.message_dropped"]
    lasting = {"session_expiry_interval": 100}
    async with broker(limited(max_queued=3)) as fleet:
        device = await fleet.connect("c", properties=lasting)
        await device.subscribe("devices/7/bytes", 1)
        await device.leave()
        await eventually(lambda: not fleet.running.streams)
        for number in range(5):
            await DeviceBytes(id="7").apublish(str(number).encode())
        device = await fleet.connect("c", clean_start=False, properties=lasting)
        got = [(await device.receive()).payload for _ in range(3)]
        assert got == [b"0", b"1", b"2"]
        assert telemetry.counters["mqtt.message_dropped"] == dropped + 2


async def test_sessions_without_a_connection_are_bounded() -> None:
    exceeded = telemetry.counters["mqtt.sessions_exceeded"]
    async with broker(limited(max_sessions=2)) as fleet:
        for number, seconds in enumerate((500, 100, 300)):
            device = await fleet.connect(str(number), properties={"session_expiry_interval": seconds})
            await device.leave()
            await eventually(lambda: not fleet.running.streams)
        present = []
        for number in range(3):
            packet = Connect(str(number), clean_start=False, properties={"session_expiry_interval": 500})
            present.append((await fleet.tried(await fleet.open(), packet)).session_present)
        assert present == [True, False, True]
        assert telemetry.counters["mqtt.sessions_exceeded"] == exceeded + 1


@pytest.mark.parametrize(
    ("version", "refusal"), [(V5, Reason.QUOTA_EXCEEDED), (V311, Reason.SERVER_UNAVAILABLE)]
)
async def test_sessions_that_last_are_bounded_for_each_user(version: int, refusal: int) -> None:
    options: dict[str, Any] = {"clean_start": False}
    if version == V5:
        options["properties"] = {"session_expiry_interval": 500}
    users = {"ada": User(pk=1, username="ada"), "bob": User(pk=2, username="bob")}
    broker_options = {
        **limited(max_user_sessions=2),
        "authenticate": lambda scope, packet: users[packet.username],
    }
    async with broker(broker_options) as fleet:

        async def tried(client: str, user: str = "ada", **more: Any) -> int:
            packet = Connect(client, version, username=user, **{**options, **more})
            return (await fleet.tried(await fleet.open(version), packet)).reason

        refused = telemetry.counters["mqtt.refused"]
        assert [await tried(client) for client in "abc"] == [0, 0, refusal]
        assert telemetry.counters["mqtt.refused"] == refused + 1
        assert await tried("a") == 0  # it has one
        assert await tried("c", "bob") == 0
        assert await tried("c", clean_start=True, properties={}) == 0  # it ends with its connection
        assert await tried("a", clean_start=True, properties={}) == 0  # and so does this one now
        assert await tried("d") == 0


async def test_a_client_that_does_not_read_gets_no_more_of_qos_0_and_all_of_qos_1() -> None:
    dropped = telemetry.counters["mqtt.message_dropped"]
    async with broker(limited(max_outbound=10_000, max_inflight=10)) as fleet:
        device = await fleet.connect("c")
        await device.subscribe("devices/7/bytes", 0)
        await device.subscribe("devices/7/state", 1)
        device.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        while telemetry.counters["mqtt.message_dropped"] == dropped:
            await DeviceBytes(id="7").apublish(b"x" * 100_000)
            await asyncio.sleep(0)
            sent += 1
            assert sent < 1000
        for number in range(20):
            await DeviceState(id="7").apublish(number)
        device.writer.transport.resume_reading()  # type: ignore[attr-defined]
        numbers = []
        while len(numbers) < 10:
            packet = await device.receive()
            if packet.topic == "devices/7/state":
                numbers.append(int(packet.payload))
        assert numbers == list(range(10))


async def test_names_for_wildcards_are_bounded() -> None:
    exceeded = telemetry.counters["mqtt.names_exceeded"]
    async with broker(limited(max_names=2)) as fleet:
        device, writer = await fleet.connect("c"), await fleet.connect("w")
        await device.subscribe("devices/#")
        for number in range(3):
            await writer.publish(f"devices/{number}/bytes", b"x", number + 1)
        assert {(await device.receive()).topic for _ in range(2)} == {"devices/0/bytes", "devices/1/bytes"}
        await device.send(PingReq())
        assert await device.receive() == PingResp()
        assert telemetry.counters["mqtt.names_exceeded"] == exceeded + 1


async def test_a_store_that_is_away_ends_the_connection_so_that_the_client_sends_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.publish("devices/7/state", b"1")

        async def away(append: object) -> None:
            raise StoreUnavailable("it is away")

        monkeypatch.setattr(get_store(), "publish", away)
        await device.send(Publish("devices/7/state", b"2", 1, packet_id=2))
        assert await device.receive() == Disconnect(Reason.SERVER_BUSY)
        await device.closed()


async def test_an_idle_device_has_one_task_and_its_limit_in_the_wheel_of_all() -> None:
    async with broker() as fleet:
        await fleet.connect("first")
        tasks, timers = len(asyncio.all_tasks()), len(running_router(MQTTLimits()).timers)
        for number in range(20):
            device = await fleet.connect(f"d{number}", V311, keep_alive=60)
            await device.subscribe(f"devices/{number}/state")
        assert len(asyncio.all_tasks()) - tasks == 20
        assert len(running_router(MQTTLimits()).timers) - timers == 20


async def test_what_a_server_of_ours_takes_at_once_is_no_event_for_it(monkeypatch: Any) -> None:
    """The answer to a ping is written without tcp.send, which other servers get."""
    from channels.server.asgi.tcp import stream

    kinds: list[str] = []
    send = stream.TCPStream.send

    async def noted(self: Any, message: Any) -> None:
        kinds.append(message["type"])
        await send(self, message)

    monkeypatch.setattr(stream.TCPStream, "send", noted)
    async with broker() as fleet:
        device = await fleet.connect("d")
        await device.send(PingReq())
        assert await device.receive() == PingResp()
    assert "tcp.send" not in kinds
    assert kinds[0] == "tcp.accept"


async def test_a_client_that_asks_and_does_not_read_is_not_read_either() -> None:
    """Its answers are bounded: the broker takes no more of it until it has read them."""
    taken, reading, sent = 0, asyncio.Event(), bytearray()
    flood, idle = encode_packet(PingReq(), V5) * 500, asyncio.Event()
    chunks = iter([CONNECT[V5], *[flood] * 100])

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if not taken:
            taken = 1
            return {"type": "tcp.connect"}
        for data in chunks:
            taken += 1
            return {"type": "tcp.receive", "data": data}
        idle.set()
        await reading.wait()
        return {"type": "tcp.disconnect", "reason": "lost"}

    async def send(message: Any) -> None:
        if message["type"] == "tcp.send":
            await reading.wait()
            sent.extend(message["data"])

    application = MQTTBroker(limits=MQTTLimits(max_outbound=10_000))
    scope: Any = {"type": "tcp", "path": "/mqtt", "extensions": {}}
    running = asyncio.ensure_future(application(scope, receive, send))
    await eventually(lambda: taken > 10)
    before = -1
    while before != taken:  # it takes what it takes, and then no more
        before = taken
        for _ in range(50):
            await asyncio.sleep(0)
    assert taken < 20
    reading.set()
    await asyncio.wait_for(running, LONG)
    assert idle.is_set()
    assert sent.count(encode_packet(PingResp(), V5)) == 50_000


async def test_ten_thousand_retained_topics_of_qos_0_reach_who_reads() -> None:
    async with broker() as fleet:
        writer, reader = await fleet.connect("writer"), await fleet.connect("reader")
        await writer.send(*(Publish(f"kept/{number}", b"x") for number in range(10_000)), PingReq())
        assert await writer.receive() == PingResp()
        await reader.subscribe("kept/#")
        await reader.send(PingReq())
        got = set()
        while isinstance(packet := await reader.receive(), Publish):
            got.add(packet.topic)
        assert len(got) == 10_000


async def test_what_is_retained_and_more_than_may_wait_is_dropped_and_counted() -> None:
    dropped = telemetry.counters["mqtt.message_dropped"]
    async with broker(limited(max_inflight=5, max_queued=10)) as fleet:
        writer, reader = await fleet.connect("writer"), await fleet.connect("reader")
        for number in range(1, 31):
            await writer.publish(f"kept/{number}", b"x", number)
        await reader.subscribe("kept/#", 1)
        for _ in range(15):
            await reader.send(PubAck((await reader.receive()).packet_id))
        await reader.send(PingReq())
        assert await reader.receive() == PingResp()
        assert telemetry.counters["mqtt.message_dropped"] == dropped + 15


async def test_a_client_that_sends_nothing_more_is_a_lost_one() -> None:
    """A half-open connection: it may read, but there is no way back to it."""
    async with broker() as fleet:
        reader = await fleet.connect("reader")
        await reader.subscribe("devices/7/bytes")
        device = await fleet.connect("c", will=Will("devices/7/bytes", b"gone"))
        device.writer.write_eof()
        await device.closed()
        assert (await reader.receive()).payload == b"gone"


async def test_a_subscription_to_all_by_who_may_have_nothing_brings_nothing() -> None:
    async with broker({"authenticate": lambda scope, connect: AnonymousUser()}) as fleet:
        device = await fleet.connect("c")
        assert (await device.subscribe("#")).reasons == [0]
        await Private(name="ada").apublish(1)
        refused = telemetry.counters["mqtt.subscribe_refused"]
        assert (await device.subscribe("private/ada")).reasons == [Reason.NOT_AUTHORIZED]
        assert telemetry.counters["mqtt.subscribe_refused"] == refused + 1
        await device.send(PingReq())
        assert await device.receive() == PingResp()


def tracked_bytes() -> int:
    """Return what all objects take that the garbage collector knows of."""
    gc.collect()
    return sum(map(sys.getsizeof, gc.get_objects()))


async def connected(port: int, number: int) -> socket.socket:
    """Return the socket of a device with one subscription, without streams around it."""
    loop, client = asyncio.get_running_loop(), socket.socket()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    packets = (
        Connect(f"d{number}", V311, keep_alive=60),
        Subscribe(1, [Subscription(f"devices/{number}/state")]),
    )
    await loop.sock_sendall(client, b"".join(encode_packet(each, V311) for each in packets))
    got = b""
    while len(got) < 9:  # CONNACK and SUBACK
        got += await loop.sock_recv(client, 100)
    return client


async def growth_per_device() -> float:
    """Return the bytes of one more device, with the socket of the client."""
    async with broker() as fleet, contextlib.AsyncExitStack() as stack:
        for number in range(20):  # what the first ones make for all
            stack.enter_context(await connected(fleet.port, number))
        sizes = [tracked_bytes()]
        for number in range(20, 140):
            stack.enter_context(await connected(fleet.port, number))
            if number % 40 == 19:
                sizes.append(tracked_bytes())
        # The least of three: what earlier tests left may work meanwhile.
        return min(after - before for before, after in pairwise(sizes)) / 40


async def test_an_idle_device_takes_little_memory() -> None:
    # A context of its own: asgiref copies for each connection what tests before have left in theirs.
    assert await asyncio.create_task(growth_per_device(), context=Context()) < 11_500


async def test_what_the_loop_publishes_itself_does_not_wake_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """To wake a loop is a system call for each publication; other threads have to."""
    loop, woken = asyncio.get_running_loop(), []
    async with broker() as fleet:
        device = await fleet.connect("d")
        await device.subscribe("devices/7/bytes")
        call = loop.call_soon_threadsafe

        def noted(function: Any, *args: Any, **options: Any) -> Any:
            woken.append(getattr(function, "__name__", ""))
            return call(function, *args, **options)

        monkeypatch.setattr(loop, "call_soon_threadsafe", noted)
        await DeviceBytes(id="7").apublish(b"here")
        assert (await device.receive()).payload == b"here"
        assert "_deliver" not in woken
        await asyncio.to_thread(DeviceBytes(id="7").publish, b"there")
        assert (await device.receive()).payload == b"there"
        assert "_deliver" in woken
