"""Filters by tags: each comparison with each kind of tag, the operators, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocols.centrifuge.filters import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_TEXT,
    MAX_VALUES,
    FilterError,
    compile_filter,
)
from channels.protocols.centrifuge.messages import FilterNode
from tests.fuzz.budget import quick

#: cmp, what it is compared with, the tag's values that pass, those that do not; None: there is no such tag.
TABLE: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("eq", "ab", ["ab"], ["a", "abc", "AB", "", None]),
    ("neq", "ab", ["a", "abc", "AB", "", None], ["ab"]),
    ("in", ["ab", "c"], ["ab", "c"], ["a", "abc", "", None]),
    ("in", ["ab", ""], ["ab", "", None], ["a"]),
    ("nin", ["ab", "c"], ["a", "abc", "", None], ["ab", "c"]),
    ("nin", ["ab", ""], ["a"], ["ab", "", None]),
    ("ex", None, ["ab", ""], [None]),
    ("nex", None, [None], ["ab", ""]),
    ("sw", "ab", ["ab", "abc"], ["cab", "a", "Ab", "", None]),
    ("ew", "ab", ["ab", "cab"], ["abc", "b", "aB", "", None]),
    ("ct", "ab", ["ab", "cabc"], ["acb", "AB", "", None]),
    (
        "lt",
        "10",
        ["9", "9.9999999999999999999", "-11", "+3"],
        ["10", "10.0", "11", "", None, "x", "1e0", ".5"],
    ),
    ("lte", "10", ["9", "10", "10.00", "+10", "010"], ["10.0000000000000000001", "11", "", None, "x", "5."]),
    (
        "gt",
        "-0.5",
        ["0", "-0.4", "-0.0", "7"],
        ["-0.5", "-0.50", "-1", "", None, "NaN", "inf", "1_0", "\u0661", " 1"],
    ),
    (
        "gte",
        "0.1",
        ["0.1", "0.10", "1", "9" * 180],
        ["0.09", "-1", "", None, "Infinity", "1\n", "0x1", "9" * 181],
    ),
    ("gt", "x", [], ["1", "x", "y", "", None]),
    ("lt", "1e3", [], ["1", "-1", "", None]),
    ("gte", "0.12345678901234567890", [], ["1"]),
    ("gt", "90071992547409930", ["90071992547409931"], ["90071992547409929"]),
]


def leaf(cmp: str, value: str | list[str] | None = None, key: str = "k") -> FilterNode:
    if isinstance(value, list):
        return FilterNode(key=key, cmp=cmp, vals=value)
    return FilterNode(key=key, cmp=cmp, val=value or "")


def node(op: str, *nodes: FilterNode) -> FilterNode:
    return FilterNode(op=op, nodes=list(nodes))


@pytest.mark.parametrize(
    ("cmp", "value", "tag", "passes"),
    [(cmp, value, tag, tag in yes) for cmp, value, yes, no in TABLE for tag in [*yes, *no]],
)
def test_comparisons(cmp: str, value: str | list[str] | None, tag: str | None, passes: bool) -> None:
    tags = {"other": "ab"} | ({} if tag is None else {"k": tag})
    assert compile_filter(leaf(cmp, value))(tags) is passes
    assert compile_filter(node("not", leaf(cmp, value)))(tags) is not passes


A, B = leaf("eq", "1", "a"), leaf("ex", None, "b")


@pytest.mark.parametrize(
    ("tree", "passing"),
    [
        (node("and", A), {"a", "ab"}),
        (node("and", A, B), {"ab"}),
        (node("or", B), {"b", "ab"}),
        (node("or", A, B), {"a", "b", "ab"}),
        (node("not", A), {"", "b"}),
        (node("not", node("or", A, B)), {""}),
        (node("and", node("not", A), node("not", node("not", B))), {"b"}),
        (leaf("nex", None, ""), {"", "a", "b", "ab"}),
    ],
)
def test_operators(tree: FilterNode, passing: set[str]) -> None:
    passes = compile_filter(tree)
    assert {keys for keys in ("", "a", "b", "ab") if passes(dict.fromkeys(keys, "1"))} == passing


VALUED = ["eq", "neq", "sw", "ew", "ct", "lt", "lte", "gt", "gte"]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (FilterNode(), "filter has an unknown cmp"),
        (FilterNode(key="k", val="v"), "filter has an unknown cmp"),
        (leaf("EQ", "v"), "filter has an unknown cmp"),
        (node("xor", A), 'filter has an op that is none of "and"'),
        (node("and"), 'filter has "and" without nodes'),
        (node("or"), 'filter has "or" without nodes'),
        (node("not"), 'filter has "not" without nodes'),
        (node("not", A, B), 'filter has "not" with more than one node'),
        (node("and", A, node("or", B, node("not"))), r'filter.nodes\[1\].nodes\[1\] has "not" without nodes'),
        *[(leaf(cmp, "v", ""), "filter has no key") for cmp in VALUED],
        *[(leaf(cmp), f'filter has "{cmp}" without val') for cmp in VALUED],
        *[(FilterNode(key="k", cmp=cmp, val="v", vals=["v"]), f'"{cmp}" with vals') for cmp in VALUED],
        *[(leaf(cmp, ["v"], ""), "filter has no key") for cmp in ("in", "nin")],
        *[(leaf(cmp), f'"{cmp}" without vals') for cmp in ("in", "nin")],
        *[(FilterNode(key="k", cmp=cmp, val="v", vals=["v"]), f'"{cmp}" with val') for cmp in ("in", "nin")],
        *[(leaf(cmp, "v"), f'"{cmp}" with val') for cmp in ("ex", "nex")],
        *[(leaf(cmp, ["v"]), f'"{cmp}" with vals') for cmp in ("ex", "nex")],
    ],
)
def test_what_is_not_well_formed(tree: FilterNode, words: str) -> None:
    with pytest.raises(FilterError, match=words):
        compile_filter(tree)


def deep(levels: int) -> FilterNode:
    tree = A
    for _ in range(levels - 1):
        tree = node("not", tree)
    return tree


@pytest.mark.parametrize(
    ("largest", "larger", "words"),
    [
        (deep(MAX_DEPTH), deep(MAX_DEPTH + 1), "16 levels"),
        (node("or", *[A] * (MAX_NODES - 1)), node("or", *[A] * MAX_NODES), "100 nodes"),
        (leaf("in", ["v"] * MAX_VALUES), leaf("in", ["v"] * (MAX_VALUES + 1)), "1000 values"),
        (
            node("or", *[leaf("in", ["v"] * (MAX_VALUES // 2))] * 2),
            node("or", leaf("in", ["v"]), *[leaf("in", ["v"] * (MAX_VALUES // 2))] * 2),
            "1000 values",
        ),
        (leaf("eq", "v" * MAX_TEXT), leaf("eq", "v" * (MAX_TEXT + 1)), "256 characters"),
        (leaf("in", ["v" * MAX_TEXT]), leaf("in", ["v", "v" * (MAX_TEXT + 1)]), "256 characters"),
        (leaf("ex", None, "k" * MAX_TEXT), leaf("ex", None, "k" * (MAX_TEXT + 1)), "256 characters"),
    ],
)
def test_how_large_a_filter_may_be(largest: FilterNode, larger: FilterNode, words: str) -> None:
    assert compile_filter(largest)({}) in (True, False)
    with pytest.raises(FilterError, match=f"more than {words}"):
        compile_filter(larger)


def test_an_error_shows_nothing_of_what_came() -> None:
    secret = FilterNode(op="secret", key="secret", cmp="secret", val="secret")
    for tree in (secret, FilterNode(key="secret", cmp="secret"), FilterNode(key="secret" * 99, cmp="ex")):
        with pytest.raises(FilterError) as caught:
            compile_filter(tree)
        assert "secret" not in str(caught.value)


words = st.sampled_from(["", "a", "b", "1", "10", "-2.5", "é"])
leaves = st.builds(
    FilterNode,
    op=st.sampled_from(["", "", "", "and", "not", "?"]),
    key=words,
    cmp=st.sampled_from([*VALUED, "in", "nin", "ex", "nex", "", "?"]),
    val=words,
    vals=st.lists(words, max_size=2),
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        FilterNode, op=st.sampled_from(["and", "or", "not", ""]), nodes=st.lists(inner, max_size=3)
    ),
)


@given(trees, st.dictionaries(words, words, max_size=3))
@quick
def test_whatever_claims_to_be_a_filter(tree: FilterNode, tags: dict[str, str]) -> None:
    try:
        passes = compile_filter(tree)
    except FilterError:
        return
    assert passes(tags) in (True, False)
