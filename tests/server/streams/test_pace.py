"""Messages a second, and bytes."""

from __future__ import annotations

from channels import telemetry
from channels.server.config import Config
from channels.server.streams.pace import BodyPace, Pace
from channels.server.timers import NEVER
from tests.server.helpers import UPGRADE, echo, frame, serve


def test_ten_seconds_worth_may_come_at_once() -> None:
    pace = Pace(2, 0.0)
    assert [pace.allows(0.0) for _ in range(21)] == [True] * 20 + [False]
    assert [pace.allows(1.0) for _ in range(2)] == [True, False]
    assert [pace.allows(100.0) for _ in range(21)] == [True] * 20 + [False]


def test_who_keeps_to_the_rate_is_never_too_fast() -> None:
    pace = Pace(2, 0.0)
    assert all(pace.allows(tick / 2) for tick in range(1000))


async def test_a_socket_that_says_too_much_is_closed() -> None:
    before = telemetry.counters["server.too_many_messages"]
    async with serve(echo, websocket_max_rate=2) as running:
        client = await running.connect()
        await client.upgrade(UPGRADE)
        await client.send(frame(b"1") + frame(b"2") + b"".join(frame(b"more") for _ in range(50)))
        received = [await client.message()]
        while received[-1][0] == 1:
            received.append(await client.message())
        assert received[-1] == (8, (1008).to_bytes(2, "big") + b"At most 2 messages a second")
    assert telemetry.counters["server.too_many_messages"] == before + 1


def test_a_body_is_late_when_nothing_comes_and_when_too_little_comes() -> None:
    config = Config(app=echo, body_timeout=60.0, body_min_rate=100)
    pace = BodyPace(config, 1000.0)
    assert pace.received(1, 1010.0) == 1060.01
    assert pace.received(99, 1020.0) == 1061.0
    assert pace.received(100_000, 1030.0) == 1090.0
    assert pace.received(0, 1040.0) == 1100.0


def test_a_body_without_a_rate_or_without_a_limit() -> None:
    assert BodyPace(Config(app=echo, body_min_rate=0), 0.0).received(1, 59.0) == 119.0
    assert BodyPace(Config(app=echo, body_timeout=None), 0.0).received(1, 59.0) == NEVER
