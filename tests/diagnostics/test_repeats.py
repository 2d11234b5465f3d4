"""Lines that are written once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from channels.diagnostics import repeats

security = logging.getLogger("channels.security")


def said(caplog: pytest.LogCaptureFixture, say: Callable[[], object]) -> list[str]:
    caplog.clear()
    say()
    return caplog.messages


def test_the_same_is_said_once_and_something_else_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with repeats.refusals_once_a_minute():
        assert said(caplog, lambda: [security.warning("%s refused", "/a") for _ in range(3)]) == [
            "/a refused"
        ]
        assert said(caplog, lambda: security.warning("%s refused", "/b")) == ["/b refused"]
    assert said(caplog, lambda: security.warning("%s refused", "/b")) == ["/b refused"]


def test_it_is_said_again_when_the_minute_is_over(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "INTERVAL", 0.0)
    with repeats.refusals_once_a_minute():
        assert len(said(caplog, lambda: [security.warning("refused") for _ in range(2)])) == 2


def test_tracebacks_and_what_is_no_warning_pass(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    error = ValueError("x")
    with repeats.refusals_once_a_minute():
        assert len(said(caplog, lambda: [security.info("came") for _ in range(2)])) == 2
        assert len(said(caplog, lambda: [security.error("failed", exc_info=error) for _ in range(2)])) == 2


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST_KNOWN", 2)
    rarely = repeats.OnceAMinute()
    record = [
        logging.LogRecord("channels.security", logging.WARNING, "", 0, text, None, None) for text in "abca"
    ]
    assert [rarely.filter(each) for each in record] == [True, True, True, True]
