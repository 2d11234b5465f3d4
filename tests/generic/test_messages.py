from __future__ import annotations

import pytest

from channels.generic import messages


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (None, None, {}),
        (True, None, {}),
        (4000, None, {"code": 4000}),
        (1000, "bye", {"code": 1000, "reason": "bye"}),
        (None, "", {}),
    ],
)
def test_close(code, reason, message):
    assert messages.close(code, reason) == {"type": "websocket.close", **message}


@pytest.mark.parametrize("headers", [{b"a": b"b"}, [(b"a", b"b")], ((b"a", b"b"),), iter([(b"a", b"b")])])
def test_headers_come_as_mapping_or_pairs(headers):
    assert messages.response_start(200, headers)["headers"] == [(b"a", b"b")]


def test_no_headers():
    assert messages.response_start(200, None)["headers"] == []


def test_a_body_is_bytes():
    assert messages.response_body(b"x", True)["more_body"]
    with pytest.raises(AssertionError, match="Body is not bytes but str"):
        messages.response_body("x", False)  # type: ignore[arg-type]


def test_own_groups_never_asks_a_property():
    class ByProperty:
        @property
        def groups(self):
            raise AttributeError("needs the scope")

    messages.own_groups(ByProperty())


def test_own_groups_gives_a_list_of_its_own():
    class Consumer:
        groups = None

    first, second = Consumer(), Consumer()
    second.groups = ["set before"]
    for consumer in (first, second):
        messages.own_groups(consumer)
    assert (first.groups, second.groups, Consumer.groups) == ([], ["set before"], None)


def test_an_accept_names_headers_only_if_there_are_any():
    assert (
        messages.accept(None, None)
        == messages.accept(None, [])
        == {
            "type": "websocket.accept",
            "subprotocol": None,
        }
    )
    assert messages.accept("a", [(b"b", b"c")])["headers"] == [(b"b", b"c")]
