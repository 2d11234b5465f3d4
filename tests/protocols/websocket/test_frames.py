import pytest
from websockets.frames import Frame, Opcode

from channels.protocols.websocket.frames import encode_message
from channels.protocols.websocket.permessage_deflate import Compression, Deflater


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("kind", [str, bytes])
def test_frames_are_what_the_library_would_send(kind, size):
    data = "a" * size if kind is str else b"\xff" * size
    opcode, payload = (Opcode.TEXT, data.encode()) if kind is str else (Opcode.BINARY, data)
    assert encode_message(data) == Frame(opcode, payload).serialize(mask=False)


@pytest.mark.parametrize("data", [bytearray(b"ab"), memoryview(b"ab")])
def test_what_else_is_bytes(data):
    assert encode_message(data) == b"\x82\x02ab"


@pytest.mark.parametrize("data", [None, 1, ["a"], {"a": 1}])
def test_what_is_no_message(data):
    with pytest.raises(TypeError, match=f"str or bytes, not {type(data).__name__}"):
        encode_message(data)


def test_text_that_utf8_cannot_carry():
    with pytest.raises(ValueError, match="surrogates"):
        encode_message("\ud800")


@pytest.mark.parametrize("data", ["a" * 300, b"a" * 300])
def test_a_compressed_frame(data):
    frame = encode_message(data, Compression(12))
    assert frame[0] == (0xC1 if isinstance(data, str) else 0xC2)
    assert len(frame) == 2 + frame[1] < 30
    assert encode_message(data, Deflater(Compression(12))) == frame


def test_a_short_message_is_not_compressed():
    compression = Compression(12, min_size=4)
    for data in ("abc", b"abc", ""):
        assert encode_message(data, compression) == encode_message(data)
        assert encode_message(data, Deflater(compression)) == encode_message(data)
    assert encode_message("abcd", compression)[0] == 0xC1
    assert encode_message("äö", compression)[0] == 0xC1, "bytes count, not characters"


def test_a_frame_for_everybody_does_not_touch_anybodys_context():
    compression = Compression(12, context_takeover=True)
    assert encode_message("a" * 300, compression) == encode_message("a" * 300)
    assert encode_message("a" * 300, Deflater(compression))[0] == 0xC1
