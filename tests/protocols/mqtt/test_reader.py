"""What a client sends: packets, however their bytes come; what is not allowed is refused with its code."""

from __future__ import annotations

import pytest

from channels.protocols.mqtt.codes import MQTTError
from channels.protocols.mqtt.packets import V5, V311, Connect, PingReq, Publish
from channels.protocols.mqtt.reader import PacketReader
from tests.protocols.mqtt.cases import CASES, CONNECT, Case, connect, packet


def names() -> list[str]:
    return [f"{each.statement} {each.what} {each.version}" for each in CASES]


@pytest.mark.parametrize("case", CASES, ids=names())
@pytest.mark.parametrize("piece", [1, 10_000])
def test_what_is_not_allowed_is_refused_with_the_code_of_the_standard(case: Case, piece: int) -> None:
    reader = PacketReader(max_size=100_000)
    data = CONNECT[case.version] + case.data if case.version else case.data
    read = []

    def feed() -> None:
        for at in range(0, len(data), piece):
            for each in reader.feed(data[at : at + piece]):
                read.append(each)  # what came before the error counts

    with pytest.raises(MQTTError) as refused:
        feed()
    assert refused.value.reason == case.reason
    assert [type(each) for each in read] == ([Connect] if case.version else [])


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_packets_are_the_same_however_their_bytes_come(piece: int) -> None:
    reader, read = PacketReader(), []
    data = CONNECT[V311] + packet(0x30, b"\0\1tpayload") + b"\xc0\0" + b"\xc0"
    for at in range(0, len(data), piece):
        read += reader.feed(data[at : at + piece])
    assert read == [Connect("c", V311), Publish("t", b"payload"), PingReq()]
    assert (reader.pending, reader.version) == (1, V311)


def test_a_packet_of_the_largest_size_is_taken() -> None:
    reader = PacketReader(max_size=20)
    list(reader.feed(CONNECT[V5]))
    assert list(reader.feed(packet(0x30, b"\0\1t\0" + bytes(14)))) == [Publish("t", bytes(14))]
    with pytest.raises(MQTTError, match="more than 20 bytes"):
        list(reader.feed(packet(0x30, b"\0\1t\0" + bytes(15))))


def test_a_remaining_length_may_have_more_bytes_than_it_needs() -> None:
    """Devices that leave room for four bytes are common, and 3.1.1 does not forbid it."""
    reader = PacketReader()
    body = connect(V311)[2:]
    (read,) = reader.feed(b"\x10" + bytes([len(body) | 0x80, 0x80, 0x80, 0]) + body)
    assert read == Connect("c", V311)


def test_it_packs_in_the_version_of_its_client() -> None:
    reader = PacketReader()
    list(reader.feed(CONNECT[V311]))
    assert reader.pack(Publish("t", b"x")) == b"\x30\x04\0\1tx"
    reader = PacketReader()
    list(reader.feed(CONNECT[V5]))
    assert reader.pack(Publish("t", b"x")) == b"\x30\x05\0\1t\0x"
