from channels.protocols.mqtt.codes import CONNECT_RETURN_CODES, Reason, malformed, protocol_error


def test_errors_carry_the_code_of_the_standard() -> None:
    assert malformed("x").reason == Reason.MALFORMED_PACKET == 0x81
    assert protocol_error("x").reason == Reason.PROTOCOL_ERROR == 0x82


def test_3_1_1_knows_five_words_for_a_refusal() -> None:
    assert set(CONNECT_RETURN_CODES.values()) == {0, 1, 2, 3, 4, 5}
