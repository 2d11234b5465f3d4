"""Targets as lines of the log may show them."""

from __future__ import annotations

import pytest

from channels.server.config import Config
from channels.server.reports.targets import masked, path_of, shown
from tests.server.helpers import echo


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a/b", "/a/b"),
        (b"/a?token=b", "/a"),
        (b"/?", "/"),
        (b"*", "*"),
        (b'/a"b%0a', "/a%22b%0a"),
        (b"/\xff", "/\ufffd"),
    ],
)
def test_labels_have_paths_alone(target: bytes, path: str) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("a=1&token=b", "a=1&token=***"),
        ("TOKEN=b;key=c", "TOKEN=***;key=c"),
        ("token", "token"),
        ("token=", "token=***"),
        ("token=a=b", "token=***"),
        ("%74oken=b&+token=c&token[]=d&token[x]=e", "%74oken=***&+token=***&token[]=***&token[x]=***"),
        ("tokens=b&token", "tokens=b&token"),
        ("&&a", "&&a"),
    ],
)
def test_masks(query: str, expected: str) -> None:
    assert masked(query, {"token"}) == expected


def test_what_is_shown_is_asked_for() -> None:
    assert shown("/a?b=1", Config(app=echo)) == "/a"
    asked = Config(app=echo, access_log_query=True, access_log_mask=("B",))
    assert shown("/a?b=1&token=2", asked) == "/a?b=***&token=2"
    assert shown("/a", asked) == "/a"
