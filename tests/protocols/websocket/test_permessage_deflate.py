import zlib

import pytest
from websockets.exceptions import PayloadTooBig
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from channels.protocols.websocket.permessage_deflate import (
    Compression,
    DeflateParameters,
    Deflater,
    DeflateSettings,
    Inflater,
    InvalidDeflate,
    compress,
    negotiate,
)

BOTH = DeflateSettings(15, server_context_takeover=True, client_context_takeover=True)


def deflated(data, bits=-15, mode=zlib.Z_SYNC_FLUSH):
    compressor = zlib.compressobj(wbits=bits)
    return (compressor.compress(data) + compressor.flush(mode)).removesuffix(b"\0\0\xff\xff")


# Negotiation

ANSWERS = [
    (b"permessage-deflate", BOTH, b"permessage-deflate"),
    (b"PerMessage-Deflate", BOTH, b"permessage-deflate"),
    (
        b"x, permessage-deflate; server_no_context_takeover",
        BOTH,
        b"permessage-deflate; server_no_context_takeover",
    ),
    (
        b"permessage-deflate; client_no_context_takeover",
        BOTH,
        b"permessage-deflate; client_no_context_takeover",
    ),
    (b"permessage-deflate; client_max_window_bits", BOTH, b"permessage-deflate; client_max_window_bits=15"),
    (b"permessage-deflate; client_max_window_bits=8", BOTH, b"permessage-deflate; client_max_window_bits=8"),
    (
        b'permessage-deflate; client_max_window_bits="10"',
        BOTH,
        b"permessage-deflate; client_max_window_bits=10",
    ),
    (
        b"permessage-deflate; server_max_window_bits=15",
        BOTH,
        b"permessage-deflate; server_max_window_bits=15",
    ),
    (b"permessage-deflate; server_max_window_bits=9", BOTH, b"permessage-deflate; server_max_window_bits=9"),
    (b"permessage-deflate; server_max_window_bits=8, permessage-deflate", BOTH, b"permessage-deflate"),
    (b"permessage-deflate; unknown, permessage-deflate", BOTH, b"permessage-deflate"),
    (
        b"permessage-deflate; client_max_window_bits; server_max_window_bits=10",
        DeflateSettings(11),
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        b"server_max_window_bits=10; client_max_window_bits=11",
    ),
    (
        b"permessage-deflate",
        DeflateSettings(12),
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        b"server_max_window_bits=12",
    ),
]


@pytest.mark.parametrize(("offer", "settings", "answer"), ANSWERS)
def test_what_is_agreed(offer, settings, answer):
    agreed = negotiate([offer], settings)
    assert agreed is not None
    assert agreed.header == answer


@pytest.mark.parametrize(
    "offer",
    [
        b"",
        b"permessage-bzip2",
        b"permessage-deflate; unknown",
        b"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        b"permessage-deflate; server_no_context_takeover=1",
        b"permessage-deflate; client_no_context_takeover=true",
        b"permessage-deflate; server_max_window_bits",
        b"permessage-deflate; server_max_window_bits=8",
        b"permessage-deflate; server_max_window_bits=16",
        b"permessage-deflate; server_max_window_bits=7",
        b"permessage-deflate; server_max_window_bits=010",
        b"permessage-deflate; client_max_window_bits=0",
        b"permessage-deflate; client_max_window_bits=x",
        b"permessage-deflate; =",
        b"permessage-deflate;",
        b"\xff permessage-deflate",
        b"permessage-deflate; unknown, " * 20 + b"permessage-deflate",
    ],
)
def test_what_is_declined(offer):
    assert negotiate([offer]) is None


def test_offers_may_come_in_several_fields():
    assert negotiate([b"x", b"permessage-deflate; x", b"permessage-deflate"]) is not None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window_bits": 8}, "9 to 15, not 8"),
        ({"window_bits": 16}, "9 to 15, not 16"),
        ({"level": 0}, "1 to 9, not 0"),
        ({"min_size": -1}, "0 or more, not -1"),
    ],
)
def test_settings_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        DeflateSettings(**wrong)


# Compressing

MESSAGE = b'{"type": "chat.message", "text": "hello"}' * 10


@pytest.mark.parametrize("bits", range(9, 16))
def test_a_compressed_message_needs_no_larger_window(bits):
    data = bytes(range(200)) * 300
    compressed = compress(data, Compression(bits))
    assert len(compressed) < len(data)
    assert zlib.decompressobj(-bits).decompress(compressed + b"\0\0\xff\xff") == data


def test_a_message_is_compressed_once_for_all():
    compression = Compression(12)
    assert compress(MESSAGE, compression) is compress(bytes(bytearray(MESSAGE)), Compression(12))
    assert compress(MESSAGE, Compression(9)) is not compress(MESSAGE, compression)


def test_of_large_messages_two_are_kept():
    data = b"x" * 65_537
    compressed = compress(data, Compression(12))
    assert compress(data, Compression(11)) is compress(data, Compression(11))
    assert compress(data, Compression(12)) is compressed
    compress(data, Compression(10))
    compress(data, Compression(9))
    assert compress(data, Compression(12)) is not compressed


def test_a_huge_message_is_not_kept():
    data = bytes(1_048_577)
    assert compress(data, Compression()) == compress(data, Compression())
    assert compress(data, Compression()) is not compress(data, Compression())


def test_with_context_takeover_nothing_can_be_shared():
    with pytest.raises(ValueError, match="compresses for itself"):
        compress(MESSAGE, Compression(context_takeover=True))


def test_with_context_takeover_the_same_again_is_small():
    deflater = Deflater(Compression(context_takeover=True))
    assert deflater._compressor is None, "no memory before there is traffic"
    first, second = deflater.deflate(MESSAGE), deflater.deflate(MESSAGE)
    assert len(second) < len(first) / 3
    client = PerMessageDeflate(False, False, 15, 15)
    for payload in (first, second):
        assert client.decode(Frame(Opcode.TEXT, payload, rsv1=True)).data == MESSAGE


def test_without_context_takeover_the_same_is_the_same():
    deflater = Deflater(Compression())
    assert deflater.deflate(MESSAGE) == deflater.deflate(MESSAGE)
    assert deflater._compressor is None


# Inflating


def inflater(takeover=False, bits=None):
    return Inflater(DeflateParameters(Compression(), takeover, bits))


def text(data, *, final=True, rsv1=True):
    return Frame(Opcode.TEXT, data, final, rsv1)


def test_a_message_in_one_frame():
    for _ in range(2):
        subject = inflater()
        frame = subject.decode(text(deflated(MESSAGE)))
        assert (frame.data, frame.rsv1) == (MESSAGE, False)
        assert subject._inflater is None, "no memory without traffic"


def test_an_empty_message():
    subject = inflater()
    assert subject.decode(text(b"\0")).data == b""
    assert subject.decode(text(b"")).data == b"", "nothing but what is not sent"


def test_a_message_in_fragments():
    data = deflated(MESSAGE)
    subject = inflater()
    parts = [subject.decode(text(data[:5], final=False)).data]
    parts.append(subject.decode(Frame(Opcode.CONT, data[5:9], fin=False)).data)
    assert subject.decode(Frame(Opcode.PING, b"p")).data == b"p"
    parts.append(subject.decode(Frame(Opcode.CONT, data[9:])).data)
    assert b"".join(parts) == MESSAGE
    assert subject.decode(text(b"plain", final=False, rsv1=False)).data == b"plain"
    assert subject.decode(Frame(Opcode.CONT, b"plain")).data == b"plain"


def test_the_bit_stays_where_it_must_not_be():
    subject = inflater()
    assert subject.decode(Frame(Opcode.PING, b"p", rsv1=True)).rsv1
    subject.decode(text(deflated(MESSAGE)[:5], final=False))
    assert subject.decode(Frame(Opcode.CONT, b"", rsv1=True)).rsv1


def test_context_is_kept_only_if_agreed():
    client = PerMessageDeflate(False, False, 15, 15)
    first, second = (client.encode(Frame(Opcode.TEXT, MESSAGE)).data for _ in range(2))
    keeps = inflater(takeover=True)
    assert [keeps.decode(text(data)).data for data in (first, second)] == [MESSAGE, MESSAGE]
    forgets = inflater()
    forgets.decode(text(first))
    with pytest.raises(InvalidDeflate):
        forgets.decode(text(second))


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_no_more_is_inflated_than_may_be(size):
    data = bytes(size)
    assert inflater().decode(text(deflated(data)), max_size=size).data == data
    with pytest.raises(PayloadTooBig):
        inflater().decode(text(deflated(bytes(size + 1))), max_size=size)


def test_a_bomb():
    bomb = deflated(bytes(10**8))
    with pytest.raises(PayloadTooBig) as caught:
        inflater().decode(text(bomb), max_size=10**6)
    assert caught.value.size == 10**6 + 1


@pytest.mark.parametrize("data", [b"\xff", b"\x07"])
def test_what_is_not_compressed(data):
    with pytest.raises(InvalidDeflate):
        inflater().decode(text(data))


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_a_message_may_end_with_a_final_block(takeover, padding):
    # RFC 7692 7.2.3.4
    data = deflated(MESSAGE, mode=zlib.Z_FINISH) + padding
    subject = inflater(takeover)
    assert subject.decode(text(data)).data == MESSAGE
    assert subject.decode(text(data, final=False)).data == MESSAGE
    assert subject.decode(Frame(Opcode.CONT, b"")).data == b""
    assert subject.decode(text(deflated(MESSAGE))).data == MESSAGE


@pytest.mark.parametrize("final", [True, False])
def test_what_follows_a_final_block(final):
    data = deflated(MESSAGE, mode=zlib.Z_FINISH)
    with pytest.raises(InvalidDeflate, match="behind its final block"):
        inflater().decode(text(data + data, final=final))
