import pytest
from hpack import Decoder, NeverIndexedHeaderTuple

from channels.protocols.http2.hpack.encoder import FieldEncoder

FIELDS = [
    [(b":status", b"200"), (b"content-type", b"text/html"), (b"x", b"y")],
    [(b":status", b"299"), (b"content-length", b"0"), (b"x", b"")],
    [(b"x" * 126, b"y" * 127), (b"x" * 127, b"y" * 128), (b"z" * 300, b"y" * 100_000)],
    [(b"date", b"y" * 256), (b"date", b"y" * 257), (b"www-authenticate", bytes(range(32, 127)))],
]


@pytest.mark.parametrize("fields", FIELDS)
def test_a_decoder_understands_it(fields):
    decoder = Decoder(2**20)
    for _ in range(2):
        assert decoder.decode(FieldEncoder().encode(fields), raw=True) == fields


def test_what_the_static_table_has_takes_one_byte():
    # RFC 7541 appendix A
    encoder = FieldEncoder()
    assert encoder.encode([(b":status", b"200"), (b":status", b"404")]) == b"\x88\x8d"
    assert encoder.encode([(b"server", b"a")]) == b"\x0f\x27\x01a"
    assert encoder.encode([]) == b""


def test_nothing_is_remembered():
    encoder, decoder = FieldEncoder(), Decoder()
    assert encoder.encode([(b"a", b"b")]) == encoder.encode([(b"a", b"b")])
    decoder.decode(encoder.encode([(b"a", b"b")]))
    assert len(decoder.header_table.dynamic_entries) == 0


@pytest.mark.parametrize("name", [b"set-cookie", b"authorization"])
def test_secrets_are_marked(name):
    (field, other) = Decoder().decode(FieldEncoder().encode([(name, b"x"), (b"a", b"b")]), raw=True)
    assert isinstance(field, NeverIndexedHeaderTuple)
    assert not isinstance(other, NeverIndexedHeaderTuple)


def test_a_smaller_table_is_confirmed_once():
    encoder = FieldEncoder()
    encoder.header_table_size = 8192
    assert encoder.encode([(b"a", b"b")])[0] == 0
    encoder.header_table_size = 100
    encoder.header_table_size = 5000
    assert encoder.header_table_size == 5000
    decoder = Decoder()
    decoder.max_allowed_table_size = 100
    assert decoder.decode(encoder.encode([(b"a", b"b")]), raw=True) == [(b"a", b"b")]
    assert encoder.encode([(b"a", b"b")])[0] == 0
