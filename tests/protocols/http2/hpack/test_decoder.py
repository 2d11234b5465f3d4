import pytest
from h2.errors import ErrorCodes
from hpack import Decoder, Encoder, NeverIndexedHeaderTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.protocols.http2.frames import ConnectionFault
from channels.protocols.http2.hpack import decoder as http2_decoder
from channels.protocols.http2.hpack.decoder import FieldDecoder

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"example.com")]
MANY = 1_000_000


def test_appendix_c_of_the_standard():
    """RFC 7541 C.4 and C.6: with Huffman, one table for three blocks, with evictions in between."""
    decoder = FieldDecoder(MANY)
    assert decoder.decode(bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))[3] == (
        b":authority",
        b"www.example.com",
    )
    fields = decoder.decode(bytes.fromhex("828684be5886a8eb10649cbf"))
    assert fields[3:] == [(b":authority", b"www.example.com"), (b"cache-control", b"no-cache")]
    fields = decoder.decode(bytes.fromhex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"))
    assert fields == [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ]


names = st.sampled_from([b":path", b"accept", b"cookie", b"x-a", b"x-" + b"b" * 200])
values = st.binary(max_size=40) | st.sampled_from([b"/", b"GET", b"gzip, deflate", b"z" * 3000])
pairs = st.tuples(names, values)
fields_ = pairs | pairs.map(lambda field: NeverIndexedHeaderTuple(*field))
steps = st.one_of(st.lists(fields_, max_size=8), st.integers(0, 4096))


@settings(derandomize=True, max_examples=150, deadline=None, database=None)
@given(st.lists(steps, max_size=12), st.booleans())
def test_the_same_as_another_decoder(steps, huffman):
    encoder, theirs, ours = Encoder(), Decoder(MANY), FieldDecoder(MANY)
    last = []
    for step in steps:
        if isinstance(step, int):
            encoder.header_table_size = step
            continue
        for fields in (step, step, last):
            block = encoder.encode(fields, huffman=huffman)
            expected = [tuple(field) for field in theirs.decode(block, raw=True)]
            assert ours.decode(block) == expected == [tuple(field) for field in fields]
        last = step


def test_a_block_that_comes_again_is_looked_up():
    encoder, decoder = Encoder(), FieldDecoder(MANY)
    assert decoder.decode(encoder.encode(GET)) == GET
    again = encoder.encode(GET)
    assert decoder.decode(again) is decoder.decode(again)
    before = decoder.decode(again)
    decoder.decode(encoder.encode([(b"x", b"y")]))
    assert decoder.decode(again) is not before, "its indexes mean something else now"
    assert decoder.decode(encoder.encode(GET)) == GET


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(http2_decoder, "_MAX_KNOWN", 2)
    decoder = FieldDecoder(MANY)
    for size in range(5):
        assert decoder.decode(b"\0\1a" + bytes((size,)) + b"v" * size) == [(b"a", b"v" * size)]
        assert len(decoder._known) <= 2
    decoder = FieldDecoder(MANY)
    decoder.decode(b"\0\1a\x7f\x81\x03" + b"v" * 512)
    assert not decoder._known


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # index 0
        b"\xbe",  # an entry that is not there
        b"\x7e\x01a",  # a name that is not there
        b"\x00",  # nothing behind it
        b"\x00\x05a",  # a name that is too short
        b"\x00\x01a\x05b",  # a value that is too short
        b"\x00\x01a\x81\xff\xff",  # Huffman's padding is too long
        b"\xff\xff\xff\xff\xff\xff\xff",  # a number without end
        b"\xff",  # a number that stops
        b"\x82\x20",  # a table resized behind a field
        b"\x3f\xe2\x1f",  # a table larger than allowed
    ],
)
def test_what_is_no_hpack(block):
    with pytest.raises(ConnectionFault) as caught:
        FieldDecoder(MANY).decode(block)
    assert caught.value.code == ErrorCodes.COMPRESSION_ERROR


def test_fields_that_are_too_large():
    decoder = FieldDecoder(100)
    assert len(decoder.decode(b"\x82\x86")) == 2
    with pytest.raises(ConnectionFault) as caught:
        decoder.decode(b"\x82\x86\x84")
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


def test_an_entry_larger_than_the_table_empties_it():
    decoder = FieldDecoder(MANY)
    decoder.decode(b"\x40\x01a\x01b")
    assert decoder.decode(b"\xbe") == [(b"a", b"b")]
    decoder.decode(b"\x40\x01a\x7f\x81\x20" + b"b" * 4224)
    with pytest.raises(ConnectionFault):
        decoder.decode(b"\xbe")


def test_secrets_are_not_remembered_beyond_their_connection():
    secret = Encoder().encode([NeverIndexedHeaderTuple(b"authorization", b"Basic c2VjcmV0")])
    before = len(http2_decoder._known_strings)
    assert FieldDecoder(MANY).decode(secret) == [(b"authorization", b"Basic c2VjcmV0")]
    assert len(http2_decoder._known_strings) == before
