"""What travels beside a message, and is none of its content."""

from __future__ import annotations

import copy

import pytest

from channels.layers.local.carried import KEY, CarriedMessage, arrived, on_wire

BESIDE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def test_it_is_a_key_on_the_wire_and_an_attribute_at_both_ends() -> None:
    message = CarriedMessage({"type": "a"}, BESIDE)
    assert message == {"type": "a"}
    assert on_wire(message) == {"type": "a", KEY: BESIDE}
    found = arrived(on_wire(message))
    assert (found, found.beside) == ({"type": "a"}, BESIDE)
    assert on_wire(found) == {"type": "a", KEY: BESIDE}


def test_a_deep_copy_has_it_too() -> None:
    found = copy.deepcopy(CarriedMessage({"type": "a", "values": [1]}, BESIDE))
    assert (found, found.beside) == ({"type": "a", "values": [1]}, BESIDE)


@pytest.mark.parametrize("message", [{"type": "a"}, "text", 7, None, [KEY]], ids=repr)
def test_a_message_without_it_stays_as_it_is(message: object) -> None:
    assert arrived(message) is message


def test_what_is_none_of_ours_under_its_name_is_taken_out() -> None:
    found = arrived({"type": "a", KEY: "text"})
    assert found == {"type": "a"}
    assert type(found) is dict
