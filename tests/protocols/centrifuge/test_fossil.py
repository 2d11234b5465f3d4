"""Deltas: what they make, how short they are, what is refused, and that another implementation agrees."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocols.centrifuge.fossil import (
    DeltaError,
    apply_delta,
    create_binary_delta,
    create_delta,
    create_text_delta,
)
from tests.fuzz.budget import quick
from tests.support import programs

ANY = random.Random(11).randbytes(100_000)
DOCUMENT = {"items": [{"id": number, "name": f"user {number}", "score": number * 7} for number in range(90)]}


def document(**changes: Any) -> bytes:
    return json.dumps({**DOCUMENT, **changes}, ensure_ascii=False).encode()


BEFORE = document(state="open", title="Zürich")
PAIRS = {
    "nothing": (b"", b""),
    "nothing before": (b"", b"new"),
    "nothing after": (b"old", b""),
    "the same": (BEFORE, BEFORE),
    "one field": (BEFORE, document(state="closed", title="Zürich")),
    "a field at either end": (b'{"n":1,' + BEFORE + b',"m":1}', b'{"n":2,' + BEFORE + b',"m":2}'),
    "two places of 520 bytes": (b"x" * 520, b"x" * 100 + b"y" + b"x" * 300 + b"z" + b"x" * 118),
    "another character of the same first byte": ("äöü".encode() * 30, "äöü".encode() * 29 + "äöß".encode()),
    "moved": (ANY[:8000], ANY[4000:8000] + ANY[:4000]),
    "repeated": (b'{"a":1},' * 500, b'{"a":1},' * 200 + b'{"b":2},' + b'{"a":1},' * 300),
    "nothing in common": (ANY[:4000], ANY[4000:8000]),
    "longer than the lookups": (ANY[:50_000], ANY[50_000:]),
    "more copies than are made": (b"a" * 65536, (b"a" * 16 + b"b") * 3000),
    "blocks with gaps between them": (ANY, ANY[70_000:] + b"!" * 40 + ANY[:70_000]),
}
pairs = pytest.mark.parametrize(("source", "target"), PAIRS.values(), ids=PAIRS.keys())


@pairs
def test_a_delta_makes_its_target(source: bytes, target: bytes) -> None:
    assert apply_delta(source, create_delta(source, target)) == target


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("the same", 20),
        ("one field", 40),
        ("a field at either end", 50),
        ("two places of 520 bytes", 40),
        ("moved", 30),
        ("repeated", 40),
        ("blocks with gaps between them", 80),
    ],
)
def test_a_delta_is_short(name: str, most: int) -> None:
    source, target = PAIRS[name]
    assert len(create_delta(source, target)) <= most
    assert create_binary_delta(source, target) == create_delta(source, target)


def test_the_work_for_one_delta_is_bounded() -> None:
    """What is made behind so many lookups and copies is one insert, up to the common end."""
    source, target = PAIRS["more copies than are made"]
    copies = re.findall(rb"[0-9A-Z_a-z~]+@", create_delta(source, target))
    assert 100 < len(copies) < 500
    source, target = PAIRS["longer than the lookups"]
    far = target[:20_000] + source[:1000] + target[20_000:]
    assert len(create_delta(source, far)) > len(far)


@pairs
def test_a_delta_for_text_is_text(source: bytes, target: bytes) -> None:
    delta = create_text_delta(source, target)
    if delta is not None:
        assert delta.decode()
        assert len(delta) < len(target)
        assert apply_delta(source, delta) == target


def test_copies_end_between_characters() -> None:
    """The two differ in the second byte of a character only."""
    source, target = ("a" * 40 + "é" + "b" * 40).encode(), ("a" * 40 + "è" + "b" * 40).encode()
    binary, text = create_binary_delta(source, target), create_text_delta(source, target)
    assert binary is not None
    assert text is not None
    with pytest.raises(UnicodeDecodeError):
        binary.decode()
    assert text.decode() == "1I\nd@0,2:èd@f,1eJQMU;"
    assert apply_delta(source, text) == target


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (b"a" * 40, b"b" * 40),
        (b"", b""),
        (b"a" * 40 + b"\xff", b"a" * 40 + b"\xfe"),
        ("ä".encode() * 5, "ö".encode() * 5),
    ],
)
def test_no_delta_where_the_whole_is_as_short_or_no_text(source: bytes, target: bytes) -> None:
    assert create_text_delta(source, target) is None


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (b"", "does not begin with the length"),
        (b"3:abc", "does not begin with the length"),
        (b"0000003\n3:abc1;", "does not begin with the length"),
        (b"3\n", "a command at byte 2"),
        (b"3\n3:abc", "a command at byte 7"),
        (b"3\n3:ab", "bytes that are there at byte 7"),
        (b"3\n3@0;", "a command at byte 2"),
        (b"3\n3", "a command at byte 2"),
        (b"3\n3@6,0;", "bytes that are there at byte 6"),
        (b"3\n4:abcdOXaU0;", "no more bytes than announced"),
        (b"3\n3@0,1@0,0;", "no more bytes than announced"),
        (b"~~~~~~\n~~~~~~@0,0;", "68719476735 bytes; 16777216 are allowed"),
        (b"3\n2:ab1X8V00;", "made 2 bytes and had announced 3"),
        (b"3\n3:abc0;", "checksum is wrong"),
        (b"3\n3:abc0;more", "the end of the delta at byte 9"),
        (b"3\n?", "a command at byte 2"),
        (b"3\n-1:a", "a command at byte 2"),
    ],
)
def test_what_is_no_delta(delta: bytes, words: str) -> None:
    with pytest.raises(DeltaError, match=words):
        apply_delta(b"abcdefg", delta)


def test_another_source_is_noticed() -> None:
    delta = create_delta(BEFORE, BEFORE + b"!")
    with pytest.raises(DeltaError, match="another source"):
        apply_delta(BEFORE.replace(b"open", b"shut"), delta)


def test_the_target_may_be_bounded() -> None:
    delta = create_delta(b"a" * 100, b"a" * 101)
    assert len(apply_delta(b"a" * 100, delta, limit=101)) == 101
    with pytest.raises(DeltaError, match="101 bytes; 100 are allowed"):
        apply_delta(b"a" * 100, delta, limit=100)


# -- whatever comes

texts = st.text('ab"{}:,é€\U0001f600', max_size=60)
edits = st.lists(st.tuples(st.booleans(), st.integers(0, 200), st.integers(0, 120), texts), max_size=6)


def edited(source: str, changes: list[tuple[bool, int, int, str]]) -> str:
    """Pieces of the source from anywhere, and new ones."""
    return "".join(source[start : start + size] if old else new for old, start, size, new in changes)


@given(st.lists(texts, max_size=6).map("".join), edits)
@quick
def test_whatever_is_edited(source: str, changes: list[tuple[bool, int, int, str]]) -> None:
    before, after = source.encode(), edited(source, changes).encode()
    assert apply_delta(before, create_delta(before, after)) == after
    delta = create_text_delta(before, after)
    if delta is not None:
        assert delta.decode()
        assert apply_delta(before, delta) == after


@given(st.binary(max_size=80), st.binary(max_size=80), st.integers(0, 5))
@quick
def test_whatever_bytes(source: bytes, target: bytes, times: int) -> None:
    source, target = source * 2**times, target * times
    assert apply_delta(source, create_delta(source, target)) == target


numbers = st.integers(0, 70).map(lambda value: create_delta(b"", b"a" * value).split(b"\n")[0])
commands = st.one_of(
    st.builds(lambda count, offset: count + b"@" + offset + b",", numbers, numbers),
    st.builds(lambda count, piece: count + b":" + piece, numbers, st.binary(max_size=70)),
    st.builds(lambda count: count + b";", numbers),
    st.binary(max_size=4),
)


@given(st.binary(max_size=70), numbers, st.lists(commands, max_size=6).map(b"".join), st.integers(0, 64))
@quick
def test_whatever_claims_to_be_a_delta(source: bytes, length: bytes, rest: bytes, limit: int) -> None:
    try:
        made = apply_delta(source, length + b"\n" + rest, limit=limit)
    except DeltaError:
        return
    assert len(made) <= limit


@given(st.data())
@quick
def test_a_delta_that_was_changed_on_its_way(data: st.DataObject) -> None:
    source, target = PAIRS["two places of 520 bytes"]
    delta = bytearray(create_delta(source, target))
    delta[data.draw(st.integers(0, len(delta) - 1))] = data.draw(st.integers(0, 255))
    try:
        made = apply_delta(source, bytes(delta), limit=1000)
    except DeltaError:
        return
    assert len(made) <= 1000


# -- another implementation


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_fossil_delta_of_npm_agrees() -> None:
    packages = programs.require_npm_packages("fossil-delta@2.0.0")
    cases = [
        {"source": encode(source), "target": encode(target), "delta": encode(delta)}
        for source, target in PAIRS.values()
        for delta in (create_delta(source, target), create_text_delta(source, target))
        if delta is not None
    ]
    script = Path(__file__).with_name("fossil_peer.mjs")
    command = [programs.require("node"), str(script), str(packages)]
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=50
    )
    answers = json.loads(done.stdout)
    assert len(answers) == len(cases) > len(PAIRS)
    for case, answer in zip(cases, answers, strict=True):
        assert answer["applied"] == case["target"]
        theirs = base64.b64decode(answer["delta"])
        assert encode(apply_delta(base64.b64decode(case["source"]), theirs)) == case["target"]
