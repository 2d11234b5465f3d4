"""Root paths that proxies say: plain paths, or none."""

from __future__ import annotations

import pytest

from channels import telemetry
from channels.server.proxies.root_path import read_root_path, take_out


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"/mounted", "/mounted"),
        (b"/a%20b/c%C3%A9/", "/a b/c\xe9/"),
        (b"/a...b/.c", "/a...b/.c"),
        (b"/", "/"),
    ],
)
def test_plain_paths(said: bytes, expected: str) -> None:
    before = telemetry.counters["server.bad_forwarding"]
    assert read_root_path([said]) == expected
    assert telemetry.counters["server.bad_forwarding"] == before


@pytest.mark.parametrize(
    "said",
    [
        b"mounted",
        b"//evil.example",
        b"/%2Fevil.example",
        b"/\\evil.example",
        b"/%5cevil.example",
        b"https://evil.example/",
        b"javascript:alert(1)",
        b"/a/../b",
        b"/..",
        b"/a/./b",
        b"/a/%2e%2e/b",
        b"/a//b",
        b"/a?b",
        b"/a#b",
        b"/a%0d%0aX: y",
        b"/a%00",
        b"/a%FF",
        b"/\xe9",
    ],
)
def test_what_is_none(said: bytes) -> None:
    before = telemetry.counters["server.bad_forwarding"]
    assert read_root_path([said]) == ""
    assert telemetry.counters["server.bad_forwarding"] == before + 1


def test_two_are_none() -> None:
    assert read_root_path([b"/theirs", b"/ours"]) == ""
    assert read_root_path([]) == read_root_path([b""]) == ""


def test_it_is_taken_out() -> None:
    headers = [(b"host", b"a"), (b"daphne-root-path", b"/a"), (b"x", b"y"), (b"daphne-root-path", b"/b")]
    assert take_out(headers) == ([(b"host", b"a"), (b"x", b"y")], [b"/a", b"/b"])
    assert take_out(headers[:1]) == (headers[:1], [])
