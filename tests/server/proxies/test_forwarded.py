"""``Forwarded`` from its end: what our proxy appends is read, whatever stands before it."""

from __future__ import annotations

import contextlib
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.server.proxies.forwarded import ForwardedGuard, MalformedForwarded, elements_from_end

TOKENS = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=8)
#: What a header may hold, and more than usual of what this one gives a meaning to.
TEXT = st.text(st.sampled_from(string.printable[:95]) | st.sampled_from('",;=\\ \t'), max_size=40)


def quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def written(element: dict[str, tuple[str, bool]], around: str) -> str:
    pairs = [
        f"{name}={quoted(value) if in_quotes else value}" for name, (value, in_quotes) in element.items()
    ]
    return f"{around};{around}".join(pairs)


PAIRS = st.tuples(TOKENS, st.just(False)) | st.tuples(TEXT, st.just(True))
ELEMENTS = st.dictionaries(TOKENS.map(str.lower), PAIRS, min_size=1, max_size=4)


def meant(element: dict[str, tuple[str, bool]]) -> dict[str, str]:
    return {name: value for name, (value, _) in element.items()}


@given(st.lists(ELEMENTS, min_size=1, max_size=4), st.sampled_from(["", " ", "\t "]))
def test_well_formed_elements(elements: list[dict[str, tuple[str, bool]]], around: str) -> None:
    lines = [written(element, around) for element in elements]
    expected = [meant(element) for element in reversed(elements)]
    assert list(elements_from_end(lines)) == expected
    assert list(elements_from_end([f"{around},{around}".join(lines)])) == expected


@given(TEXT, ELEMENTS)
def test_nothing_before_it_changes_what_our_proxy_wrote(
    before: str, element: dict[str, tuple[str, bool]]
) -> None:
    read = elements_from_end([before, written(element, "")])
    assert next(read) == meant(element)
    with contextlib.suppress(MalformedForwarded):
        for _ in read:
            pass


def test_long_headers_take_no_long_time() -> None:
    for line in ('"' * 30_000, '"\\' * 30_000, "a=" * 30_000, ' "=' * 20_000, ";" * 60_000):
        with contextlib.suppress(MalformedForwarded):
            list(elements_from_end([line]))


def test_a_parameter_is_once_in_each_element() -> None:
    with pytest.raises(MalformedForwarded):
        list(elements_from_end(["for=a;for=b"]))
    assert list(elements_from_end(["for=a, for=b"])) == [{"for": "b"}, {"for": "a"}]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("malformed", [True, False])
async def test_a_request_whose_header_is_malformed_is_refused(kind: str, malformed: bool) -> None:
    sent: list[Any] = []
    served: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        served.append(scope)

    async def receive() -> Any:
        raise AssertionError("nobody asks")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind}
    await ForwardedGuard(app, lambda scope: malformed)(scope, receive, send)
    assert served == ([] if malformed else [scope])
    if malformed:
        prefix = "http.response" if kind == "http" else "websocket.http.response"
        assert [message["type"] for message in sent] == [f"{prefix}.start", f"{prefix}.body"]
        assert sent[0]["status"] == 400
