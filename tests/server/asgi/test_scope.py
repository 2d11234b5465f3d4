"""The scope of requests and WebSockets."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from channels.server.asgi.scope import _Fields, decoded_path
from channels.server.io.sendfile import FILES
from channels.typing import PUSH_EXTENSION
from tests.server.helpers import UPGRADE, Recorder, asked, serve


async def scope_of(request: bytes, **options: Any) -> dict[str, Any]:
    async with asked(request, **options) as (run, _, _):
        run.end()
        return dict(run.scope)


async def test_an_http_scope() -> None:
    scope = await scope_of(
        b"PUT /a%20b/%C3%A9?q=%20 HTTP/1.1\r\n"
        b"Host: test\r\nX-One:  a \r\nx-one: b\r\nContent-Length: 0\r\n\r\n"
    )
    assert set(scope.pop("extensions")) == {PUSH_EXTENSION, *FILES, "http.response.early_hint"}
    client, server = scope.pop("client"), scope.pop("server")
    assert isinstance(client, list)
    assert isinstance(server, list)
    assert (client[0], server[0]) == ("127.0.0.1", "127.0.0.1")
    assert client[1] > 0
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "PUT",
        "path": "/a b/é",
        "raw_path": b"/a%20b/%C3%A9",
        "query_string": b"q=%20",
        "root_path": "",
        "headers": [(b"host", b"test"), (b"x-one", b"a"), (b"x-one", b"b"), (b"content-length", b"0")],
    }


async def test_a_websocket_scope() -> None:
    request = UPGRADE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: a, b\r\n\r\n")
    scope = await scope_of(request)
    assert (scope["type"], scope["scheme"], scope["path"]) == ("websocket", "ws", "/ws/")
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert scope["subprotocols"] == ["a", "b"]
    assert "method" not in scope
    assert set(scope["extensions"]) == {PUSH_EXTENSION, "websocket.http.response"}


async def test_websockets_keep_one_copy_of_what_they_all_say() -> None:
    request = UPGRADE.replace(b"\r\n\r\n", b"\r\nUser-Agent: Mosaic/1.0\r\nCookie: a=b\r\n\r\n")
    await scope_of(request)  # so that its lines are known
    first, second = await scope_of(request), await scope_of(request)
    assert first["headers"] == second["headers"]
    assert first["headers"] is not second["headers"]
    shared = {
        mine[0] for mine, other in zip(first["headers"], second["headers"], strict=True) if mine is other
    }
    assert shared == {b"host", b"upgrade", b"connection", b"sec-websocket-version", b"user-agent"}


async def test_websockets_whose_lines_nobody_knows_share_theirs_too() -> None:
    unusual = UPGRADE.replace(b"Sec-WebSocket-Key", b"sec-websocket-key")
    first, second = await scope_of(unusual), await scope_of(unusual)
    pairs = zip(first["headers"], second["headers"], strict=True)
    assert [mine[0] for mine, other in pairs if mine is not other] == [b"sec-websocket-key"]


def test_how_much_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.server.asgi.scope._MAX_FIELDS", 2)
    fields = _Fields()
    for number in range(5):
        assert fields[b"x", b"%d" % number] == (b"x", b"%d" % number)
        assert len(fields) <= 2
    fields.clear()
    assert fields[b"x", b"y" * 300] == (b"x", b"y" * 300)
    assert fields[b"authorization", b"secret"] == (b"authorization", b"secret")
    assert not fields


def test_paths_that_are_not_utf8() -> None:
    assert decoded_path(b"/%FF/x") == "/\ufffd/x"


async def test_an_absolute_target_becomes_its_path() -> None:
    scope = await scope_of(b"GET http://test/x?y HTTP/1.1\r\nHost: test\r\n\r\n")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/x", b"/x", b"y")


ROOT_PATH: dict[str, Any] = {"root_path_header": True, "trusted_proxies": ("127.0.0.1",)}


@pytest.mark.parametrize("opening", [b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", UPGRADE])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ""),
        ({"root_path": "/fixed"}, "/fixed"),
        ({"trusted_proxies": ("127.0.0.1",)}, ""),
        ({**ROOT_PATH, "trusted_proxies": ("10.0.0.1",)}, ""),
        (ROOT_PATH, "/mounted here"),
        ({**ROOT_PATH, "root_path": "/fixed"}, "/fixed"),
    ],
)
async def test_root_path_is_configured_or_comes_from_a_trusted_proxy(
    opening: bytes, options: dict[str, Any], expected: str
) -> None:
    request = opening.replace(b"\r\n\r\n", b"\r\nDaphne-Root-Path: /mounted%20here\r\n\r\n")
    scope = await scope_of(request, **options)
    assert scope["root_path"] == expected
    assert b"daphne-root-path" not in dict(scope["headers"])


PROXY = {
    "proxy_address_header": "X-Forwarded-For",
    "proxy_port_header": "X-Forwarded-Port",
    "proxy_proto_header": "X-Forwarded-Proto",
}
FORWARDED = (
    b"\r\nX-Forwarded-For: 10.1.2.3, 10.0.0.1\r\nX-Forwarded-Port: 81\r\nX-Forwarded-Proto: https\r\n\r\n"
)


@pytest.mark.parametrize("request_bytes", [b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", UPGRADE])
async def test_proxy_headers_are_believed_only_when_asked(request_bytes: bytes) -> None:
    request = request_bytes.replace(b"\r\n\r\n", FORWARDED)
    plain, proxied = await scope_of(request), await scope_of(request, **PROXY)
    assert plain["client"][0] == "127.0.0.1"
    assert plain["scheme"] in ("http", "ws")
    assert proxied["client"] == ["10.1.2.3", 81]
    assert proxied["scheme"] == {"http": "https", "ws": "wss"}[plain["scheme"]]


async def test_a_unix_socket(tmp_path: Any) -> None:
    path = str(tmp_path / "s")
    scope = await scope_of(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", endpoints=(f"unix:{path}",))
    assert scope["client"] is None
    assert scope["server"] == [path, None]
    assert not os.path.exists(path)


async def test_lifespan_state_is_copied_for_each_request() -> None:
    app = Recorder()
    async with serve(app) as running:
        running.runtime.state = {"pool": 1}
        client = await running.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        run = await app.next()
        run.scope["state"]["own"] = 2
        run.end()
        assert running.runtime.state == {"pool": 1}


async def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    scope = await scope_of(
        b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", endpoints=("tcp:port=0:interface=\\:\\:1",)
    )
    assert scope["client"][0] == scope["server"][0] == "::1"
    assert len(scope["client"]) == 2


@pytest.mark.parametrize("opening", [b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", UPGRADE])
async def test_a_header_with_underscores_is_not_taken_for_the_proxys(opening: bytes) -> None:
    request = opening.replace(b"\r\n\r\n", b"\r\nX_Forwarded_For: 6.6.6.6\r\nX_Own: 1\r\n\r\n")
    for options in ({}, PROXY):
        scope = await scope_of(request, **options)
        assert not {b"x_forwarded_for", b"x_own"} & dict(scope["headers"]).keys()
    scope = await scope_of(request, underscore_headers=True)
    assert dict(scope["headers"])[b"x_own"] == b"1"
