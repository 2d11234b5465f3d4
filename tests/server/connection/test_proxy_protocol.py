"""PROXY headers: understood, and refused."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from channels import telemetry
from channels.server.connection.proxy_protocol import NoProxyHeader, parse_proxy_header
from tests.server.helpers import GET, Recorder, asked, echo, eventually, serve

LINE = b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PAIR = (["1.2.3.4", 1111], ["5.6.7.8", 80])


def binary(kind: int, block: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + bytes([command, kind]) + len(block).to_bytes(2, "big") + block


V4 = binary(0x11, bytes([1, 2, 3, 4, 5, 6, 7, 8]) + (1111).to_bytes(2, "big") + b"\0\x50" + b"TLV")
V6 = binary(0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::1") + bytes(15) + b"\1" + b"\0\1" + b"\0\2")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (LINE, PAIR),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", (["2001:db8::1", 1], ["::1", 2])),
        (b"PROXY UNKNOWN\r\n", None),
        (V4, PAIR),
        (V6, (["2001:db8::1", 1], ["::1", 2])),
        (binary(0x00, b"", 0x20), None),
        (binary(0x31, bytes(216)), None),
        (binary(0x12, bytes(12)), None),
    ],
)
def test_headers_whole_and_in_part(header: bytes, expected: Any) -> None:
    assert parse_proxy_header(header + b"GET / HTTP/1.1") == (expected, len(header))
    for size in range(len(header)):
        assert parse_proxy_header(header[:size]) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (GET, "does not begin"),
        (b"PROXY " + b"x" * 200, "does not end"),
        (b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", "not of the form"),
        (b"PROXY TCP4 1.2.3.4\r\n", "not of the form"),
        (b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "an address"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", "a port"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", "a port"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", "a port"),
        (b"PROXY TCP4 2001:db8::1 5.6.7.8 1 2\r\n", "not of TCP4"),
        (b"PROXY TCP4 1.2.3.4 ::1 1 2\r\n", "not of TCP4"),
        (b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "not of TCP6"),
        (b"PROXY TCP6 fe80::1%x ::1 1 2\r\n", "an address"),
        (binary(0x41, bytes(36)), "family"),
        (binary(0x13, bytes(12)), "family"),
        (binary(0x11, bytes(12), 0x11), "unknown"),
        (binary(0x11, bytes(12), 0x22), "unknown"),
        (binary(0x11, bytes(11)), "too short"),
    ],
)
def test_what_is_no_header(data: bytes, reason: str) -> None:
    with pytest.raises(NoProxyHeader, match=reason):
        parse_proxy_header(data)


@pytest.mark.parametrize("header", [LINE, V4])
async def test_the_client_is_who_the_proxy_says(header: bytes) -> None:
    app = Recorder()
    async with serve(app, proxy_protocol=True, trusted_proxies=("127.0.0.1",)) as running:
        client = await running.connect()
        await client.send(header[:10])
        await client.send(header[10:])
        await client.send(GET)
        run = await app.next()
        assert (run.scope["client"], run.scope["server"]) == PAIR
        await run.respond(b"ok")
        assert (await client.response())[2] == b"ok"
        run.end()


async def test_a_proxy_that_speaks_for_itself() -> None:
    async with asked(b"PROXY UNKNOWN\r\n" + GET, proxy_protocol=True) as (run, _, _):
        assert run.scope["client"][0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (GET, {}),
        (LINE + GET, {"trusted_proxies": ("10.0.0.1",)}),
        (b"PROXY ", {"head_timeout": 0.1}),
    ],
)
async def test_who_is_refused(data: bytes, options: Any) -> None:
    app = Recorder()
    before = telemetry.counters["server.bad_proxy_header"]
    async with serve(app, proxy_protocol=True, **options) as running:
        client = await running.connect()
        await client.send(data)
        assert await client.rest() == b""
    assert telemetry.counters["server.bad_proxy_header"] == before + 1
    assert app.runs == []


async def test_connections_that_say_nothing() -> None:
    async with serve(echo, proxy_protocol=True, head_timeout=None) as running:
        first = await running.connect()
        first.writer.write_eof()
        assert await first.rest() == b""
        await running.connect()
        await eventually(lambda: running.runtime.accepted == 2)


async def test_the_limit_of_an_address_counts_clients() -> None:
    async with serve(echo, proxy_protocol=True, max_connections_per_address=1) as running:
        first, second, third = [await running.connect() for _ in range(3)]
        await first.send(LINE + GET)
        assert (await first.response())[0] == 200
        await second.send(LINE.replace(b"1.2.3.4", b"1.2.3.5") + GET)
        assert (await second.response())[0] == 200
        await third.send(LINE + GET)
        assert (await third.response())[0] == 503
