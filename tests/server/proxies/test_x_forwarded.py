"""Proxy headers."""

from __future__ import annotations

import pytest

from channels.server.proxies.x_forwarded import forwarded

NAMES = ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto")
PEER = ["9.9.9.9", 3]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (PEER, "http")),
        ([(b"x-forwarded-for", b"10.1.2.3")], (["10.1.2.3", 0], "http")),
        ([(b"X-Forwarded-For", b" 10.1.2.3 , 10.9.9.9")], (["10.1.2.3", 0], "http")),
        ([(b"x-forwarded-for", b"10.1.2.3"), (b"x-forwarded-port", b"80")], (["10.1.2.3", 80], "http")),
        ([(b"x-forwarded-for", b"::1"), (b"x-forwarded-port", b"x")], (["::1", 0], "http")),
        ([(b"x-forwarded-for", b"::1"), (b"x-forwarded-port", b"9" * 5000)], (["::1", 0], "http")),
        ([(b"x-forwarded-for", b"10.1.2.3"), (b"x-forwarded-proto", b"https")], (["10.1.2.3", 0], "https")),
        ([(b"x-forwarded-proto", b"https")], (PEER, "http")),
        ([(b"x-forwarded-for", b"\xff")], (["\xff", 0], "http")),
    ],
)
def test_forwarded(headers: list[tuple[bytes, bytes]], expected: object) -> None:
    assert forwarded(headers, *NAMES, PEER, "http") == expected


def test_unnamed_headers_are_not_believed() -> None:
    headers = [(b"x-forwarded-for", b"10.1.2.3"), (b"x-forwarded-proto", b"https")]
    assert forwarded(headers, None, None, None, PEER, "http") == (PEER, "http")
