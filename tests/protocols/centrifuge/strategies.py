"""Messages of all kinds, drawn from the table of their fields."""

from __future__ import annotations

import functools
import json
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from channels.protocols.centrifuge.messages import FilterNode, Scalar, WireMessage
from channels.protocols.centrifuge.schema import Field, fields_of

_RANGES = {
    Scalar.INT32: (-(2**31), 2**31 - 1),
    Scalar.INT64: (-(2**63), 2**63 - 1),
    Scalar.UINT32: (0, 2**32 - 1),
    Scalar.UINT64: (0, 2**63 - 1),
    Scalar.SINT64: (-(2**63), 2**63 - 1),
}
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["a" * 127, "é" * 64]
)
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
json_payloads = _json_values.map(lambda value: Raw(json.dumps(value, separators=(",", ":")).encode()))
byte_payloads = (st.binary(min_size=1, max_size=8) | st.just(b"x" * 200)).map(Raw)
_filters = st.recursive(
    st.builds(FilterNode, key=_texts, cmp=st.sampled_from(["eq", "in"]), vals=st.lists(_texts, max_size=2)),
    lambda inner: st.builds(FilterNode, op=st.just("and"), nodes=st.lists(inner, max_size=3)),
    max_leaves=5,
)


@functools.cache
def messages(kind: type[WireMessage], payloads: st.SearchStrategy[Raw]) -> st.SearchStrategy[Any]:
    """Messages of a kind: some of the fields, with values of all sizes."""
    if kind is FilterNode:
        return _filters
    required = {field.name for field in fields_of(kind) if field.name in _required(kind)}
    values = {field.name: _values(field, payloads) for field in fields_of(kind)}
    return st.fixed_dictionaries(
        {name: values[name] for name in values if name in required},
        optional={name: values[name] for name in values if name not in required},
    ).map(lambda chosen: kind(**chosen))


def _required(kind: type[WireMessage]) -> tuple[str, ...]:
    names = kind.__struct_fields__
    return names[: len(names) - len(kind.__struct_defaults__)]


def _values(field: Field, payloads: st.SearchStrategy[Raw]) -> st.SearchStrategy[Any]:
    one = _value(field.kind, payloads)
    if field.mapped:
        return st.dictionaries(_texts, one, max_size=3)
    return st.lists(one, max_size=3) if field.repeated else one


def _value(kind: Any, payloads: st.SearchStrategy[Raw]) -> st.SearchStrategy[Any]:
    if kind in _RANGES:
        low, high = _RANGES[kind]
        return st.integers(low, high) | st.integers(max(low, -300), 300) | st.sampled_from([low, high])
    if kind is Raw:
        return payloads
    if kind is str:
        return _texts
    return st.booleans() if kind is bool else messages(kind, payloads)
