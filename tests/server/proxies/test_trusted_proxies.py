"""Proxies by address: whose headers are believed, and which address is the client's."""

from __future__ import annotations

from typing import Any

import pytest

from channels import telemetry
from channels.server.config import Config, ConfigError
from channels.server.proxies.forwarded import MalformedForwarded
from channels.server.proxies.trusted_proxies import TrustedProxies, outermost
from tests.server.helpers import GET, UPGRADE, Recorder, echo, serve

X = ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto")
RFC7239 = ("Forwarded", None, None)
PROXY = ["10.0.0.1", 5000]
TRUST = TrustedProxies(["10.0.0.0/8", "::1"])


@pytest.mark.parametrize(
    ("listed", "peer", "expected"),
    [
        (["10.0.0.0/8"], ["10.200.0.1", 1], True),
        (["10.0.0.0/8"], ["11.0.0.1", 1], False),
        (["10.0.0.1"], ["::ffff:10.0.0.1", 1], True),
        (["fe80::/10"], ["fe80::1%eth0", 1], True),
        (["::1"], ["localhost", 1], False),
        (["unix"], None, True),
        (["10.0.0.1"], None, False),
        ([], ["10.0.0.1", 1], False),
    ],
)
def test_who_is_a_proxy(listed: list[str], peer: Any, expected: bool) -> None:
    assert TrustedProxies(listed).trusts(peer) is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({}, (PROXY, "http")),
        ({"x-forwarded-for": "1.2.3.4"}, (["1.2.3.4", 0], "http")),
        # The client wrote 6.6.6.6 itself; only what a proxy appended is true.
        ({"x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.1.1.1"}, (["1.2.3.4", 0], "http")),
        ({"x-forwarded-for": "10.9.9.9, 10.1.1.1"}, (["10.9.9.9", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4:567"}, (["1.2.3.4", 567], "http")),
        ({"x-forwarded-for": "[2001:db8::1]:567"}, (["2001:db8::1", 567], "http")),
        ({"x-forwarded-for": "2001:db8::1"}, (["2001:db8::1", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4", "x-forwarded-port": "81"}, (["1.2.3.4", 81], "http")),
        ({"x-forwarded-for": "1.2.3.4", "x-forwarded-port": "x"}, (["1.2.3.4", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https"}, (["1.2.3.4", 0], "https")),
        (
            {"x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.1.1.1", "x-forwarded-proto": "http, https, http"},
            (["1.2.3.4", 0], "https"),
        ),
        ({"x-forwarded-proto": "https"}, (PROXY, "https")),
        ({"forwarded": "for=6.6.6.6"}, (PROXY, "http")),
        # Nobody can know who that is: nobody that is made up stands for it.
        ({"x-forwarded-for": "unknown"}, (PROXY, "http")),
        ({"x-forwarded-for": '1.2.3.4, evil" x'}, (PROXY, "http")),
        ({"x-forwarded-for": "fe80::1%eth0"}, (PROXY, "http")),
        ({"x-forwarded-for": "1.2.3.4, nobody, 10.1.1.1"}, (PROXY, "http")),
        ({"x-forwarded-for": "1.2.3.999"}, (PROXY, "http")),
        ({"x-forwarded-for": "[1.2.3.4]:5"}, (PROXY, "http")),
        ({"x-forwarded-for": "1" * 70}, (PROXY, "http")),
        ({"x-forwarded-for": ""}, (PROXY, "http")),
        ({"x-forwarded-for": " , 1.2.3.4,, "}, (["1.2.3.4", 0], "http")),
        ({"x-forwarded-for": "2001:DB8:0::1"}, (["2001:DB8:0::1", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4:99999"}, (["1.2.3.4", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4", "x-forwarded-port": "99999"}, (["1.2.3.4", 0], "http")),
    ],
)
def test_x_forwarded(lines: dict[str, str], expected: Any) -> None:
    headers = [(name.encode(), value.encode()) for name, value in lines.items()]
    assert TRUST.client(headers, X, PROXY, "http") == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["for=1.2.3.4"], (["1.2.3.4", 0], "http")),
        (["for=1.2.3.4;proto=https;by=10.0.0.1"], (["1.2.3.4", 0], "https")),
        (['For="[2001:db8::1]:4711" ; Proto=https'], (["2001:db8::1", 4711], "https")),
        (["for=6.6.6.6, for=1.2.3.4;proto=https", "for=10.1.1.1;proto=http"], (["1.2.3.4", 0], "https")),
        (['for="1.2.3.4:_hidden";by=_proxy'], (["1.2.3.4", 0], "http")),
        (['for=1.2.3.4;host="a,for=6.6.6.6"'], (["1.2.3.4", 0], "http")),
        (['for=1.2.3.4;host="a\\",for=6.6.6.6"'], (["1.2.3.4", 0], "http")),
        (["for=10.9.9.9, for=10.1.1.1"], (["10.9.9.9", 0], "http")),
        # What a client wrote does not reach what our proxy appended.
        (['for="6.6.6.6', "for=1.2.3.4"], (["1.2.3.4", 0], "http")),
        (['for="', 'for="[2001:db8::1]"'], (["2001:db8::1", 0], "http")),
        (["nonsense", "for=1.2.3.4"], (["1.2.3.4", 0], "http")),
        ([",", "for=1.2.3.4, ,"], (["1.2.3.4", 0], "http")),
        (['for="a,b;c\\"d"'], (PROXY, "http")),
        (["for=_hidden"], (PROXY, "http")),
        (["for=unknown;proto=https"], (PROXY, "https")),
        (["proto=https"], (PROXY, "https")),
        ([""], (PROXY, "http")),
        ([], (PROXY, "http")),
    ],
)
def test_forwarded(lines: list[str], expected: Any) -> None:
    headers = [(b"forwarded", line.encode()) for line in lines]
    assert TRUST.client(headers, RFC7239, PROXY, "http") == expected


def test_a_peer_that_is_no_proxy_is_the_client() -> None:
    peer = ["1.1.1.1", 2]
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-proto", b"https")]
    assert TRUST.client(headers, X, peer, "http") == (peer, "http")
    assert TRUST.client(headers, (None, None, None), PROXY, "http") == (PROXY, "http")


MALFORMED = [
    'for="1.2.3.4',
    'for=1.2.3.4"',
    "nonsense",
    "for=1.2.3.4, nonsense",
    "for=6.6.6.6;for=1.2.3.4",
    'for="6.6.6.6, for=10.1.1.1',
]


@pytest.mark.parametrize("line", MALFORMED)
def test_what_the_nearest_proxies_wrote_must_be_well_formed(line: str) -> None:
    before = telemetry.counters["server.bad_forwarding"]
    headers = [(b"forwarded", line.encode())]
    assert TRUST.client(headers, RFC7239, PROXY, "http") == (PROXY, "http")
    assert telemetry.counters["server.bad_forwarding"] == before + 1
    with pytest.raises(MalformedForwarded):
        TRUST.forwarded_client(headers)


FORWARDED: dict[str, Any] = {"proxy_address_header": "Forwarded", "trusted_proxies": ("127.0.0.1",)}


@pytest.mark.parametrize("opening", [GET, UPGRADE])
@pytest.mark.parametrize("line", MALFORMED[:4])
async def test_a_malformed_one_is_answered_400(line: str, opening: bytes) -> None:
    async with serve(echo, **FORWARDED) as running:
        client = await running.connect()
        await client.send(opening[:-2] + b"Forwarded: " + line.encode() + b"\r\n\r\n")
        assert (await client.response())[0] == 400


async def test_a_stranger_may_write_what_he_likes() -> None:
    async with serve(echo, **{**FORWARDED, "trusted_proxies": ("10.0.0.1",)}) as running:
        client = await running.connect()
        await client.send(GET[:-2] + b"Forwarded: nonsense\r\n\r\n")
        assert (await client.response())[0] == 200


@pytest.mark.parametrize(
    ("header", "line"), [("Forwarded", b"for=_hidden"), ("Forwarded", b"proto=http"), ("X-Real-IP", b"none")]
)
async def test_clients_whom_nobody_can_know_have_the_limit_of_one(header: str, line: bytes) -> None:
    app = Recorder()
    request = GET[:-2] + header.encode() + b": " + line + b"\r\n\r\n"
    options: dict[str, Any] = {"proxy_address_header": header, "trusted_proxies": ("127.0.0.1",)}
    async with serve(app, max_connections_per_address=1, **options) as running:
        first, second, itself = [await running.connect() for _ in range(3)]
        await first.send(request)
        run = await app.next()
        await second.send(request)
        assert (await second.response())[0] == 503
        await itself.send(GET)  # the proxy asks for itself
        own = await app.next()
        await own.respond()
        run.end()
        own.end()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({}, (PROXY, "http")),
        ({"x-forwarded-for": "1.2.3.4, 6.6.6.6"}, (["1.2.3.4", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4:5", "x-forwarded-proto": "https"}, (["1.2.3.4", 5], "https")),
        ({"x-forwarded-for": "1.2.3.4", "x-forwarded-port": "99999"}, (["1.2.3.4", 0], "http")),
        ({"x-forwarded-for": "1.2.3.4", "x-forwarded-port": "80"}, (["1.2.3.4", 80], "http")),
        ({"x-forwarded-for": "<script>"}, (PROXY, "http")),
    ],
)
def test_where_everybody_is_believed_addresses_are_checked_too(lines: dict[str, str], expected: Any) -> None:
    headers = [(name.encode(), value.encode()) for name, value in lines.items()]
    assert outermost(headers, X, PROXY, "http") == expected


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies: 'nginx' is no address of a proxy"):
        Config(app=echo, trusted_proxies=("nginx",))


def test_what_needs_trusted_proxies() -> None:
    with pytest.raises(ConfigError, match=r"root_path_header .* add --trusted-proxies"):
        Config(app=echo, root_path_header=True)
    with pytest.raises(ConfigError, match=r"Forwarded is read back .* add --trusted-proxies"):
        Config(app=echo, proxy_address_header="forwarded")


@pytest.mark.parametrize(("said", "scheme"), [(b"https", "https"), (b"HTTP", "http"), (b"gopher", "http")])
async def test_a_scheme_is_checked(said: bytes, scheme: str) -> None:
    app = Recorder()
    options: dict[str, Any] = {"proxy_address_header": X[0], "proxy_proto_header": X[2]}
    before = telemetry.counters["server.bad_forwarding"]
    async with serve(app, trusted_proxies=("127.0.0.1",), **options) as running:
        client = await running.connect()
        await client.send(GET[:-2] + b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: " + said + b"\r\n\r\n")
        run = await app.next()
        assert run.scope["scheme"] == scheme
        run.end()
    assert telemetry.counters["server.bad_forwarding"] == before + (said == b"gopher")


@pytest.mark.parametrize(("listed", "client"), [("127.0.0.0/8", "1.2.3.4"), ("10.0.0.1", "127.0.0.1")])
async def test_the_server_asks_who_is_connected(listed: str, client: str) -> None:
    app, lines = Recorder(), list[dict[str, Any]]()
    options: dict[str, Any] = {
        "proxy_address_header": X[0],
        "proxy_proto_header": X[2],
        "trusted_proxies": (listed,),
        "root_path_header": True,
        "action_logger": lambda protocol, action, details: lines.append(details),
    }
    request = (
        b"GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
        b"Daphne-Root-Path: /there\r\n\r\n"
    )
    async with serve(app, **options) as running:
        connection = await running.connect()
        await connection.send(request)
        run = await app.next()
        trusted = client == "1.2.3.4"
        assert run.scope["client"][0] == client
        assert run.scope["scheme"] == ("https" if trusted else "http")
        assert run.scope["root_path"] == ("/there" if trusted else "")
        await run.respond()
        await connection.response()
        run.end()
    assert lines[0]["client"].startswith(client)
