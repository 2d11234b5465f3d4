"""Proxies by address: whose headers are believed, and which address is the client's."""

from __future__ import annotations

from typing import Any

import pytest

from channels.server.config import Config, ConfigError
from channels.server.trust import TrustedProxies, split_host
from tests.server.helpers import Recorder, echo, serve

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
        (['for="a,b;c\\"d"'], (['a,b;c"d', 0], "http")),
        (["for=_hidden"], (["_hidden", 0], "http")),
        (["proto=https"], (["unknown", 0], "https")),
        (['for="1.2.3.4'], (PROXY, "http")),
        (["nonsense"], (PROXY, "http")),
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


def test_hosts() -> None:
    assert split_host("[::1]") == ("::1", 0)
    assert split_host("::1") == ("::1", 0)
    assert split_host("1.2.3.4:99999999") == ("1.2.3.4:99999999", 0)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies: 'nginx' is no address of a proxy"):
        Config(app=echo, trusted_proxies=("nginx",))


@pytest.mark.parametrize(("listed", "client"), [("127.0.0.0/8", "1.2.3.4"), ("10.0.0.1", "127.0.0.1")])
async def test_the_server_asks_who_is_connected(listed: str, client: str) -> None:
    app, lines = Recorder(), list[dict[str, Any]]()
    options: dict[str, Any] = {
        "proxy_address_header": X[0],
        "proxy_proto_header": X[2],
        "trusted_proxies": (listed,),
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
