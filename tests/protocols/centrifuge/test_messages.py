"""What holds for every message."""

import msgspec
import pytest

from channels.protocols.centrifuge import messages
from channels.protocols.centrifuge.messages import EMPTY, Publication, WireMessage

ALL = WireMessage.__subclasses__()


def test_each_message_is_found_by_its_name():
    assert len(ALL) == 43
    assert all(getattr(messages, message.__name__) is message for message in ALL)


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.__name__)
def test_zeros_are_left_out_and_nothing_is_changed(message):
    config = message.__struct_config__
    assert config.omit_defaults
    assert config.frozen


def test_the_empty_payload_is_the_default():
    assert Publication().data is EMPTY
    with pytest.raises(AttributeError):
        Publication().offset = 1  # type: ignore[misc]


def test_a_changed_message_is_another():
    first = Publication(offset=1)
    assert msgspec.structs.replace(first, offset=2) == Publication(offset=2)
    assert first == Publication(offset=1)
