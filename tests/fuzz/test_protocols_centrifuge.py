"""Whatever a client of topics sends: a list of commands or one exception, in work that its size bounds."""

import contextlib
import gc
import sys
from collections.abc import Callable

import msgspec
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from channels.protocols.centrifuge.codec import Codec, EncodingError, ProtocolError
from channels.protocols.centrifuge.framing import decode_emulation, decode_uni_connect, uni_connect
from channels.protocols.centrifuge.json_codec import JSON, json_payload
from channels.protocols.centrifuge.messages import Command, ConnectResult, Publication, Push, Reply
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.protocols.centrifuge.protobuf_messages import decode_message, encode_message
from tests.fuzz.budget import quick
from tests.protocols.centrifuge import protobuf_library
from tests.protocols.centrifuge.strategies import byte_payloads, json_payloads, messages

CODECS: dict[str, tuple[Codec, st.SearchStrategy[Raw]]] = {
    "json": (JSON, json_payloads),
    "protobuf": (PROTOBUF, byte_payloads),
}
formats = pytest.mark.parametrize("format", CODECS)


@st.composite
def bent(draw, frames):
    """A frame in which some bytes were cut, repeated or changed."""
    data = bytearray(draw(frames))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        end = draw(st.integers(place, min(len(data), place + 8)))
        data[place:end] = draw(st.binary(max_size=3) | st.just(bytes(data[place:end] * 2)))
    return bytes(data)


def frames(codec, payloads):
    commands = st.lists(messages(Command, payloads), min_size=1, max_size=3)
    return commands.map(lambda some: codec.join([codec.encode_command(command) for command in some]))


def quoted(text):
    return f'"{text}"'.encode(errors="surrogatepass")


any_frames = st.binary(max_size=60) | st.one_of(
    *(bent(frames(codec, payloads)) for codec, payloads in CODECS.values())
)


@formats
@quick
@given(data=st.data())
def test_what_is_written_is_read_as_it_was(format, data):
    codec, payloads = CODECS[format]
    commands = data.draw(st.lists(messages(Command, payloads), min_size=1, max_size=3))
    replies = data.draw(st.lists(messages(Reply, payloads), min_size=1, max_size=3))
    assert codec.decode_commands(codec.join([codec.encode_command(one) for one in commands])) == commands
    assert codec.decode_replies(codec.join([codec.encode_reply(one) for one in replies])) == replies


@quick
@given(messages(Push, json_payloads), messages(ConnectResult, json_payloads))
def test_pushes_are_the_same_in_each_way(push, result):
    for codec in (JSON, PROTOBUF):
        assert codec.decode_replies(codec.encode_push(push)) == [Reply(push=push)]
        assert codec.encode_push(push) == codec.encode_reply(Reply(push=push))
    assert msgspec.json.decode(JSON.encode_uni_push(push), type=Push) == push
    connect = uni_connect(result).connect
    assert (connect.subs, connect.data, connect.time) == (result.subs, result.data, result.time)


@formats
@quick
@example(frame=b"\x03\x08\x80")
@example(frame=b'{"id":' + b"9" * 5000 + b"}")
@given(frame=any_frames)
def test_a_frame_is_read_or_refused(format, frame):
    codec, _ = CODECS[format]
    try:
        commands = codec.decode_commands(frame)
    except ProtocolError:
        return
    assert commands
    again = codec.join([codec.encode_command(command) for command in commands])
    assert codec.decode_commands(again) == commands


@quick
@given(any_frames)
def test_what_is_read_of_protobuf_the_library_reads_alike(data):
    for kind in (Command, Reply):
        try:
            message = decode_message(kind, data)
        except ProtocolError:
            continue
        assert protobuf_library.read(kind, data) == message


@quick
@given(bent(messages(Command, byte_payloads).map(encode_message)))
def test_what_the_library_refuses_is_refused(data):
    try:
        protobuf_library.read(Command, data)
    except DecodeError:
        with pytest.raises(ProtocolError):
            decode_message(Command, data)


@quick
@given(any_frames)
def test_requests_are_read_or_refused(body):
    for read in (
        lambda: decode_emulation(body, "application/json"),
        lambda: decode_emulation(body, "application/octet-stream"),
        lambda: decode_uni_connect(body),
    ):
        with contextlib.suppress(ProtocolError):
            read()


@quick
@example(b'1,"offset":9')
@example(b'1}}\n{"push":{"pub":{"data":2')
@given(
    st.binary(max_size=12)
    | json_payloads.map(bytes)
    | st.text(max_size=8).map(lambda text: f'"{text}"'.encode())
)
def test_a_payload_is_one_json_value_on_one_line_or_refused(data):
    try:
        line = JSON.encode_push(Push(pub=Publication(Raw(data), offset=7)))
    except EncodingError:
        with pytest.raises(EncodingError):
            json_payload(data)
        return
    payload = json_payload(data)
    assert b"\n" not in line
    decoded = msgspec.json.decode(line)
    assert decoded == {"push": {"pub": {"data": msgspec.json.decode(data), "offset": 7}}}
    assert msgspec.json.decode(payload) == msgspec.json.decode(data)


def calls_of(function):
    """How many calls of Python and of C something takes, which is the work that no machine changes."""
    calls = 0

    def count(_frame, event, _arg):
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # what earlier tests left is finalized at another time
    sys.setprofile(count)
    try:
        with contextlib.suppress(ProtocolError):
            function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def delimited(tag, data):
    size, length = len(data), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return tag + bytes([*length, size]) + data


def protobuf_filters(size):
    frame = b""
    while len(frame) < size:
        frame = delimited(b"2", frame)
    return delimited(b"", delimited(b"*", delimited(b"j", frame)))


SIZES = 4_000, 64_000
HOSTILE: dict[str, tuple[Codec, Callable[[int], bytes]]] = {
    "pongs": (PROTOBUF, lambda size: bytes(size)),
    "varints": (PROTOBUF, lambda size: b"\x80" * size),
    "numbers": (PROTOBUF, lambda size: delimited(b"", b"\x08\x01" * (size // 2))),
    "long numbers": (
        PROTOBUF,
        lambda size: delimited(b"", (b"\x08" + b"\x80" * 9 + b"\0") * (size // 11)),
    ),
    "unknown": (PROTOBUF, lambda size: delimited(b"", b"\xa2\x06\x00" * (size // 3))),
    "entries": (PROTOBUF, lambda size: delimited(b"", delimited(b'"', b"\x1a\x00" * (size // 2)))),
    "nested filters": (PROTOBUF, protobuf_filters),
    "many filters": (
        PROTOBUF,
        lambda size: delimited(b"", delimited(b"*", delimited(b"j", b"\x32\x00" * (size // 2)))),
    ),
    "lines": (JSON, lambda size: b"{}\n" * (size // 3)),
    "brackets": (JSON, lambda size: b'{"id":1,"rpc":{"data":' + b"[" * size),
    "nested nodes": (JSON, lambda size: b'{"nodes":[' * (size // 10)),
    "many nodes": (
        JSON,
        lambda size: b'{"id":1,"subscribe":{"tf":{"nodes":[' + b"{}," * (size // 3) + b"{}]}}}",
    ),
    "many maps": (JSON, lambda size: b'{"id":1,"connect":{"subs":{' + b'"":{},' * (size // 6) + b'"":{}}}}'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_for_a_frame_is_linear_in_its_size(name):
    codec, make = HOSTILE[name]
    small, large = map(make, SIZES)
    few, many = (calls_of(lambda frame=frame: codec.decode_commands(frame)) for frame in (small, large))
    assert many <= 1.05 * SIZES[1] / SIZES[0] * few + 50
    assert many <= 5 * SIZES[1]
