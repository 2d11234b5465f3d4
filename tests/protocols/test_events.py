import dataclasses
from typing import get_args

import pytest

from channels.protocols import events


def test_the_vocabulary_is_what_the_module_defines():
    defined = {value for value in vars(events).values() if dataclasses.is_dataclass(value)}
    assert set(get_args(events.Event)) == defined


@pytest.mark.parametrize("event", get_args(events.Event))
def test_events_are_small_and_compare_by_value(event):
    values = [field.name for field in dataclasses.fields(event) if field.default is dataclasses.MISSING]
    one, other = event(*values), event(*values)
    assert one == other
    assert not hasattr(one, "__dict__")


def test_nothing_is_shared_between_events():
    assert events.BodyEnded(1).trailers is not events.BodyEnded(1).trailers
