"""Protobuf frames: what is read, what is refused, and what is written, byte for byte."""

import pytest
from msgspec import Raw

from channels.protocols.centrifuge.codec import MAX_FILTER_DEPTH, Codec, EncodingError, ProtocolError
from channels.protocols.centrifuge.messages import (
    Command,
    ConnectRequest,
    Error,
    FilterNode,
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
    b"\x02\x08": "longer",
    b"\x80": "longer",
    b"\x01\x08": "longer",
    b"\x03\x08\x01": "longer",
    b"\x02\x22\x01": "longer",
    b"\x04\x22\x02\x0a\x05": "longer",
    b"\x02\x08\x80\x01": "longer",
    b"\x03\x2a\x01\x0a": "longer",
    b"\x05\x2a\x03\x0a\x01\xff": "UTF-8",
    b"\x07\x2a\x05\x0a\x03\xed\xa0\x80": "UTF-8",
    b"\x0b" + b"\xff" * 10 + b"\x01": "10 bytes",
    b"\x0c\x08" + b"\xff" * 10 + b"\x01": "10 bytes",
    b"\x06\x08\x80\x80\x80\x80\x10": "between 0 and 4294967295",
    b"\x0d\x2a\x0b\x38" + b"\xff" * 9 + b"\x01": "between 0 and 9223372036854775807",
    b"\x07\x4a\x05\x38\x80\x80\x80\x80": "longer",
    b"\x08\x52\x06\x38\x80\x80\x80\x80\x08": "between -2147483648 and 2147483647",
    b"\x02\x00\x00": "tag",
    b"\x02\x07\x00": "tag",
    b"\x02\x0b\x0c": "tag",  # a group, which proto3 has not
    b"\x02\x0e\x00": "tag",
    b"\x06\x80\x80\x80\x80\x10\x00": "tag",
    b"\x04\x2a\x00\x2a\x00": "twice",
    b"\x06\x22\x04\x1a\x02\x12\x01": "longer",
    b"\x08\x22\x06\x1a\x04\x12\x00\x12\x00": "twice",
}


@pytest.mark.parametrize("frame", WRONG, ids=repr)
def test_it_is_said_what_is_wrong(frame):
    with pytest.raises(ProtocolError, match=WRONG[frame]):
        PROTOBUF.decode_commands(frame)


def test_what_is_not_known_is_ignored():
    unknown = (
        b"\xa0\x06\x96\x01" + b"\xa2\x06\x02\x00\xff" + b"\xa5\x06\x01\x02\x03\x04" + b"\xa1\x06" + bytes(8)
    )
    other_wire_type = b"\x28\x05" + b"\x0a\x01x"  # subscribe as a number, id as a text
    message = b"\x08\x07" + unknown + other_wire_type
    assert PROTOBUF.decode_commands(bytes([len(message)]) + message) == [Command(7)]


def test_of_two_numbers_the_last_one_counts():
    assert PROTOBUF.decode_commands(b"\x04\x08\x01\x08\x02") == [Command(2)]


def test_entries_of_maps_may_leave_out_their_zeros():
    frame = b"\x06\x22\x04\x1a\x00\x32\x00"
    assert PROTOBUF.decode_commands(frame) == [
        Command(connect=ConnectRequest(subs={"": SubscribeRequest()}, headers={"": ""}))
    ]


def nested(depth):
    node = FilterNode(key="a")
    for _ in range(depth):
        node = FilterNode(op="not", nodes=[node])
    return node


@pytest.mark.parametrize(
    "command",
    [
        lambda node: Command(1, subscribe=SubscribeRequest("a", tf=node)),
        lambda node: Command(1, connect=ConnectRequest(subs={"a": SubscribeRequest(tf=node)})),
    ],
    ids=["subscribe", "connect"],
)
@pytest.mark.parametrize("depth", [MAX_FILTER_DEPTH, MAX_FILTER_DEPTH + 1, 900])
def test_filters_may_be_nested_so_deeply(command, depth):
    assert PROTOBUF.decode_commands(PROTOBUF.encode_command(command(nested(MAX_FILTER_DEPTH - 1))))
    frame = b""
    for _ in range(depth):
        frame = b"2" + varint(len(frame)) + frame
    tf = b"j" + varint(len(frame)) + frame
    message = b"*" + varint(len(tf)) + tf
    with pytest.raises(ProtocolError, match="deep"):
        PROTOBUF.decode_commands(varint(len(message)) + message)


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


WRONG_NUMBERS = [
    Reply(-1),
    Reply(2**32),
    Reply(push=Push(2**63)),
    Reply(push=Push(pub=Publication(offset=2**63))),
    Reply(push=Push(pub=Publication(score=-(2**63) - 1))),
]


@pytest.mark.parametrize("reply", WRONG_NUMBERS)
def test_a_number_out_of_its_range_is_refused(reply):
    with pytest.raises(EncodingError, match="between"):
        PROTOBUF.encode_reply(reply)


def test_a_text_that_is_no_text_is_refused():
    with pytest.raises(EncodingError, match="UTF-8"):
        PROTOBUF.encode_reply(Reply(1, error=Error(400, "\ud800")))
