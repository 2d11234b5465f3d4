from __future__ import annotations

import asyncio
import logging

import pytest

from channels import telemetry
from channels.layers.local.drops import DropCounter


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "channels.layers"]


def test_counts_by_reason_and_tells_telemetry():
    heard = []
    detach = telemetry.attach(lambda event, facts: heard.append((event, facts)))
    try:
        drops = DropCounter("x", clock=Clock())
        drops.add("closed", 3)
        drops.add("capacity")
    finally:
        detach()
    assert drops.totals == {"closed": 3, "capacity": 1}
    assert heard[0] == ("layer.message_dropped", {"amount": 3, "layer": "x", "reason": "closed"})
    assert telemetry.counters["layer.message_dropped"] >= 4


def test_logs_the_first_at_once_and_the_next_after_the_interval(caplog):
    clock = Clock()
    drops = DropCounter("x", interval=10, clock=clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            drops.add("capacity")
        assert len(lines(caplog)) == 1
        assert "1 capacity (the receiver is slower" in lines(caplog)[0]
        clock.now += 10
        drops.add("expired")
    assert len(lines(caplog)) == 2
    assert "49 capacity" in lines(caplog)[1]
    assert "1 expired" in lines(caplog)[1]


async def test_a_running_loop_logs_the_rest_by_itself(caplog):
    drops = DropCounter("x", interval=0.05)
    with caplog.at_level(logging.WARNING):
        drops.add("capacity")
        drops.add("capacity", 2)
        async with asyncio.timeout(10):
            while len(lines(caplog)) < 2:
                await asyncio.sleep(0.01)
    assert "2 capacity" in lines(caplog)[1]


def test_a_closed_connection_is_no_news(caplog):
    DropCounter("x").add("closed")
    assert not lines(caplog)


def test_nothing_to_say(caplog):
    DropCounter("x").log()
    assert not lines(caplog)


def test_an_unknown_reason_cannot_be_logged_silently():
    with pytest.raises(KeyError):
        DropCounter("x").add("whatever")
