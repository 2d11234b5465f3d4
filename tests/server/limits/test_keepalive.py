"""Judging silence, without a clock."""

from __future__ import annotations

from typing import Any

from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.keepalive import Keepalive, KeepaliveLimits, Verdict


async def app(scope: Any, receive: Any, send: Any) -> None: ...


def keepalive(**options: Any) -> Keepalive:
    values: dict[str, Any] = {"ping_interval": 20, "ping_timeout": 30, "websocket_timeout": None, **options}
    return Keepalive(KeepaliveLimits(Config(app=app, **values)), 100.0)


def test_silence_brings_a_ping_and_no_answer_the_end() -> None:
    clock = keepalive()
    assert clock.next_due == 120
    assert clock.judge(119) is Verdict.WAIT
    assert clock.judge(120) is Verdict.PING
    assert clock.next_due == 150
    assert clock.judge(149) is Verdict.WAIT
    assert clock.judge(150) is Verdict.DEAD


def test_any_sign_of_life_puts_the_ping_off() -> None:
    clock = keepalive()
    clock.alive_at = 115
    assert clock.judge(120) is Verdict.WAIT
    assert clock.next_due == 135


def test_any_answer_will_do() -> None:
    clock = keepalive()
    assert clock.judge(120) is Verdict.PING
    clock.alive_at = 120
    assert clock.judge(150) is Verdict.PING
    assert clock.judge(151) is Verdict.WAIT
    clock.alive_at = 151
    assert clock.judge(160) is Verdict.WAIT
    assert clock.next_due == 171


def test_the_lifetime_ends_however_alive_it_is() -> None:
    clock = keepalive(websocket_timeout=50)
    clock.alive_at = 149
    assert clock.judge(149) is Verdict.WAIT
    assert clock.next_due == 150
    assert clock.judge(150) is Verdict.EXPIRED


def test_without_limits_it_is_never_due() -> None:
    assert keepalive(ping_interval=0).next_due == NEVER
    assert keepalive(ping_interval=None).next_due == NEVER
    clock = keepalive(ping_timeout=None)
    assert clock.judge(120) is Verdict.PING
    assert clock.next_due == NEVER
