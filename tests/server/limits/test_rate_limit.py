"""How slow a body may be."""

from __future__ import annotations

from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.rate_limit import MinRateDeadline
from tests.server.helpers import echo


def test_a_body_is_late_when_nothing_comes_and_when_too_little_comes() -> None:
    config = Config(app=echo, body_timeout=60.0, body_min_rate=100)
    pace = MinRateDeadline(config, 1000.0)
    assert pace.received(1, 1010.0) == 1060.01
    assert pace.received(99, 1020.0) == 1061.0
    assert pace.received(100_000, 1030.0) == 1090.0
    assert pace.received(0, 1040.0) == 1100.0


def test_a_body_without_a_rate_or_without_a_limit() -> None:
    assert MinRateDeadline(Config(app=echo, body_min_rate=0), 0.0).received(1, 59.0) == 119.0
    assert MinRateDeadline(Config(app=echo, body_timeout=None), 0.0).received(1, 59.0) == NEVER
