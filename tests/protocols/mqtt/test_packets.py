from channels.protocols.mqtt.packets import V5, Acknowledgement, Connect, PubAck, PubRec


def test_packets_are_equal_by_their_kind_and_their_fields() -> None:
    assert PubAck(1) == PubAck(1)
    assert PubAck(1) != PubAck(2)
    assert PubAck(1) != PubRec(1)
    assert isinstance(PubAck(1), Acknowledgement)
    assert (Connect("c").version, Connect("c").will) == (V5, None)
