"""Which Origins come in, and what is said about those that do not."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlparse

import pytest

from channels import telemetry
from channels.security.websocket import (
    AllowedHostsOriginValidator,
    OriginValidator,
    WebsocketDenier,
)
from channels.testing import WebsocketCommunicator
from channels.typing import ASGIApp, Receive, Scope, Send


async def welcome(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


async def comes_in(application: ASGIApp, origin: bytes | None) -> bool:
    headers = [(b"host", b"x"), *([] if origin is None else [(b"origin", origin)])]
    communicator = WebsocketCommunicator(application, "/room", headers=headers)
    accepted, code = await communicator.connect(30)
    if accepted:
        await communicator.disconnect(timeout=30)
    else:
        assert code == 1000
        await communicator.wait(30)
    return accepted


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", None, True),
        ("*", b"null", True),
        ("ex.com", None, False),
        ("ex.com", b"http://ex.com", True),
        ("EX.com", b"https://ex.COM:8000", True),
        ("ex.com", b"http://a.ex.com", False),
        (".ex.com", b"http://a.ex.com", True),
        (".ex.com", b"http://ex.com", True),
        (".ex.com", b"http://badex.com", False),
        ("https://ex.com", b"https://ex.com:443", True),
        ("https://ex.com", b"https://ex.com:444", False),
        ("https://ex.com", b"http://ex.com", False),
        ("http://.ex.org:80", b"http://a.ex.org", True),
        ("http://.ex.org:80", b"http://a.ex.org:81", False),
        ("https://.ex.org:80", b"https://a.ex.org:80", True),
        ("http://localhost:8000", b"http://localhost:8000", True),
        ("http://localhost:8000", b"http://localhost", False),
        ("http://[::1]:80", b"http://[::1]", True),
        ("[::1]", b"http://[::1]:8000", True),
        ("http://*", b"http://ex.com", False),
        ("http://ex.com", b"http://ex.com:abc", False),
        ("http://ex.com", b"http://ex.com:99999", False),
        ("foo://ex.com", b"foo://ex.com", True),
        ("foo://ex.com", b"foo://ex.com:7", False),
        ("foo://ex.com", b"bar://ex.com", False),
        ("ex.com", b"foo://ex.com", False),
        ("ex.com", b"ws://ex.com", False),
        ("ex.com", b"chrome-extension://ex.com", False),
        ("ex.com", b"http://ex.com:abc", False),
        ("foo://ex.com:7", b"foo://ex.com:7", True),
        ("null", b"null", False),
        ("ex.com", b"", False),
        ("ex.com", b"file://", False),
        ("ex.com", b"http://[::1", False),
        ("ex.com", b"\xff\xfe", False),
    ],
)
async def test_patterns(pattern: str, origin: bytes | None, allowed: bool) -> None:
    assert await comes_in(OriginValidator(welcome, ["never.example", pattern]), origin) is allowed


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize(
    ("pattern", "origin", "over_tls"),
    [
        ("ex.com", b"http://ex.com", False),
        (".ex.com", b"http://a.ex.com:8000", False),
        ("ex.com", b"https://ex.com", True),
        ("http://ex.com", b"http://ex.com", True),
        ("*", b"http://ex.com", True),
    ],
)
async def test_a_page_is_as_safe_as_its_websocket(
    pattern: str, origin: bytes, over_tls: bool, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [(b"origin", origin)]
    communicator = WebsocketCommunicator(OriginValidator(welcome, [pattern]), "/", headers=headers)
    communicator.scope["scheme"] = scheme
    assert (await communicator.connect(30))[0] is (scheme == "ws" or over_tls)
    assert ("The page came without TLS" in caplog.text) == (scheme == "wss" and not over_tls)
    await communicator.disconnect(timeout=30) if scheme == "ws" or over_tls else await communicator.wait(30)


class _Lenient(OriginValidator):
    """Has a rule of its own."""

    def validate_origin(self, parsed_origin: Any) -> bool:
        return bool(parsed_origin.hostname == "ex.com")


async def test_the_rules_of_a_subclass_are_its_own() -> None:
    headers = [(b"origin", b"http://ex.com")]
    communicator = WebsocketCommunicator(_Lenient(welcome, []), "/", headers=headers)
    communicator.scope["scheme"] = "wss"
    assert (await communicator.connect(30))[0]
    await communicator.disconnect(timeout=30)


@pytest.mark.parametrize("pattern", ["*", "ex.com"])
async def test_two_origins_are_refused(pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = [(b"origin", b"http://ex.com"), (b"origin", b"http://ex.com")]
    communicator = WebsocketCommunicator(OriginValidator(welcome, [pattern]), "/", headers=headers)
    assert await communicator.connect(30) == (False, 1000)
    await communicator.wait(30)
    assert "A browser sends one Origin" in caplog.text


async def test_only_websockets_are_judged() -> None:
    with pytest.raises(ValueError, match="non-WebSocket connection, got a scope of type 'http'"):
        await OriginValidator(welcome, ["*"])({"type": "http"}, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "port"),
    [
        ("http://a", 80),
        ("ws://a", 80),
        ("https://a", 443),
        ("wss://a", 443),
        ("foo://a", None),
        ("http://a:1", 1),
    ],
)
def test_ports(origin: str, port: int | None) -> None:
    assert OriginValidator(welcome, []).get_origin_port(urlparse(origin)) == port


def test_no_origin_matches_no_pattern() -> None:
    assert OriginValidator(welcome, []).match_allowed_origin(None, "ex.com") is False


async def test_a_subclass_decides() -> None:
    class Open(OriginValidator):
        def valid_origin(self, parsed_origin: Any) -> bool:
            return True

    assert await comes_in(Open(welcome, []), b"http://anywhere.example")


class TestAllowedHosts:
    async def test_follows_the_setting_as_it_is_now(self, settings: Any) -> None:
        settings.ALLOWED_HOSTS = ["ex.com"]
        application = AllowedHostsOriginValidator(welcome)
        assert isinstance(application, OriginValidator)
        assert await comes_in(application, b"http://ex.com")
        settings.ALLOWED_HOSTS = ["ex.org"]
        assert not await comes_in(application, b"http://ex.com")

    @pytest.mark.parametrize("origin", [b"http://localhost:8000", b"http://127.0.0.1", b"http://[::1]:8000"])
    async def test_this_machine_while_debugging(self, origin: bytes, settings: Any) -> None:
        settings.ALLOWED_HOSTS = []
        assert not await comes_in(AllowedHostsOriginValidator(welcome), origin)
        settings.DEBUG = True
        assert await comes_in(AllowedHostsOriginValidator(welcome), origin)


class TestRefusal:
    @pytest.mark.parametrize(
        ("origin", "who", "remedy"),
        [
            (
                b"http://evil.example",
                "the origin 'http://evil.example'",
                "If pages from there are yours, add their host to it.",
            ),
            (
                None,
                "a client without an Origin header",
                "Browsers send one; a program of yours has to send the header of an allowed site, too.",
            ),
        ],
    )
    async def test_is_one_line_that_names_origin_and_remedy(
        self, origin: bytes | None, who: str, remedy: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = telemetry.counters["security.origin_refused"]
        assert not await comes_in(OriginValidator(welcome, ["ex.com"]), origin)
        (record,) = [record for record in caplog.records if record.name == "channels.security"]
        assert record.levelno == logging.WARNING
        assert record.getMessage() == (
            f"WebSocket /room refused with 403: {who} is not allowed by the allowed_origins argument of "
            f"OriginValidator, which is ['ex.com']. {remedy}"
        )
        assert telemetry.counters["security.origin_refused"] == before + 1

    async def test_a_path_does_not_end_the_line(self, caplog: pytest.LogCaptureFixture) -> None:
        headers = [(b"origin", b"http://evil.example\nx")]
        communicator = WebsocketCommunicator(OriginValidator(welcome, ["ex.com"]), "/", headers=headers)
        communicator.scope["path"] = '/a\nWARNING all is well\x1b[2K"'
        assert not (await communicator.connect(30))[0]
        assert caplog.messages[0].isprintable()
        assert "/a\\x0aWARNING all is well\\x1b[2K\\x22 refused" in caplog.messages[0]

    async def test_names_the_setting(self, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
        settings.ALLOWED_HOSTS = ["ex.com"]
        assert not await comes_in(AllowedHostsOriginValidator(welcome), b"http://evil.example")
        assert "not allowed by the setting ALLOWED_HOSTS, which is ['ex.com']" in caplog.text


async def test_the_denier_refuses() -> None:
    assert not await comes_in(WebsocketDenier.as_asgi(), None)
