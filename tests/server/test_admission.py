"""How many connections are taken."""

from __future__ import annotations

from channels import telemetry
from channels.server.admission import Admission
from channels.server.config import Config
from tests.server.helpers import GET, echo, eventually, serve


def test_one_network_of_ipv6_is_one_address() -> None:
    admission = Admission(Config(app=echo, max_connections_per_address=1))
    assert admission.enter("2001:db8::1", 1) is None
    assert admission.enter("2001:db8::2", 2) == "address"
    assert admission.enter("2001:db8:0:1::1", 3) is None
    assert admission.enter("1.2.3.4", 4) is None
    assert admission.enter(None, 5) is None
    for host in ("2001:db8::1", "2001:db8:0:1::1", "1.2.3.4", None):
        admission.leave(host)
    assert len(admission) == 0


def test_without_limits_nothing_is_kept() -> None:
    admission = Admission(Config(app=echo))
    assert admission.enter("1.2.3.4", 100_000) is None
    assert len(admission) == 0
    admission.leave("1.2.3.4")


async def refused(option: str) -> None:
    name = "server.connection_refused"
    before = telemetry.counters[name]
    async with serve(echo, **{option: 1}) as running:
        first, second = await running.connect(), await running.connect()
        await first.send(GET)
        assert (await first.response())[0] == 200
        status, headers, body = await second.response()
        assert (status, body) == (503, b"Too many connections.")
        assert headers["retry-after"] == "5"
        assert await second.rest() == b""
        await second.close()
        assert telemetry.counters[name] == before + 1
        await eventually(lambda: len(running.runtime.connections) == 1)
        await first.send(GET)
        assert (await first.response())[0] == 200
        await first.close()
        await eventually(lambda: not running.runtime.connections)
        third = await running.connect()
        await third.send(GET)
        assert (await third.response())[0] == 200


async def test_the_limit_of_all() -> None:
    await refused("max_connections")


async def test_the_limit_of_an_address() -> None:
    await refused("max_connections_per_address")
