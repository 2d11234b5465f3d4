"""The wheel of time limits."""

from __future__ import annotations

import asyncio

import pytest

from channels.server.io.timer_wheel import _MAX_NEAR, NEVER, RESOLUTION, Slot, TimerWheel
from tests.server.conftest import Clock
from tests.server.helpers import LONG, eventually


class Item:
    """Answers with what it was told to, and keeps when it was asked."""

    def __init__(self, *answers: float | Exception) -> None:
        self.slot: Slot | None = None
        self.answers = list(answers)
        self.asked: list[float] = []

    def on_due(self, now: float) -> float:
        self.asked.append(now)
        answer = self.answers.pop(0) if self.answers else NEVER
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def timers():
    made = TimerWheel(asyncio.get_running_loop())
    yield made
    made.close()


async def test_items_of_one_time_share_their_slot(timers: TimerWheel) -> None:
    items = [Item(), Item()]
    for item in items:
        timers.schedule(item, timers.now + 1_000_000 * RESOLUTION)
    assert items[0].slot is items[1].slot
    assert items[0].slot is not None


async def test_an_item_is_asked_at_its_time_and_not_before(timers: TimerWheel) -> None:
    when = timers.now + 2.5 * RESOLUTION
    item = Item()
    timers.schedule(item, when)
    assert len(timers) == 1
    await eventually(lambda: item.asked)
    assert item.asked[0] >= when
    assert item.slot is None
    assert len(timers) == 0


async def test_an_item_may_ask_for_more_time(timers: TimerWheel) -> None:
    item = Item(timers.now + 3 * RESOLUTION)
    timers.schedule(item, timers.now)
    await eventually(lambda: len(item.asked) == 2)
    assert item.asked[1] >= item.asked[0] + RESOLUTION


async def test_an_earlier_time_moves_an_item_and_a_later_one_does_not(timers: TimerWheel) -> None:
    item = Item()
    timers.schedule(item, timers.now + LONG)
    far = item.slot
    timers.schedule(item, timers.now + 2 * LONG)
    assert item.slot is far
    timers.schedule(item, timers.now)
    assert item.slot.number < far.number
    assert len(timers) == 1
    await eventually(lambda: item.asked)


async def test_never_is_not_waited_for(timers: TimerWheel) -> None:
    item = Item()
    timers.schedule(item, NEVER)
    assert item.slot is None


async def test_cancelled_items_are_not_asked(timers: TimerWheel) -> None:
    first, second, third = Item(), Item(), Item()
    for item in (first, second, third):
        timers.schedule(item, timers.now)
    timers.cancel(second)
    timers.cancel(second)
    await eventually(lambda: first.asked and third.asked)
    assert not second.asked


async def test_one_that_another_cancels_is_not_asked(timers: TimerWheel) -> None:
    class Rival(Item):
        other: Rival

        def on_due(self, now: float) -> float:
            timers.cancel(self.other)
            return super().on_due(now)

    first, second = Rival(), Rival()
    first.other, second.other = second, first
    timers.schedule(first, timers.now)
    timers.schedule(second, timers.now)
    await eventually(lambda: first.asked or second.asked)
    await asyncio.sleep(2 * RESOLUTION)
    assert len(first.asked) + len(second.asked) == 1


async def test_times_are_remembered_for_one_tick_and_up_to_a_bound(timers: TimerWheel) -> None:
    items = [Item() for _ in range(3 * _MAX_NEAR)]
    for number, item in enumerate(items):
        timers.schedule(item, timers.now + number / 10_000)
        assert len(timers._near) <= _MAX_NEAR
    await eventually(lambda: all(item.asked for item in items))
    assert not timers._near
    assert not timers._slots


async def test_one_that_raises_harms_no_other(timers: TimerWheel, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = Item(RuntimeError("broken")), Item()
    timers.schedule(broken, timers.now)
    timers.schedule(sound, timers.now + 2 * RESOLUTION)
    await eventually(lambda: sound.asked)
    assert "broken" in caplog.text


async def test_after_standing_still_others_are_heard_before_anybody_is_asked() -> None:
    clock, item = Clock(), Item()
    timers = TimerWheel(clock)  # type: ignore[arg-type]
    timers.schedule(item, timers.now + 10)
    clock.stand_still(1000)
    assert timers.now == clock.time()
    assert not item.asked
    clock.stand_still(1000)  # but not for ever: whoever stands still all the time asks, too
    assert item.asked == [timers.now]
    timers.close()


async def test_after_close_nothing_waits(timers: TimerWheel) -> None:
    item = Item()
    timers.schedule(item, timers.now)
    timers.close()
    timers.close()
    assert item.slot is None
    await asyncio.sleep(3 * RESOLUTION)
    assert not item.asked
