"""How many connections are taken."""

from __future__ import annotations

from typing import Any

import pytest

from channels import telemetry
from channels.server.config import Config
from channels.server.limits import connection_limits as module
from channels.server.limits.connection_limits import ConnectionLimits, PerAddressCounter
from channels.server.proxies.trusted_proxies import TrustedProxies
from tests.server.helpers import GET, UPGRADE, Recorder, echo, eventually, serve


def test_one_network_of_ipv6_is_one_address() -> None:
    tally = PerAddressCounter(1)
    hosts = ("2001:db8::1", "2001:db8:0:1::1", "1.2.3.4", "::ffff:1.2.3.5", "unknown", "not:an:address")
    assert all(tally.enter(host) for host in hosts)
    assert not tally.enter("2001:db8::2%eth0")
    assert not tally.enter("1.2.3.5")
    assert not tally.enter("unknown")
    for host in hosts:
        tally.leave(host)
    assert len(tally) == 0


@pytest.mark.parametrize(
    ("descriptors", "most", "each"),
    [(None, 0, 1000), (100, 36, 9), (1024, 922, 230), (20_000, 18_976, 1000), (65, 1, 1), (10, 1, 1)],
)
def test_what_is_not_said_follows_from_the_limit_of_open_files(
    descriptors: int | None, most: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "descriptor_limit", lambda: descriptors)
    admission = ConnectionLimits(Config(app=echo))
    assert (admission.most, admission.most_per_address) == (most, each)
    if most:
        assert admission.enter(None, most) is None
        assert admission.enter(None, most + 1) == "total"


def test_where_nothing_is_said_the_open_internet_is_limited_and_nobody_else() -> None:
    admission = ConnectionLimits(Config(app=echo))
    private = ("127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "fd00::1", "fe80::1%eth0")
    for host in (*private, "unknown", None):
        assert {admission.enter(host, 1) for _ in range(1001)} == {None}
        admission.leave(host)
    assert len(admission.tally) == 0
    for host in ("93.184.215.14", "2a00:1450:4001::1"):
        assert {admission.enter(host, 1) for _ in range(1000)} == {None}
        assert admission.enter(host, 1) == "address"
        admission.leave(host)
        assert admission.enter(host, 1) is None


def test_no_limit_keeps_nothing() -> None:
    admission = ConnectionLimits(Config(app=echo, max_connections_per_address=0))
    assert admission.enter("93.184.215.14", 1) is None
    assert len(admission.tally) == 0
    admission.leave("93.184.215.14")


def test_trusted_proxies_are_not_counted_whatever_was_said() -> None:
    admission = ConnectionLimits(
        Config(app=echo, max_connections_per_address=1), TrustedProxies(["10.0.0.0/8"])
    )
    assert [admission.enter("10.1.1.1", 1) for _ in range(3)] == [None] * 3
    assert [
        admission.enter("10.1.1.1", 1),
        admission.enter("11.1.1.1", 1),
        admission.enter("11.1.1.1", 1),
    ] == [
        None,
        None,
        "address",
    ]


BEHIND_PROXY: dict[str, Any] = {
    "trusted_proxies": ("127.0.0.1",),
    "proxy_address_header": "X-Forwarded-For",
    "max_connections_per_address": 1,
}


def of(client: str, request: bytes = GET) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: " + client.encode() + b"\r\n\r\n")


async def test_behind_a_proxy_its_clients_are_counted() -> None:
    app = Recorder()
    before = telemetry.counters["server.connection_refused"]
    async with serve(app, **BEHIND_PROXY) as running:
        clients = [await running.connect() for _ in range(5)]
        await clients[0].send(of("1.2.3.4"))
        first = await app.next()
        await clients[1].send(of("1.2.3.4"))
        status, headers, _ = await clients[1].response()
        assert (status, headers["retry-after"]) == (503, "5")
        await clients[2].send(of("1.2.3.4", UPGRADE))
        assert (await clients[2].response())[0] == 503
        await clients[3].send(of("1.2.3.5", UPGRADE))
        (await app.next()).end()
        await clients[4].send(GET)  # the proxy itself
        (await app.next()).end()
        await first.respond()
        first.end()
        await clients[0].response()
        await first.finished.wait()
        await clients[1].send(of("1.2.3.4"))
        again = await app.next()
        await again.respond()
        again.end()
        assert (await clients[1].response())[0] == 200
    assert telemetry.counters["server.connection_refused"] == before + 2


async def test_behind_a_proxy_without_a_limit_nobody_is_counted() -> None:
    app = Recorder()
    async with serve(app, **{**BEHIND_PROXY, "max_connections_per_address": 0}) as running:
        for _ in range(2):
            client = await running.connect()
            await client.send(of("1.2.3.4"))
            (await app.next()).end()


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
