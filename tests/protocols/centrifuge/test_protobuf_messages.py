"""Messages in Protobuf are those of Google's library, and of the Python client's schema."""

import pytest
from centrifuge.protocol import client_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from channels.protocols.centrifuge import messages as wire
from channels.protocols.centrifuge.codec import EncodingError, ProtocolError
from channels.protocols.centrifuge.messages import (
    ClientInfo,
    Command,
    ConnectRequest,
    EmulationRequest,
    Error,
    FilterNode,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    Push,
    Reply,
    SubscribeRequest,
    WireMessage,
)
from channels.protocols.centrifuge.protobuf_messages import (
    decode_delimited,
    decode_message,
    delimited,
    encode_message,
)
from channels.protocols.centrifuge.schema import fields_of
from channels.protocols.centrifuge.varints import encode_varint
from tests.fuzz.budget import quick
from tests.protocols.centrifuge import protobuf_library
from tests.protocols.centrifuge.strategies import byte_payloads, messages

ALL = WireMessage.__subclasses__()
SCHEMA = client_pb2.DESCRIPTOR.message_types_by_name


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@settings(quick, max_examples=15)  # tests/fuzz tries more
@given(data=st.data())
def test_the_library_reads_what_we_write_and_we_what_it_writes(kind, data):
    message = data.draw(messages(kind, byte_payloads))
    encoded = encode_message(message)
    assert protobuf_library.read(kind, encoded) == message
    assert decode_message(kind, encoded) == message
    theirs = protobuf_library.CLASSES[kind].FromString(encoded).SerializeToString()
    assert decode_message(kind, theirs) == message
    assert len(theirs) == len(encoded)


@pytest.mark.parametrize("name", sorted(set(SCHEMA) & set(dir(wire))))
def test_numbers_and_types_are_those_of_the_python_client(name):
    ours = {field.name: field for field in fields_of(getattr(wire, name))}
    for theirs in SCHEMA[name].fields:
        field, value = ours[theirs.name], theirs
        assert (field.number, field.many) == (theirs.number, theirs.is_repeated)
        assert field.mapped == (
            theirs.message_type is not None and theirs.message_type.GetOptions().map_entry
        )
        if field.mapped:
            value = theirs.message_type.fields_by_name["value"]
        if value.message_type is None:
            assert protobuf_library.TYPES[field.kind] == value.type
        else:
            assert field.kind.__name__ == value.message_type.name


def test_the_python_client_knows_most_of_it():
    assert {kind.__name__ for kind in ALL} - set(SCHEMA) == {"Dictionary", "KeyedItem", "TrackBatch"}


@pytest.mark.parametrize(
    ("empty", "zero"),
    [
        (ClientInfo, ClientInfo("", "")),
        (PresenceResult, PresenceResult({})),
        (PresenceStatsResult, PresenceStatsResult(0, 0)),
        (HistoryResult, HistoryResult([], "", 0)),
    ],
)
def test_what_is_absent_is_zero(empty, zero):
    assert decode_message(empty, b"") == zero
    assert encode_message(zero) == b""


def test_what_was_absent_once_is_not_shared():
    decode_message(PresenceResult, b"").presence["c"] = ClientInfo("", "c")
    assert decode_message(PresenceResult, b"") == PresenceResult({})


def test_a_payload_is_a_copy():
    frame = bytearray(encode_message(Publication(Raw(b"abc"))))
    publication = decode_message(Publication, bytes(frame))
    frame[:] = bytes(len(frame))
    assert publication.data == Raw(b"abc")


def test_a_request_has_no_length_before_it():
    request = EmulationRequest("node", "session", Raw(b"\0"))
    assert encode_message(request) == b"\n\x04node\x12\x07session\x1a\x01\0"
    assert decode_message(EmulationRequest, encode_message(request)) == request
    with pytest.raises(ProtocolError):
        decode_message(EmulationRequest, delimited(encode_message(request)))


WRONG = {
    b"\x80": "longer",
    b"\x08": "longer",
    b"\x22\x01": "longer",
    b"\x22\x02\x0a\x05": "longer",
    b"\x2a\x01\x0a": "longer",
    b"\x4a\x05\x38\x80\x80\x80\x80": "longer",
    b"\x22\x04\x1a\x02\x12\x01": "longer",
    b"\xa2\x06\x02\x00": "longer",
    b"\xa5\x06\x00": "longer",
    b"\x2a\x03\x0a\x01\xff": "UTF-8",
    b"\x2a\x05\x0a\x03\xed\xa0\x80": "UTF-8",
    b"\x08" + b"\xff" * 10 + b"\x01": "10 bytes",
    b"\x08\x80\x80\x80\x80\x10": "between 0 and 4294967295",
    b"\x2a\x0b\x38" + b"\xff" * 9 + b"\x01": "between 0 and 9223372036854775807",
    b"\x52\x06\x38\x80\x80\x80\x80\x08": "between -2147483648 and 2147483647",
    b"\x00\x00": "tag",
    b"\x07\x00": "tag",
    b"\x0b\x0c": "tag",  # a group, which proto3 has not
    b"\x0e\x00": "tag",
    b"\x80\x80\x80\x80\x10\x00": "tag",
    b"\x2a\x00\x2a\x00": "twice",
    b"\x22\x06\x1a\x04\x12\x00\x12\x00": "twice",
}


@pytest.mark.parametrize("data", WRONG, ids=repr)
def test_it_is_said_what_is_wrong(data):
    with pytest.raises(ProtocolError, match=WRONG[data]):
        decode_message(Command, data)


def test_what_is_not_known_is_ignored():
    unknown = b"\xa0\x06\x96\x01" + b"\xa2\x06\x02\x00\xff"  # a number and a text
    unknown += b"\xa5\x06" + bytes(4) + b"\xa1\x06" + bytes(8)  # of a fixed size
    other_wire_type = b"\x28\x05" + b"\x0a\x01x"  # subscribe as a number, id as a text
    assert decode_message(Command, b"\x08\x07" + unknown + other_wire_type) == Command(7)


def test_several_messages_each_have_their_length():
    some = [Command(1), Command(), Command(2)]
    frame = b"".join(delimited(encode_message(message)) for message in some)
    assert decode_delimited(Command, frame) == some
    for end in (1, 2, len(frame) - 1):
        with pytest.raises(ProtocolError, match="longer"):
            decode_delimited(Command, frame[:end])


def test_of_two_numbers_the_last_one_counts():
    assert decode_message(Command, b"\x08\x01\x08\x02") == Command(2)


def test_entries_of_maps_may_leave_out_their_zeros():
    request = ConnectRequest(subs={"": SubscribeRequest()}, headers={"": ""})
    assert decode_message(ConnectRequest, b"\x1a\x00\x32\x00") == request


def test_messages_are_nested_so_deeply():
    nested = b""
    for _ in range(900):
        nested = b"2" + encode_varint(len(nested)) + nested
    with pytest.raises(ProtocolError, match="deeply"):
        decode_message(FilterNode, nested)


WRONG_NUMBERS = [
    Reply(-1),
    Reply(2**32),
    Push(2**63),
    Publication(offset=2**63),
    Publication(score=-(2**63) - 1),
]


@pytest.mark.parametrize("message", WRONG_NUMBERS)
def test_a_number_out_of_its_range_is_refused(message):
    with pytest.raises(EncodingError, match="between"):
        encode_message(message)


def test_a_text_that_is_no_text_is_refused():
    with pytest.raises(EncodingError, match="UTF-8"):
        encode_message(Error(400, "\ud800"))
