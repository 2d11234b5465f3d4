"""Protobuf frames: what is read, what is refused, and what is written, byte for byte."""

import pytest
from msgspec import Raw

from channels.protocols.centrifuge.codec import Codec, ProtocolError
from channels.protocols.centrifuge.messages import (
    Command,
    ConnectRequest,
    Publication,
    Push,
    Reply,
    SubscribeRequest,
    UnsubscribeResult,
)
from channels.protocols.centrifuge.protobuf import PROTOBUF

CODEC: Codec = PROTOBUF  # mypy sees that it is one


def test_a_message_stands_behind_its_length():
    assert (
        PROTOBUF.encode_command(Command(1, connect=ConnectRequest(name="js"))) == b'\x08\x08\x01"\x04"\x02js'
    )
    assert PROTOBUF.encode_reply(Reply(3, unsubscribe=UnsubscribeResult())) == b"\x04\x08\x03:\x00"
    frame = b"\x02\x08\x01\x00\x04\x08\x02*\x00"
    assert PROTOBUF.decode_commands(frame) == [
        Command(1),
        Command(),
        Command(2, subscribe=SubscribeRequest()),
    ]


def test_a_pong_is_one_zero_byte():
    assert PROTOBUF.ping == PROTOBUF.encode_reply(Reply()) == b"\0"
    assert PROTOBUF.decode_commands(PROTOBUF.ping) == [Command()]


def test_a_push_has_an_envelope_but_on_unidirectional_transports():
    push = Push(channel="a", pub=Publication(Raw(b"\xff\n"), offset=300))
    assert PROTOBUF.encode_uni_push(push) == b'\x0c\x12\x01a"\x07"\x02\xff\n0\xac\x02'
    assert PROTOBUF.encode_push(push) == PROTOBUF.encode_reply(Reply(push=push))
    assert PROTOBUF.decode_replies(PROTOBUF.encode_push(push)) == [Reply(push=push)]


def test_messages_are_joined_by_nothing():
    commands = [
        Command(1, connect=ConnectRequest()),
        Command(),
        Command(2, subscribe=SubscribeRequest("a" * 300)),
    ]
    frame = PROTOBUF.join([PROTOBUF.encode_command(command) for command in commands])
    assert PROTOBUF.decode_commands(frame) == commands


WRONG = {
    b"": "empty",
    "text": "text",
    b"\x01": "longer",
    b"\x80": "longer",
    b"\x03\x08\x01": "longer",
    b"\x02\x08\x80\x01": "longer",
    b"\x02\x08\x01\x02\x08": "longer",
    b"\xff" * 10 + b"\x01": "10 bytes",
    b"\x05\x2a\x03\x0a\x01\xff": "UTF-8",
}


@pytest.mark.parametrize("frame", WRONG, ids=repr)
def test_it_is_said_what_is_wrong(frame):
    with pytest.raises(ProtocolError, match=WRONG[frame]):
        PROTOBUF.decode_commands(frame)
