"""Whatever comes: the same answer in whatever pieces, the library agrees, and never an exception."""

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol

from channels.protocols.events import CloseReceived, MessageReceived, PongReceived, RequestReceived
from channels.protocols.http.abnf import is_token_text
from channels.protocols.http.upgrade import HandshakeRejected, accept_handshake
from channels.protocols.websocket.connection import WebSocketConnection
from channels.protocols.websocket.frames import encode_message
from channels.protocols.websocket.handshake import accept_headers
from channels.protocols.websocket.limits import WebSocketLimits
from channels.protocols.websocket.permessage_deflate import DeflateSettings, negotiate
from tests.fuzz.budget import quick

LIMITS = WebSocketLimits(max_message_size=300, max_frame_size=None)


def frame(first, payload, mask, masked=0x80):
    size = len(payload)
    head = bytes((first, masked | size)) if size < 126 else struct.pack("!BBH", first, masked | 126, size)
    data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if masked else payload
    return head + (mask if masked else b"") + data


texts = st.text(max_size=8).map(str.encode) | st.sampled_from(
    [b"\xe2\x82", b"\xac", b"\xff", b"a" * 140, b"a" * 301]
)
closes = st.sampled_from(
    [b"", b"\x03", b"\x03\xe8", b"\x03\xe9bye", b"\x03\xea\xff", b"\x03\xed", b"\x0f\xa0"]
)

common = st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x80, 0x89, 0x8A])
masks = st.binary(min_size=4, max_size=4)
frames = st.one_of(
    st.builds(frame, common, texts, masks),
    st.builds(frame, common, texts, masks),
    st.builds(frame, st.just(0x88), closes, masks),
    st.builds(frame, st.integers(0, 255), texts, masks, st.sampled_from([0x80, 0])),
    st.binary(max_size=12),
)
peers = st.lists(frames, max_size=8).map(b"".join)


def told(pieces, deflate=None):
    """All events, the bytes that were sent, and the end."""
    websocket = WebSocketConnection(LIMITS, deflate)
    events, output = [], b""
    for piece in pieces:
        websocket.receive_data(piece)
        while (event := websocket.next_event()) is not None:
            events.append(event)
        output += websocket.data_to_send()
        assert websocket.buffered <= 300 + len(piece) + 14 + 126
    websocket.receive_eof()
    while (event := websocket.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], CloseReceived)
    assert websocket.closed
    return events, output + websocket.data_to_send()


@quick
@given(peers, st.lists(st.integers(0, 1000), max_size=4))
def test_the_pieces_do_not_matter(data, cuts):
    whole = told([data])
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    assert told([data[a:b] for a, b in pairwise(places)]) == whole
    assert told([data[i : i + 1] for i in range(len(data))]) == whole


def deflated(data, bits):
    compressor = zlib.compressobj(wbits=-bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


deflates = st.builds(deflated, texts | st.just(bytes(5000)), st.integers(9, 15)) | st.binary(max_size=9)
compressed_frames = frames | st.builds(
    frame, st.sampled_from([0xC1, 0xC2, 0x41, 0x42, 0x00, 0x80, 0xC0, 0xC9]), deflates, masks
)


@quick
@given(st.lists(compressed_frames, max_size=8).map(b"".join), st.integers(9, 15), st.booleans())
def test_the_pieces_do_not_matter_with_compression(data, bits, takeover):
    agreed = negotiate([b"permessage-deflate"], DeflateSettings(bits, client_context_takeover=takeover))
    whole = told([data], agreed)
    assert told([data[i : i + 1] for i in range(len(data))], agreed) == whole


@quick
@given(st.binary(max_size=60) | st.text('permsag-dfltcontxakwibu_=;, 189"', max_size=60).map(str.encode))
def test_an_offer_is_met_or_declined(offer):
    for prefix in (b"", b"permessage-deflate;", b"permessage-deflate;client_max_window_bits"):
        agreed = negotiate([prefix + offer])
        assert agreed is None or agreed.header.startswith(b"permessage-deflate; server_no_context_takeover")


@quick
@given(st.lists(st.text(max_size=50) | st.binary(max_size=50), max_size=5), st.booleans(), st.integers(9, 15))
def test_a_compressed_message_comes_back(messages, takeover, bits):
    settings = DeflateSettings(bits, takeover, takeover, min_size=0)
    websocket = WebSocketConnection(LIMITS, negotiate([b"permessage-deflate"], settings))
    client = Protocol(SERVER.__class__.CLIENT)
    client.extensions = [PerMessageDeflate(not takeover, not takeover, bits, bits)]
    for message in messages:
        websocket.send_message(message)
        client.receive_data(websocket.data_to_send())
        (event,) = client.events_received()
        (client.send_text if isinstance(message, str) else client.send_binary)(bytes(event.data))
        websocket.receive_data(b"".join(client.data_to_send()))
        assert websocket.next_event() == MessageReceived(message)


def told_by_library(data):
    """What the library's own connection understands: messages, pongs, and how it ended."""
    library = Protocol(SERVER, max_size=LIMITS.max_message_size)
    library.receive_data(data)
    fragments, text = [], False
    events: list[PongReceived | tuple[bytes, bool]] = []
    for event in library.events_received():
        if event.opcode is Opcode.PONG:
            events.append(PongReceived(bytes(event.data)))
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            fragments, text = (
                (fragments, text) if event.opcode is Opcode.CONT else ([], event.opcode is Opcode.TEXT)
            )
            fragments.append(bytes(event.data))
            if event.fin:
                events.append((b"".join(fragments), text))
    library.receive_eof()
    return events, library.close_sent.code if library.close_sent else 1006


@quick
@given(peers)
def test_the_library_agrees(data):
    """The library leaves UTF-8 to its caller, and differs from us where a peer closes in mid-message."""
    ours, _ = told([data])
    end = ours.pop()
    theirs, code = told_by_library(data)
    if end.code == 1007:
        assert len(ours) <= len(theirs)
        theirs = theirs[: len(ours)]
    elif end.code != code:
        assert code == 1002  # "incomplete fragmented message"
        assert end.code in (1000, 1001, 1005, 4000)
    assert ours == [
        MessageReceived(event[0].decode() if event[1] else event[0]) if isinstance(event, tuple) else event
        for event in theirs
    ]


@quick
@given(st.text(max_size=300) | st.binary(max_size=300))
def test_a_message_comes_back(message):
    client = Protocol(SERVER.__class__.CLIENT)
    client.receive_data(encode_message(message))
    (event,) = client.events_received()
    (client.send_text if isinstance(message, str) else client.send_binary)(bytes(event.data))
    websocket = WebSocketConnection(WebSocketLimits(None, None))
    websocket.receive_data(b"".join(client.data_to_send()))
    assert websocket.next_event() == MessageReceived(message)


handshake_headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"host",
                b"connection",
                b"upgrade",
                b"sec-websocket-key",
                b"sec-websocket-version",
                b"sec-websocket-protocol",
            ]
        ),
        st.sampled_from(
            [b"a", b"upgrade", b"websocket", b"13", b"dGhlIHNhbXBsZSBub25jZQ==", b"a, b", b"", b"\xff"]
        )
        | st.binary(max_size=5),
    ),
    max_size=8,
)
GOOD = [
    (b"host", b"a"),
    (b"connection", b"upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]


@quick
@given(handshake_headers, st.booleans())
@example([(b"sec-websocket-protocol", b"dGhlIHNhbXBsZSBub25jZQ==")], True)
def test_a_handshake_is_accepted_or_rejected(headers, good):
    request = RequestReceived(1, "GET", b"/", [*(GOOD if good else ()), *headers], "1.1", True)
    try:
        handshake = accept_handshake(request)
    except HandshakeRejected:
        return
    assert len(set(handshake.subprotocols)) == len(handshake.subprotocols)
    for chosen in (None, *handshake.subprotocols):
        if chosen is None or is_token_text(chosen):
            accept_headers(chosen, [])
        else:  # offered by some clients all the same, and never given back
            with pytest.raises(ValueError, match="no subprotocol"):
                accept_headers(chosen, [])
