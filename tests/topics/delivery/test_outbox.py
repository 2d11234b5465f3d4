"""What waits for a client that does not read."""

import asyncio

import pytest

from channels import telemetry
from channels.core.broadcast import Broadcast
from channels.protocols.centrifuge.json_codec import JSON
from channels.topics.delivery.frames import Frame, MessageFraming
from channels.topics.delivery.outbox import FRAME_SIZE, Outbox, refuse


class Slow:
    """A socket that takes a frame when the test says so."""

    def __init__(self, limit: int = 1000) -> None:
        self.read, self.overflows = asyncio.Semaphore(0), 0
        self.frames: list[bytes] = []
        self.outbox = Outbox(MessageFraming(JSON), refuse, self.write, limit)
        self.outbox.overflowed = self.overflowed

    async def write(self, frame: Frame) -> None:
        await self.read.acquire()
        self.frames.append(frame.data)

    def overflowed(self) -> None:
        self.overflows += 1

    async def reads(self, amount: int = 10) -> list[bytes]:
        for _ in range(amount):
            self.read.release()
        await self.outbox.drain()
        return b"\n".join(self.frames).splitlines()


async def test_what_comes_in_one_turn_leaves_in_one_frame() -> None:
    frames = []

    def direct(broadcast: Broadcast) -> bool:
        frames.append(broadcast.messages[0]["text"])
        return True

    outbox = Outbox(MessageFraming(JSON), direct, Slow().write, 1000)
    for number in range(3):
        outbox.put(b"%d" % number)
        assert outbox.direct is refuse
    await outbox.drain()
    assert frames == ["0\n1\n2"]
    assert outbox.direct is direct


async def test_more_than_fits_into_a_frame_leaves_in_several() -> None:
    slow = Slow(limit=10 * FRAME_SIZE)
    for _ in range(4):
        slow.outbox.put(b"x" * (FRAME_SIZE // 2))
    await slow.reads()
    assert [len(frame) for frame in slow.frames] == [FRAME_SIZE + 1, FRAME_SIZE + 1]


async def test_too_much_is_told_once_and_nothing_leaves_after_the_end() -> None:
    slow = Slow()
    slow.outbox.put(b"x" * 600)
    slow.outbox.put(b"x" * 600)
    assert slow.overflows == 1
    slow.outbox.close()
    slow.outbox.put(b"late")
    await asyncio.sleep(0)
    assert (slow.overflows, slow.frames) == (1, [])


async def test_the_newest_takes_the_place_of_what_waits_in_its_slot() -> None:
    slow, before = Slow(), telemetry.counters["topics.slow_client_replaced"]
    slow.outbox.put(b"first")
    await asyncio.sleep(0.01)  # on its way
    for number in range(5):
        slow.outbox.put(b"a%d" % number, slot="a")
        slow.outbox.put(b"b%d" % number, slot="b")
    slow.outbox.put(b"reply")
    assert await slow.reads() == [b"first", b"a4", b"b4", b"reply"]
    assert telemetry.counters["topics.slow_client_replaced"] == before + 8


@pytest.mark.parametrize("amount", [20, 200])
async def test_the_oldest_that_may_are_left_out_before_there_is_too_much(amount: int) -> None:
    slow, before = Slow(limit=100), telemetry.counters["topics.slow_client_dropped"]
    slow.outbox.put(b"reply")
    for number in range(amount):
        slow.outbox.put(b"%09d" % number, droppable=True)
    answers = await slow.reads()
    assert answers[0] == b"reply"
    assert answers[1:] == [b"%09d" % number for number in range(amount - 10, amount)]
    assert slow.overflows == 0
    assert telemetry.counters["topics.slow_client_dropped"] == before + amount - 10
