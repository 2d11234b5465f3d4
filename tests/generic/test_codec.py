from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import uuid

import pytest
from django.http import QueryDict
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from channels.generic.codec import decode, encode


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "é", "<"]},
        [],
        "text",
        {2: 2, True: 3, None: 4, 1.5: 5},
        {"a": math.inf},
        {"none": None, "x": [math.nan]},
        mark_safe("<b>"),
        {Text("k"): Text("v")},
        Colour.RED,
        10**30,
        "\ud800",
        (1, 2),
    ],
)
def test_whatever_json_accepts(value):
    assert repr(json.loads(encode(value))) == repr(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), '"2026-01-02T03:04:05Z"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (datetime.time(3, 4), '"03:04:00"'),
        (decimal.Decimal("1.50"), '"1.50"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (lazystr("later"), '"later"'),
        ({"a": lazystr("later"), 1.5: datetime.date(2026, 1, 2)}, '{"a":"later","1.5":"2026-01-02"}'),
        ({"not": None}, '{"not":null}'),
    ],
)
def test_types_of_django(value, text):
    assert encode(value) == text


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), r"object at \$ "),
        ({"a": [1, {"b": object()}]}, r"object at \$\.a\[1\]\.b "),
        ({"a": {(1, 2): 1}}, r"tuple at \$\.a \(as a key\) "),
        ({"f": open}, r"at \$\.f "),
    ],
)
def test_what_cannot_be_json_is_named_by_its_path(value, path):
    with pytest.raises(TypeError, match=path):
        encode(value)


def test_a_very_deep_culprit_is_named_as_far_as_is_useful():
    value: object = object()
    for _ in range(50):
        value = [value]
    with pytest.raises(TypeError, match=r"list at \$(\[0\]){32} "):
        encode(value)


def test_a_circle():
    circle: list = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        encode(circle)


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null]}', "NaN", "1e999", '"\\ud800"', str(10**30)])
def test_whatever_json_reads(text):
    assert repr(decode(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{} x"])
def test_no_json(text):
    with pytest.raises(json.JSONDecodeError):
        decode(text)


def test_a_query_dict_is_written_as_json_writes_it() -> None:
    query = QueryDict("a=1&a=2&b=3")
    assert encode(query) == '{"a":"2","b":"3"}'
    assert encode({"deep": [({"query": query},)]}) == '{"deep":[[{"query":{"a":"2","b":"3"}}]]}'
    assert encode({"plain": [[1, "x"]]}) == '{"plain":[[1,"x"]]}'
