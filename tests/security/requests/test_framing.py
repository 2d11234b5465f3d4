"""No request reaches the application that the proxy before us did not mean to send."""

from __future__ import annotations

import re

import pytest

from tests.conformance.http1_cases import BEHIND, REFUSED, SERVED
from tests.security.requests.framing_cases import THROUGH
from tests.security.way import Result, Way

CASES = {name: request for name, (_, request) in [*REFUSED.items(), *SERVED.items()]}


def test_the_table_is_complete() -> None:
    assert list(THROUGH) == list(CASES)


def expected(way: str, name: str) -> str:
    """The row's outcome; directly, the conformance table is the row."""
    if way != "direct":
        return THROUGH[name][way == "haproxy"]
    if name in REFUSED:
        return f"refused {REFUSED[name][0]}"
    path = {"3.2 two slashes": "//a", "3.2 dots": "/../..", "3.2 a percent sign alone": "/%"}.get(name, "/")
    path = {"3.2.2 absolute form": "/x", "3.2.4 OPTIONS *": "*"}.get(name, path)
    return f"served {path} /behind"


def settled(outcome: str, name: str) -> str:
    """Where only the body is broken, the application may have been called by then, or not."""
    if name.startswith(("7.1", "6.5.1")) and ("refused" in outcome or "stopped" in outcome):
        return (
            outcome.replace("served / ", "served ")
            .replace("served refused", "refused")
            .replace("served stopped", "stopped")
        )
    return outcome


def only_what_the_proxy_sent(result: Result) -> bool:
    """Each request that the application saw is one that the proxy wrote, in its words."""
    lines = [f"{seen.scope['method']} {seen.path} ".encode("latin-1") for seen in result.seen]
    written = re.sub(rb"(?i) https?://[^/ ]+/?", b" /", result.passed)  # HAProxy keeps the absolute form
    written = re.sub(rb"\?\S* ", b" ", written)
    return len(lines) <= result.sent_on and all(line in written for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_framing(open_way: Way, name: str) -> None:
    result = open_way.send(CASES[name] + BEHIND)
    if open_way.known_version:
        assert settled(str(result), name) in expected(open_way.name, name).split(" or ")
    if result.through:
        assert only_what_the_proxy_sent(result), result.passed
