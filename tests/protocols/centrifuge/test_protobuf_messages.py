"""Messages in Protobuf are those of Google's library, and of the Python client's schema."""

import pytest
from centrifuge.protocol import client_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from channels.protocols.centrifuge import messages as wire
from channels.protocols.centrifuge.codec import ProtocolError
from channels.protocols.centrifuge.messages import (
    ClientInfo,
    EmulationRequest,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    WireMessage,
)
from channels.protocols.centrifuge.protobuf_messages import decode_message, delimited, encode_message
from channels.protocols.centrifuge.schema import fields_of
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
