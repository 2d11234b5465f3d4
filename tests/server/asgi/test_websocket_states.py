"""How far a WebSocket has come, and which ends are the peer's fault."""

from __future__ import annotations

import pytest

from channels import telemetry
from channels.server.asgi.websocket_states import (
    FAILED,
    LOST,
    NORMAL,
    POLICY,
    RESTARTING,
    State,
    is_violation,
)


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1009])
def test_what_breaks_the_protocol_is_counted(code: int) -> None:
    before = telemetry.counters["server.bad_websocket"]
    assert is_violation(code, "/ws/")
    assert telemetry.counters["server.bad_websocket"] == before + 1


@pytest.mark.parametrize("code", [NORMAL, LOST, POLICY, FAILED, RESTARTING, 4000])
def test_another_end_is_nobodys_fault(code: int) -> None:
    before = telemetry.counters["server.bad_websocket"]
    assert not is_violation(code, "/ws/")
    assert telemetry.counters["server.bad_websocket"] == before


def test_states_are_in_the_order_in_which_they_come() -> None:
    assert sorted(State) == [State.CONNECTING, State.DENYING, State.OPEN, State.CLOSING, State.OVER]
