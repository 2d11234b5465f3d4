"""How far a WebSocket has come, and the close codes that the server itself uses."""

from __future__ import annotations

import enum

from channels import telemetry

#: Codes of RFC 6455 section 7.4.1 (1012: its IANA registry) that the server itself uses.
NORMAL, LOST, POLICY, FAILED, RESTARTING = 1000, 1006, 1008, 1011, 1012
#: What a peer that breaks the protocol is closed with.
VIOLATIONS = frozenset({1002, 1003, 1007, 1009})


class State(enum.IntEnum):
    """How far a WebSocket has come."""

    CONNECTING = 0  #: the application has not answered the handshake
    DENYING = 1  #: it answers with an HTTP response
    OPEN = 2
    CLOSING = 3  #: our close was sent, the peer's has not come
    OVER = 4  #: the application was told that it ended


def is_violation(code: int, label: str) -> bool:
    """Return whether a WebSocket is over because its peer broke the rules or sent too much; counted."""
    if code not in VIOLATIONS:
        return False
    telemetry.count("server.bad_websocket", code=code, label=label)
    return True
