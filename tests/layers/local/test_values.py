from __future__ import annotations

import datetime
import decimal
import enum
import uuid

import pytest
from django.utils.safestring import mark_safe

from channels.layers.local.values import copy_message


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
