"""What a server says of itself that is dangerous."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from channels.server.config import Config
from channels.server.reports.exposure import as_text, exposure, open_to_everybody
from tests.server.helpers import echo, records, serve


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        ({"http2_upgrade": True, "trusted_proxies": ("127.0.0.1",)}, True),
        ({"http2_upgrade": True}, False),
        ({"http2_upgrade": True, "http2": False, "trusted_proxies": ("127.0.0.1",)}, False),
        ({"trusted_proxies": ("127.0.0.1",)}, False),
    ],
)
async def test_upgrades_behind_a_proxy(options: Any, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(echo, **options):
        pass
    assert ["--http2-upgrade" in text for text in records(caplog)] == [True] * warns


@pytest.mark.parametrize(
    ("mode", "trusted", "warns"),
    [
        (":mode=660", ("unix",), False),
        (":mode=0660", ("unix",), False),
        (":mode=662", ("unix",), True),
        ("", ("unix",), True),
        ("", ("127.0.0.1",), False),
    ],
)
async def test_sockets_that_everybody_may_connect_to(
    mode: str, trusted: Any, warns: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s"
    async with serve(echo, endpoints=(f"unix:{path}{mode}",), trusted_proxies=trusted):
        assert oct(path.stat().st_mode)[-3:] == (mode[-3:] or "666")
    assert [f"-e unix:{path}:mode=660" in text for text in records(caplog)] == [True] * warns


def test_other_sockets_have_no_permissions() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert open_to_everybody(sock) is None
    with socket.socket(socket.AF_UNIX) as sock:
        assert open_to_everybody(sock) is None
        sock.bind("\0fairway-exposure-test")
        assert open_to_everybody(sock) == "@fairway-exposure-test"


def test_a_socket_whose_file_is_gone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        (tmp_path / "s").unlink()
        assert open_to_everybody(sock) is None


def told(*endpoints: str, **options: Any) -> dict[str, Any]:
    return exposure(Config(app=echo, endpoints=endpoints, **options))


@pytest.mark.parametrize(
    ("endpoint", "listens", "reach"),
    [
        ("tcp:port=80:interface=127.0.0.1", "127.0.0.1:80", "this machine"),
        ("tcp:port=80:interface=\\:\\:1", "[::1]:80", "this machine"),
        ("tcp:80", "0.0.0.0:80", "whoever reaches this machine"),
        ("tcp:port=80:interface=\\:\\:", "[::]:80", "whoever reaches this machine"),
        ("tcp:port=80:interface=10.0.0.1", "10.0.0.1:80", "whoever reaches 10.0.0.1"),
        ("unix:/run/s", "/run/s", "every user of this machine (mode 666)"),
        ("unix:/run/s:mode=660", "/run/s", "its owner and its group (mode 660)"),
        ("systemd:name=web", "sockets of systemd web", "as whoever has opened it decided"),
        ("fd:fileno=3", "file descriptor 3", "as whoever has opened it decided"),
    ],
)
def test_who_can_connect(endpoint: str, listens: str, reach: str) -> None:
    (found,) = told(endpoint)["endpoints"]
    assert (found["listens"], found["for"]) == (listens, reach)


@pytest.mark.parametrize(
    ("endpoint", "options", "protocols", "upgrades", "tls"),
    [
        (
            "tcp:80",
            {},
            ["HTTP/1.1", "HTTP/2 by prior knowledge"],
            ["WebSocket", "WebSocket over HTTP/2"],
            None,
        ),
        ("tcp:80", {"http2": False, "http2_upgrade": True}, ["HTTP/1.1"], ["WebSocket"], None),
        (
            "tcp:80",
            {"http2_upgrade": True},
            ["HTTP/1.1", "HTTP/2 by prior knowledge"],
            ["WebSocket", "WebSocket over HTTP/2", "h2c"],
            None,
        ),
        (
            "ssl:443",
            {"http2_upgrade": True},
            ["HTTP/1.1", "HTTP/2 by ALPN"],
            ["WebSocket", "WebSocket over HTTP/2"],
            "TLS 1.2, 1.3",
        ),
        (
            "ssl:443",
            {"http2": False, "ssl_ca_certs": "ca.pem", "ssl_cert_reqs": "optional"},
            ["HTTP/1.1"],
            ["WebSocket"],
            "TLS 1.2, 1.3, client certificate optional",
        ),
    ],
)
def test_what_is_spoken(endpoint: str, options: Any, protocols: Any, upgrades: Any, tls: str | None) -> None:
    (found,) = told(endpoint, **options)["endpoints"]
    assert (found["protocols"], found["upgrades"], found["tls"]) == (protocols, upgrades, tls)


def test_whom_it_believes() -> None:
    nobody = told("tcp:80")
    assert nobody["believed"]["headers"] == {}
    assert nobody["believed"]["of"] == nobody["warnings"] == []
    anybody = told("tcp:80", proxy_address_header="X-Forwarded-For", proxy_protocol=True)
    assert anybody["believed"]["headers"] == {"client's address": "X-Forwarded-For"}
    assert anybody["believed"]["of"] == ["everybody who can connect"]
    assert [
        "--proxy-headers believes" in line or "--proxy-protocol believes" in line
        for line in anybody["warnings"]
    ] == [True, True]
    proxies = told("unix:/run/s", root_path_header=True, http2_upgrade=True, trusted_proxies=("unix",))
    assert proxies["believed"]["headers"] == {"root path": "Daphne-Root-Path"}
    assert len(proxies["warnings"]) == 2


def test_for_people() -> None:
    options: dict[str, Any] = {"health_path": "/healthz", "health_port": 9000, "underscore_headers": True}
    text = as_text(told("tcp:80", proxy_protocol=True, trusted_proxies=("10.0.0.1",), **options))
    for words in (
        "0.0.0.0:80\n",
        "a PROXY header",
        "10.0.0.1",
        "underscores in names         yes",
        "path /healthz, on every endpoint",
        "127.0.0.1:9000, HTTP/1.1 only",
        "websocket_max_rate           1000",
        "http_timeout                 none",
        "Warnings\n  none\n",
    ):
        assert words in text
