"""What the log advises."""

from __future__ import annotations

from typing import Any

from channels.server.asgi.handshake_log import handshake_refused, handshake_timed_out
from tests.server.helpers import records


def test_both_name_the_websocket_and_a_remedy(caplog: Any) -> None:
    handshake_refused("WebSocket /a", log=True)
    handshake_timed_out("WebSocket /b", 5)
    refused, timed_out = records(caplog)
    assert refused.startswith("WebSocket /a was refused with 403")
    assert "within 5 s" in timed_out
    assert "--websocket_connect_timeout" in timed_out
