from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from typing import Any, cast

import pytest
from django.utils.safestring import mark_safe

from channels.exceptions import InvalidMessageError, MessageTooLarge
from channels.layers.local.values import Copies, copier, copy_message, require_message, too_large


class Colour(enum.IntEnum):
    RED = 1


PLAIN = [
    1,
    1.5,
    "text",
    b"bytes",
    None,
    True,
    mark_safe("<b>"),
    Colour.RED,
    decimal.Decimal("1.50"),
    uuid.UUID(int=1),
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    datetime.date(2026, 1, 1),
    datetime.time(1, 2),
    datetime.timedelta(seconds=1),
]


@pytest.mark.parametrize("value", [*PLAIN, [1, {"a": 2}], {"deep": {"er": [1]}}, {1, 2}, (1, [2]), [], {}])
def test_a_copy_is_equal_and_shares_nothing_changeable(value):
    message = {"type": "x", "value": value}
    copied = copy_message(message)
    assert copied == message
    assert copied is not message
    assert type(copied["value"]) is type(value)
    if isinstance(value, list | dict | set):
        assert copied["value"] is not value


@pytest.mark.parametrize("value", [bytearray(b"ab"), memoryview(b"ab")])
def test_buffers_arrive_as_bytes(value):
    assert copy_message({"type": "x", "value": value})["value"] == b"ab"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), r"object at message\['value'\]"),
        ({"a": [1, object()]}, r"object at message\['value\.a\[1\]'\]"),
        ({print}, r"builtin_function_or_method at message\['value{}'\]"),
    ],
)
def test_what_cannot_travel_is_named(value, path):
    with pytest.raises(TypeError, match=path):
        copy_message({"type": "x", "value": value})


def test_frozen_sets_stay_frozen():
    assert type(copy_message({"type": "a", "frozen": frozenset({1})})["frozen"]) is frozenset


def test_what_contains_itself_is_named():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="message\\['ring'\\] contains itself"):
        copy_message({"type": "a", "fine": [1], "ring": endless})


@pytest.mark.parametrize(
    ("message", "shared"),
    [({"n": 1, "text": "x"}, True), ({"items": [1]}, False), ({"b": bytearray(b"x")}, False)],
)
def test_copies_for_many_receivers_are_as_those_for_one(message, shared):
    copy = copier(message)
    first, second = copy(message), copy(message)
    assert first == second == copy_message(message)
    assert first is not second
    assert (copy is dict) == shared


def test_deep_copies_take_anything():
    class Anything:
        pass

    message = {"type": "m", "object": Anything()}
    for copy in (Copies(deep=True).copy, Copies(deep=True).copier(message)):
        copied = copy(message)
        assert type(copied["object"]) is Anything
        assert copied["object"] is not message["object"]
    with pytest.raises(TypeError, match="Anything at message"):
        Copies().copy(message)


def test_a_backend_that_takes_anything_has_it_copied():
    numbers = [1, [2]]
    copied: object = copy_message(cast(Any, numbers))
    assert copied == numbers
    assert copied is not numbers


@pytest.mark.parametrize("message", ["text", None, [("type", "m")]])
def test_what_is_no_dict_is_no_message(message):
    with pytest.raises(InvalidMessageError, match=f"not a dict but {type(message).__name__}"):
        require_message(message)


def test_a_dict_is_a_message():
    class Own(dict[str, Any]):
        pass

    require_message(Own())


@pytest.mark.parametrize(("message", "kind"), [({"type": "chat.message"}, "chat.message"), (b"x", "bytes")])
def test_the_error_for_what_is_too_large_says_both_sizes(message, kind):
    error = too_large(message, 2000, 1000, "the layer")
    assert isinstance(error, MessageTooLarge)
    assert f"of type {kind!r} has 2000 bytes, the layer carries 1000" in str(error)
