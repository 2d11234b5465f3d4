"""The scope of requests and WebSockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from channels.protocols.events import RequestReceived
from channels.server.asgi.scope import _Fields, named_request
from channels.server.config import Config
from channels.server.io.sendfile import FILES
from channels.typing import PUSH_EXTENSION
from tests.server.helpers import GET, UPGRADE, Recorder, asked, echo, serve
from tests.support.certificates import make_pair


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


async def test_paths_that_are_not_utf8() -> None:
    scope = await scope_of(b"GET /%FF/x HTTP/1.1\r\nHost: test\r\n\r\n")
    assert scope["path"] == "/\ufffd/x"


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


@pytest.mark.parametrize("opening", [GET, UPGRADE], ids=["http", "websocket"])
async def test_over_tls_the_scope_says_so(opening: bytes, tmp_path: Path) -> None:
    app, pair = Recorder(), make_pair(tmp_path)
    async with serve(app, endpoints=(pair.endpoint,)) as running:
        client = await running.connect(pair.client("http/1.1"))
        await client.send(opening)
        run = await app.next()
        run.end()
        assert run.scope["scheme"] == {"http": "https", "websocket": "wss"}[run.scope["type"]]
        assert run.scope["extensions"]["tls"]["tls_version"] == 0x0304


@pytest.mark.parametrize(
    ("version", "field", "offered"),
    [(b"1.1", b"trailers", True), (b"1.1", b"gzip", False), (b"1.0", b"trailers", False)],
)
async def test_trailers_are_offered_to_who_takes_them(version: bytes, field: bytes, offered: bool) -> None:
    request = GET.replace(b"1.1\r\n", version + b"\r\nTE: " + field + b"\r\nConnection: TE\r\n")
    scope = await scope_of(request)
    assert ("http.response.trailers" in scope["extensions"]) is offered
    assert ("http.response.early_hint" in scope["extensions"]) is (version == b"1.1")


async def test_a_scheme_that_is_none_is_counted_and_not_believed() -> None:
    told: list[tuple[str, Any]] = []
    detach = telemetry.attach(lambda event, facts: told.append((event, facts.get("reason"))))
    request = GET.replace(b"\r\n\r\n", FORWARDED.replace(b"https", b"gopher"))
    try:
        scope = await scope_of(request, **PROXY)
    finally:
        detach()
    assert scope["scheme"] == "http"
    assert ("server.bad_forwarding", "scheme") in told


@pytest.mark.parametrize(("options", "client"), [(PROXY, "10.1.2.3:81"), ({}, "127.0.0.1:")])
async def test_who_is_refused_without_a_scope_is_named_as_a_scope_would(
    options: dict[str, Any], client: str
) -> None:
    lines: list[dict[str, Any]] = []
    request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n".replace(b"\r\n\r\n", FORWARDED)
    async with serve(
        Recorder(), max_body_size=8, action_logger=lambda *what: lines.append(what[2]), **options
    ) as running:
        peer = await running.connect()
        await peer.send(request)
        assert (await peer.response())[0] == 413
    assert lines[0]["client"].startswith(client)


def test_what_the_access_log_tells_of_a_head() -> None:
    fields = [(b"referer", b"http://a/?key=b"), (b"user-agent", b"caf\xe9")]
    request = RequestReceived(1, "GET", b"/", fields, "1.1", True)
    config = Config(app=echo, endpoints=())
    assert named_request(request, config) == {
        "http_version": "1.1",
        "referer": "http://a/",
        "user_agent": "caf\xe9",
    }
    bare = RequestReceived(1, "GET", b"/", [], "2", True)
    assert named_request(bare, config) == {"http_version": "2", "referer": None, "user_agent": None}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("HTTP/1.1", "Connection: close\r\n"),
        ("HTTP/1.0", ""),  # what nginx speaks if nothing is said
        ("HTTP/1.1", "Upgrade: websocket\r\n"),  # without the Connection that belongs to it
    ],
)
async def test_a_handshake_without_upgrade_is_served_and_told_once(
    line: str, fields: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    request = f"GET /ws/?token=secret {line}\r\nHost: test\r\n{key}{fields}\r\n".encode()
    before = telemetry.counters["server.upgrade_missing"]
    scope = await scope_of(request)
    assert scope["type"] == "http"
    assert telemetry.counters["server.upgrade_missing"] == before + 1
    told = [message for message in caplog.messages if "has arrived as a request for a page" in message]
    assert len(told) == 1
    assert "handshake for /ws/ has" in told[0]  # without the query string
    assert "upgrade=websocket" in told[0]
    caplog.clear()
    await scope_of(GET)
    assert not [message for message in caplog.messages if "Upgrade" in message]
