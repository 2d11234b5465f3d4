"""The table of the fields: what the annotations say, and that they say it once."""

import msgspec
import pytest
from msgspec import Raw

from channels.protocols.centrifuge.messages import (
    EMPTY,
    ClientInfo,
    ConnectResult,
    FilterNode,
    Publication,
    Push,
    Reply,
    Scalar,
    SubscribeResult,
    WireMessage,
)
from channels.protocols.centrifuge.schema import Field, fields_of, payloads_of

ALL = WireMessage.__subclasses__()


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.__name__)
def test_numbers_are_different_and_ascend(message):
    numbers = [field.number for field in fields_of(message)]
    assert numbers == sorted(set(numbers))
    assert all(0 < number < 20 for number in numbers)


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.__name__)
def test_what_is_zero_is_left_out_unless_it_has_no_default(message):
    fields = fields_of(message)
    made = message(*(field.absent() for field in fields))
    required = [info.name for info in msgspec.structs.fields(message) if info.required]
    assert list(msgspec.json.decode(msgspec.json.encode(made))) == required


def test_fields_are_read_from_their_annotations():
    fields = {field.name: field for field in fields_of(Publication)}
    assert fields["data"] == Field("data", 4, Raw, repeated=False, mapped=False, zero=EMPTY)
    assert fields["info"] == Field("info", 5, ClientInfo, repeated=False, mapped=False, zero=None)
    assert fields["tags"] == Field("tags", 7, str, repeated=False, mapped=True, zero=dict)
    assert fields["score"] == Field("score", 13, Scalar.SINT64, repeated=False, mapped=False, zero=0)
    assert fields_of(FilterNode)[-1] == Field("nodes", 6, FilterNode, repeated=True, mapped=False, zero=list)


def test_payloads_are_found_wherever_they_are():
    publication = Publication(Raw(b"1"), info=ClientInfo("", "", Raw(b"2"), Raw(b"3")), prev_data=Raw(b"4"))
    subscribed = SubscribeResult(publications=[publication], data=Raw(b"5"), state=[Publication(Raw(b"6"))])
    reply = Reply(1, push=Push(pub=Publication(Raw(b"0"))), connect=ConnectResult(subs={"a": subscribed}))
    assert [bytes(payload) for payload in payloads_of(reply)] == [b"0", b"1", b"2", b"3", b"4", b"5", b"6"]
    assert payloads_of(Reply(1)) == []
