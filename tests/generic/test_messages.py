from __future__ import annotations

from typing import Any

import pytest

from channels.exceptions import InvalidChannelLayerError
from channels.generic import messages
from channels.layers import InMemoryChannelLayer


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


@pytest.mark.parametrize("text", [None, ""])
def test_a_frame_of_json_needs_text(text):
    with pytest.raises(ValueError, match="No text section"):
        messages.json_text(text)
    assert messages.json_text("{}") == "{}"


class Named:
    groups = ("a",)


class Unnamed:
    groups: Any = None
    channel_layer_alias = "default"
    channel_layer: Any = None


def test_a_consumer_whose_class_names_no_groups_has_a_list_of_its_own():
    named, one, other = Named(), Unnamed(), Unnamed()
    for consumer in (named, one, other):
        messages.own_groups(consumer)
    one.groups.append("mine")
    assert (named.groups, one.groups, other.groups) == (("a",), ["mine"], [])
    messages.own_groups(one)
    assert one.groups == ["mine"]


def test_groups_need_a_layer_that_has_them():
    consumer = Unnamed()
    messages.require_groups(consumer)
    consumer.groups = ["a"]
    with pytest.raises(InvalidChannelLayerError, match=r"Unnamed\.groups is \['a'\], so set CHANNEL_LAYERS"):
        messages.require_groups(consumer)
    consumer.channel_layer = InMemoryChannelLayer()
    messages.require_groups(consumer)


@pytest.mark.parametrize(
    ("given", "pairs"),
    [
        (None, []),
        ({"a": "b"}, [("a", "b")]),
        ([(b"a", b"b")], [(b"a", b"b")]),
        (iter([("a", 1)]), [("a", 1)]),
    ],
)
def test_headers_in_any_form(given, pairs):
    assert messages.header_pairs(given) == pairs


def test_a_consumer_of_http_without_its_method_is_told_what_to_add():
    said = messages.no_handle("AsyncHttpConsumer", Named, "async def")
    assert said.endswith("add async def handle(self, body) to Named.")
