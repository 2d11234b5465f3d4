"""How stores write publications and clients."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from channels.protocols.centrifuge.messages import ClientInfo, Publication
from channels.topics.stores.records import (
    NotARecord,
    decode_client,
    decode_publication,
    encode_client,
    encode_publication,
)

INFO = ClientInfo(user="é", client="c", conn_info=Raw(b'{"a":1}'), chan_info=Raw(b"\x00\xff"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"data": Raw(b"[1]"), "time": 5},
        {"data": Raw(b"\x00"), "info": INFO},
        {"tags": {"a": "b"}},
        {"data": Raw(b"1"), "key": "k", "removed": True, "score": -(2**63), "version": 2**63 - 1},
        {"version": 1},
        {"score": 1, "info": INFO, "tags": {"x": ""}},
    ],
)
def test_a_publication_comes_back(fields):
    publication = Publication(**fields)
    record = encode_publication(publication)
    assert decode_publication(record, 7, "epoch") == Publication(**fields, offset=7, epoch="epoch")


def test_a_client_comes_back():
    for info in (INFO, ClientInfo(user="", client="")):
        assert decode_client(encode_client(info)) == info


def test_what_comes_back_can_be_sent_to_clients():
    """A payload that is not there is left out, not written as nothing."""
    publication = Publication(data=Raw(b"[1]"), info=ClientInfo(user="", client="c"))
    found = decode_publication(encode_publication(publication), 1, "e")
    assert msgspec.json.encode(found) == (
        b'{"data":[1],"info":{"user":"","client":"c"},"offset":1,"epoch":"e"}'
    )
    empty = decode_publication(encode_publication(Publication()), 1, "e")
    assert msgspec.json.encode(empty) == b'{"offset":1,"epoch":"e"}'


def test_what_is_zero_at_the_end_is_left_out():
    assert len(encode_publication(Publication(data=Raw(b"12345678")))) == 12


def test_fields_of_a_later_release_are_passed_over():
    record = msgspec.msgpack.encode((b"1", 2, None, {}, 0, "", False, 0, None, "more", [1]))
    assert decode_publication(record, 1, "e") == Publication(data=Raw(b"1"), time=2, offset=1, epoch="e")


@pytest.mark.parametrize("record", [b"", b"\x92", b"\xc1", b"{}", b"\x93\xc4\x01a\x01\x05"])
def test_other_bytes_are_refused(record):
    with pytest.raises(NotARecord):
        decode_publication(record, 1, "e")
