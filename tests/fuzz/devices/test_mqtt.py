"""Whatever a client of MQTT sends: packets or one error with a reason, in work that its size bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocols.mqtt.codes import MQTTError
from channels.protocols.mqtt.decoding import decode_packet
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import V5, V311
from channels.protocols.mqtt.reader import PacketReader
from tests.fuzz.budget import quick
from tests.protocols.mqtt.cases import CASES, CONNECT
from tests.protocols.mqtt.strategies import connects, from_clients, from_servers

versions = pytest.mark.parametrize("version", [V311, V5])


def decoded(data: bytes, version: int) -> Any:
    at = 1
    while data[at] & 0x80:
        at += 1
    return decode_packet(data[0], data[at + 1 :], version)


@versions
@quick
@given(data=st.data())
def test_what_is_written_is_read_as_it_was(version: int, data: Any) -> None:
    packet = data.draw(connects(version) | from_clients(version) | from_servers(version))
    assert decoded(encode_packet(packet, version), version) == packet


def outcome(reader: PacketReader, pieces: list[bytes]) -> tuple[list[Any], int]:
    found: list[Any] = []
    try:
        for piece in pieces:
            for packet in reader.feed(piece):
                found.append(packet)
            assert reader.pending <= 300
    except MQTTError as error:
        return found, error.reason
    return found, 0


@versions
@quick
@given(data=st.data())
def test_bent_packets_are_read_or_refused_alike_in_any_pieces(version: int, data: Any) -> None:
    packets = data.draw(st.lists(from_clients(version), max_size=3))
    sent = bytearray(b"".join(encode_packet(packet, version) for packet in packets))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(sent)))
        sent[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    whole = bytes(CONNECT[version] + sent)
    single = [whole[at : at + 1] for at in range(len(whole))]
    assert outcome(PacketReader(200), [whole]) == outcome(PacketReader(200), single)


@quick
@given(noise=st.binary(max_size=60), case=st.sampled_from(CASES))
def test_noise_raises_nothing_else(noise: bytes, case: Any) -> None:
    for data in (noise, CONNECT[V5] + noise, CONNECT[V311] + case.data + noise):
        outcome(PacketReader(1_000_000), [data])
