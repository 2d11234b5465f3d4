"""Messages a second."""

from __future__ import annotations

from channels import telemetry
from channels.server.streams.pace import Pace
from tests.server.helpers import UPGRADE, echo, frame, serve


def test_a_bucket() -> None:
    pace = Pace(2, 0.0)
    assert [pace.allows(0.0) for _ in range(3)] == [True, True, False]
    assert pace.allows(1.0)
    assert [pace.allows(100.0) for _ in range(3)] == [True, True, False]


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
