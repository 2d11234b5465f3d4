"""What a server says of itself that is dangerous."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from channels.server.exposure import open_to_everybody
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
