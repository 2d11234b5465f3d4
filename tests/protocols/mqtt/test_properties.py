from __future__ import annotations

import pytest

from channels.protocols.mqtt.codes import MQTTError
from channels.protocols.mqtt.fields import FieldReader
from channels.protocols.mqtt.properties import PROPERTIES, read_properties, write_properties


def test_the_table_has_each_property_of_the_standard_once() -> None:
    numbers = [each.number for each in PROPERTIES.values()]
    assert len(set(numbers)) == len(numbers) == 27
    assert max(numbers) == 0x2A


def test_what_repeats_is_a_list_in_its_order() -> None:
    told = {"user_property": [("b", "1"), ("a", "2"), ("b", "1")], "subscription_identifier": [3, 300]}
    data = write_properties(told, "PUBLISH")
    assert read_properties(FieldReader(data), "PUBLISH") == told
    assert write_properties({}, "PUBLISH") == b"\0"


def test_a_subscription_has_one_identifier() -> None:
    data = write_properties({"subscription_identifier": 3}, "SUBSCRIBE")
    assert read_properties(FieldReader(data), "SUBSCRIBE") == {"subscription_identifier": 3}


@pytest.mark.parametrize(
    "packet", sorted({packet for each in PROPERTIES.values() for packet in each.packets})
)
def test_a_property_is_refused_in_each_packet_that_has_it_not(packet: str) -> None:
    for each in PROPERTIES.values():
        if packet in each.packets:
            continue
        with pytest.raises(MQTTError) as refused:
            read_properties(FieldReader(bytes([5, each.number, 0, 0, 0, 0])), packet)
        assert refused.value.reason == 0x81
        with pytest.raises(ValueError, match="has no property"):
            write_properties({each.name: 1}, packet)
