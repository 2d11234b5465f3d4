"""The WebSocket room, table by table: what comes in, what goes out, what is refused.

Longer than other files: it is the test of one module, and its tables share their frames.
"""

import random
import struct
import zlib

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from channels.protocols.events import CloseReceived, MessageReceived, PongReceived
from channels.protocols.websocket.connection import WebSocketConnection
from channels.protocols.websocket.frames import encode_message
from channels.protocols.websocket.limits import WebSocketLimits
from channels.protocols.websocket.permessage_deflate import DeflateSettings, negotiate
from tests.protocols.facts import amount_of

TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(opcode, payload=b"", *, final=True, first=None, mask=b"\x01\x80\xfe\x7f"):
    """A frame as a client sends it."""
    first = (0x80 if final else 0) | opcode if first is None else first
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, 0xFE, size)
    else:
        head = struct.pack("!BBQ", first, 0xFF, size)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def close_frame(code, reason=b""):
    """A close frame as the server sends it."""
    return bytes((0x88, 2 + len(reason))) + code.to_bytes(2, "big") + reason


def events_of(websocket, *pieces):
    events = []
    for piece in pieces:
        websocket.receive_data(piece)
        while (event := websocket.next_event()) is not None:
            events.append(event)
    return events


def both_ways(data, limits=WebSocketLimits(1000, 500)):  # noqa: B008
    """Events and answers to some bytes, which are the same in one piece and byte by byte."""
    whole, dripped = WebSocketConnection(limits), WebSocketConnection(limits)
    events = events_of(whole, data)
    assert events_of(dripped, *[data[i : i + 1] for i in range(len(data))]) == events
    output = whole.data_to_send()
    assert dripped.data_to_send() == output
    assert (whole.closing, whole.closed) == (dripped.closing, dripped.closed)
    return events, output


# Messages


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 124, 125, 126, 127, 500])
@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\x01\x80\xfe\x7f"])
def test_a_message_in_one_frame(size, mask):
    assert both_ways(frame(TEXT, b"a" * size, mask=mask)) == ([MessageReceived("a" * size)], b"")
    data = bytes(range(256))[:size]
    assert both_ways(frame(BINARY, data, mask=mask)) == ([MessageReceived(data)], b"")


def test_a_large_message():
    data = bytes(range(256)) * 300
    websocket = WebSocketConnection()
    assert events_of(websocket, frame(BINARY, data)) == [MessageReceived(data)]


def test_an_empty_message_is_a_message():
    assert both_ways(frame(TEXT) + frame(BINARY))[0] == [MessageReceived(""), MessageReceived(b"")]


def test_text_is_unicode():
    text = "ä€😀\ufeff\0"
    assert both_ways(frame(TEXT, text.encode())) == ([MessageReceived(text)], b"")


def test_many_messages_in_one_read():
    data = b"".join(frame(TEXT, b"%d" % number) for number in range(200))
    assert both_ways(data)[0] == [MessageReceived(str(number)) for number in range(200)]


def test_fragments_make_one_message():
    euro = "€".encode()
    data = (
        frame(TEXT, b"a" + euro[:1], final=False)
        + frame(CONTINUED, euro[1:2], final=False)
        + frame(CONTINUED, b"", final=False)
        + frame(CONTINUED, euro[2:] + b"b")
        + frame(BINARY, b"\xff", final=False)
        + frame(CONTINUED, b"\xfe")
        + frame(TEXT, b"end")
    )
    assert both_ways(data)[0] == [
        MessageReceived("a€b"),
        MessageReceived(b"\xff\xfe"),
        MessageReceived("end"),
    ]


def test_control_frames_between_fragments():
    data = frame(TEXT, b"a", final=False) + frame(PING, b"p") + frame(PONG, b"q") + frame(CONTINUED, b"b")
    assert both_ways(data) == ([PongReceived(b"q"), MessageReceived("ab")], b"\x8a\x01p")


def test_four_mebibytes_in_fragments_of_64_bytes():
    websocket = WebSocketConnection(WebSocketLimits(4 * 1024 * 1024, None))
    part = frame(CONTINUED, b"x" * 64, final=False)
    events_of(websocket, frame(TEXT, b"x" * 64, final=False), *[part * 64] * 1023, part * 62)
    assert websocket.buffered == 4 * 1024 * 1024 - 64
    (event,) = events_of(websocket, frame(CONTINUED, b"x" * 64))
    assert event.data == "x" * 4 * 1024 * 1024
    assert websocket.buffered == 0


def test_what_is_held_is_counted():
    websocket = WebSocketConnection()
    websocket.receive_data(frame(TEXT, b"abc") + frame(TEXT, b"def", final=False)[:5])
    assert websocket.buffered == 14
    assert websocket.next_event() == MessageReceived("abc")
    assert websocket.next_event() is None
    assert websocket.buffered <= 5


# Sizes


def test_sizes_at_their_limits():
    data = frame(BINARY, b"a" * 500, final=False) + frame(CONTINUED, b"b" * 500)
    assert both_ways(data)[0] == [MessageReceived(b"a" * 500 + b"b" * 500)]


OVER = {
    "a frame": frame(TEXT, b"a" * 501),
    "a frame that claims more than there is": frame(TEXT, b"a" * 60_000)[:10],
    "a huge frame": b"\x82\xff" + b"\x7f" + b"\xff" * 7,
    "an impossible frame": b"\x82\xff" + b"\xff" * 8,
    "a message": frame(TEXT, b"a" * 500, final=False)
    + frame(CONTINUED, b"a" * 500, final=False)
    + frame(CONTINUED, b"a"),
    "a message by its next frame": frame(TEXT, b"a" * 500, final=False)
    + frame(CONTINUED, b"a" * 400, final=False)
    + frame(CONTINUED, b"a" * 200)[:8],
}


@pytest.mark.parametrize("case", OVER)
def test_what_is_too_large_is_refused_before_it_is_held(case):
    (event,), output = both_ways(OVER[case])
    assert event.code == 1009
    assert output == close_frame(1009, event.reason.encode())


def test_small_limits():
    for limits in (WebSocketLimits(3, None), WebSocketLimits(None, 3), WebSocketLimits(3, 3)):
        assert both_ways(frame(TEXT, b"abc"), limits)[0] == [MessageReceived("abc")]
        assert both_ways(frame(TEXT, b"abcd"), limits)[0][0].code == 1009
        assert both_ways(frame(BINARY, b"abcd", final=False), limits)[0][0].code == 1009


def test_a_ping_is_no_part_of_the_message_around_it():
    limits = WebSocketLimits(10, 5)
    data = frame(TEXT, b"a" * 5, final=False) + frame(PING, b"p" * 125) + frame(CONTINUED, b"a" * 5)
    assert both_ways(data, limits)[0] == [MessageReceived("a" * 10)]


def test_without_limits_only_the_impossible_is_refused():
    limits = WebSocketLimits(None, None)
    assert both_ways(frame(TEXT, b"a" * 2000), limits)[0] == [MessageReceived("a" * 2000)]
    (event,), _ = both_ways(OVER["an impossible frame"], limits)
    assert event.code == 1009


# Violations

VIOLATIONS = {
    "no mask": (1002, b"\x81\x01a"),
    "a reserved bit": (1002, frame(TEXT, b"a", first=0xC1)),
    "another reserved bit": (1002, frame(TEXT, b"a", first=0xA1)),
    "the last reserved bit": (1002, frame(TEXT, b"a", first=0x91)),
    "a reserved bit on a control frame": (1002, frame(PING, b"a", first=0xC9)),
    "an unknown opcode": (1002, frame(3, b"a")),
    "an unknown control opcode": (1002, frame(11, b"a")),
    "a continuation of nothing": (1002, frame(CONTINUED, b"a")),
    "a message inside another": (1002, frame(TEXT, b"a", final=False) + frame(TEXT, b"b")),
    "a fragmented ping": (1002, frame(PING, b"a", final=False)),
    "a fragmented close": (1002, frame(CLOSE, b"\x03\xe8", final=False)),
    "a long ping": (1002, frame(PING, b"a" * 126)),
    "a long close": (1002, frame(CLOSE, b"\x03\xe8" + b"a" * 124)),
    "half a close code": (1002, frame(CLOSE, b"\x03")),
    "text that is no UTF-8": (1007, frame(TEXT, b"\xff")),
    "text that ends early": (1007, frame(TEXT, b"\xe2\x82")),
    "a surrogate": (1007, frame(TEXT, b"\xed\xa0\x80")),
    "a fragment that is no UTF-8": (1007, frame(TEXT, b"a\xff", final=False)),
    "a later fragment that is no UTF-8": (1007, frame(TEXT, b"\xe2", final=False) + frame(CONTINUED, b"a")),
    "fragments that end early": (1007, frame(TEXT, b"\xe2", final=False) + frame(CONTINUED, b"\x82")),
    "a long text that is no UTF-8": (1007, frame(TEXT, b"a" * 200 + b"\xff")),
    "a reason that is no UTF-8": (1007, frame(CLOSE, b"\x03\xe8\xff")),
    **{
        f"close code {code}": (1002, frame(CLOSE, code.to_bytes(2, "big")))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}


@pytest.mark.parametrize("case", VIOLATIONS)
def test_violations(case):
    code, data = VIOLATIONS[case]
    (event,), output = both_ways(data + frame(TEXT, b"more"))
    assert event.code == code
    assert event.reason.isprintable()
    assert output == close_frame(code, event.reason.encode())


def test_a_fragment_is_judged_before_the_message_ends():
    websocket = WebSocketConnection()
    (event,) = events_of(websocket, frame(TEXT, b"a\xff", final=False))
    assert (event.code, websocket.closed) == (1007, True)


def test_what_was_owed_before_a_violation_is_still_sent():
    websocket = WebSocketConnection()
    websocket.send_message("first")
    assert [type(e) for e in events_of(websocket, frame(TEXT, b"x") + frame(PING, b"p") + b"\x81\x01a")] == [
        MessageReceived,
        CloseReceived,
    ]
    output = websocket.data_to_send()
    assert output.startswith(b"\x81\x05first\x8a\x01p\x88")


# Pings


@pytest.mark.parametrize("payload", [b"", b"\xff\0", b"p" * 125])
def test_a_ping_is_answered_with_its_payload(payload):
    assert both_ways(frame(PING, payload)) == ([], bytes((0x8A, len(payload))) + payload)


def test_only_so_many_pongs_wait_to_be_sent():
    websocket = WebSocketConnection()
    before = amount_of(websocket, "protocols.pongs_skipped")
    events_of(websocket, b"".join(frame(PING, b"%d" % number) for number in range(1000)))
    output = websocket.data_to_send()
    assert output.count(b"\x8a") == 16
    assert output.startswith(b"\x8a\x010\x8a\x011")
    assert output.endswith(b"\x8a\x03999")
    assert amount_of(websocket, "protocols.pongs_skipped") == before + 984
    events_of(websocket, frame(PING, b"later"))
    assert websocket.data_to_send() == b"\x8a\x05later"


def test_our_own_ping_and_its_answer():
    websocket = WebSocketConnection()
    websocket.ping(b"there?")
    assert websocket.data_to_send() == b"\x89\x06there?"
    assert events_of(websocket, frame(PONG, b"there?")) == [PongReceived(b"there?")]
    websocket.ping()
    assert websocket.data_to_send() == b"\x89\x00"
    with pytest.raises(ValueError, match="125 bytes, not 126"):
        websocket.ping(b"a" * 126)


# The end


@pytest.mark.parametrize(
    ("payload", "event", "echo"),
    [
        (b"", CloseReceived(1005), b"\x88\x00"),
        (b"\x03\xe8", CloseReceived(1000), close_frame(1000)),
        (b"\x03\xe9bye \xe2\x82\xac", CloseReceived(1001, "bye €"), close_frame(1001)),
        (b"\x0f\xa0", CloseReceived(4000), close_frame(4000)),
        (b"\x03\xf6", CloseReceived(1014), close_frame(1014)),
    ],
)
def test_the_peer_closes(payload, event, echo):
    websocket = WebSocketConnection()
    assert events_of(websocket, frame(CLOSE, payload) + frame(TEXT, b"late"), frame(TEXT, b"later")) == [
        event
    ]
    assert websocket.data_to_send() == echo
    assert websocket.closing
    assert websocket.closed
    assert websocket.buffered == 0


def test_the_peer_closes_in_the_middle_of_a_message():
    data = frame(TEXT, b"a", final=False) + frame(CLOSE, b"\x03\xe8")
    assert both_ways(data) == ([CloseReceived(1000)], close_frame(1000))


def test_we_close():
    websocket = WebSocketConnection()
    websocket.send_message("last")
    websocket.close(4001, "go")
    websocket.close(1000)
    assert websocket.closing
    assert not websocket.closed
    assert websocket.data_to_send() == b"\x81\x04last" + close_frame(4001, b"go")
    late = frame(TEXT, b"late") + frame(PING, b"p") + frame(PONG, b"q") + frame(CONTINUED, b"odd")
    assert events_of(websocket, late) == []
    assert events_of(websocket, frame(CLOSE, b"\x0f\xa1")) == [CloseReceived(4001)]
    assert websocket.closed
    assert websocket.data_to_send() == b""


def test_what_the_peer_breaks_after_we_closed_is_not_answered():
    websocket = WebSocketConnection()
    websocket.close()
    websocket.data_to_send()
    assert [event.code for event in events_of(websocket, b"\x81\x01a")] == [1002]
    assert websocket.closed
    assert websocket.data_to_send() == b""


def test_close_without_a_code():
    websocket = WebSocketConnection()
    websocket.close(None, "nobody hears this")
    assert websocket.data_to_send() == b"\x88\x00"


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999])
def test_codes_that_can_be_sent(code):
    websocket = WebSocketConnection()
    websocket.close(code)
    assert websocket.data_to_send() == close_frame(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70000, -1])
def test_codes_that_cannot_be_sent(code):
    websocket = WebSocketConnection()
    with pytest.raises(ValueError, match=f"{code} cannot be sent as a close code"):
        websocket.close(code)
    assert not websocket.closing


@pytest.mark.parametrize(
    ("reason", "sent"),
    [("a" * 200, b"a" * 123), ("€" * 41, "€".encode() * 41), ("a" + "€" * 41, b"a" + "€".encode() * 40)],
)
def test_a_long_reason_is_cut_between_characters(reason, sent):
    websocket = WebSocketConnection()
    websocket.close(1000, reason)
    assert websocket.data_to_send() == close_frame(1000, sent)


def test_a_reason_that_utf8_cannot_carry():
    websocket = WebSocketConnection()
    websocket.close(1000, "a\ud800b")
    assert websocket.data_to_send() == close_frame(1000, b"a?b")


def test_after_the_end_nothing_is_sent_and_it_is_counted():
    websocket = WebSocketConnection()
    websocket.close()
    websocket.data_to_send()
    before = amount_of(websocket, "protocols.late_frame")
    websocket.send_message("late")
    websocket.send_frame(encode_message(b"late"))
    websocket.ping()
    assert websocket.data_to_send() == b""
    assert amount_of(websocket, "protocols.late_frame") == before + 3


@pytest.mark.parametrize("before", [b"", frame(TEXT, b"abc")[:4], frame(TEXT, b"a", final=False)])
def test_a_peer_that_is_lost(before):
    websocket = WebSocketConnection()
    assert events_of(websocket, frame(TEXT, b"abc") + before) == [MessageReceived("abc")]
    websocket.receive_eof()
    assert websocket.next_event() == CloseReceived(1006)
    assert websocket.next_event() is None
    assert websocket.closed


def test_a_peer_that_is_lost_was_heard_to_the_end():
    websocket = WebSocketConnection()
    websocket.receive_data(frame(TEXT, b"abc"))
    websocket.receive_eof()
    assert websocket.next_event() == MessageReceived("abc")
    assert websocket.next_event() == CloseReceived(1006)


# What we send


def test_nothing_to_send():
    assert WebSocketConnection().data_to_send() == b""


def test_against_the_client_of_websockets():
    """Both ends talk until they are closed."""
    server, client = WebSocketConnection(), Protocol(CLIENT, state=OPEN)
    client.send_text(b"hello")
    client.send_ping(b"p")
    client.send_close(1000, "bye")
    (message, close) = events_of(server, b"".join(client.data_to_send()))
    assert (message, close) == (MessageReceived("hello"), CloseReceived(1000, "bye"))
    client.receive_data(server.data_to_send())
    assert [event.opcode for event in client.events_received()] == [Opcode.PONG, Opcode.CLOSE]
    client.receive_eof()
    assert isinstance(client.close_exc, ConnectionClosedOK)


def test_many_frames_in_one_buffer():
    websocket = WebSocketConnection()
    many = frame(TEXT, b"") * 100_000
    assert events_of(websocket, many[:3]) == []
    assert events_of(websocket, many[3:]) == [MessageReceived("")] * 100_000


def test_one_frame_in_many_reads():
    websocket = WebSocketConnection(WebSocketLimits(None, None))
    head = b"\x82\xff" + (10**7).to_bytes(8, "big") + bytes(4)
    (event,) = events_of(websocket, head, *[bytes(1000)] * 10_000)
    assert event.data == bytes(10**7)


# Compression


def compressed(settings=DeflateSettings(), offer=b"permessage-deflate", limits=WebSocketLimits()):  # noqa: B008
    return WebSocketConnection(limits, negotiate([offer], settings))


def deflated(data):
    compressor = zlib.compressobj(wbits=-12)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


NO_LIMITS = WebSocketLimits(None, None)
BOTH = DeflateSettings(15, server_context_takeover=True, client_context_takeover=True, min_size=5)


@pytest.mark.parametrize(
    "limits", [WebSocketLimits(), WebSocketLimits(None, None), WebSocketLimits(None, 600)]
)
@pytest.mark.parametrize("settings", [DeflateSettings(min_size=5), BOTH])
def test_compressed_against_the_client_of_websockets(settings, limits):
    server = compressed(settings, limits=limits)
    assert server.compression.min_size == 5
    takeover = settings.client_context_takeover
    extension = PerMessageDeflate(not takeover, not takeover, settings.window_bits, settings.window_bits)
    client = Protocol(CLIENT, state=OPEN)
    client.extensions = [extension]
    for message in ("hello" * 100, "hello" * 100, "hi", "", "x" * 500):
        client.send_text(message.encode())
        client.send_ping(b"p")
        (event,) = events_of(server, b"".join(client.data_to_send()))
        assert event == MessageReceived(message)
        server.send_message(message)
        client.receive_data(server.data_to_send())
        pong, echo = client.events_received()
        assert (pong.opcode, echo.data) == (Opcode.PONG, message.encode())


def test_without_agreement_nothing_is_compressed():
    websocket = WebSocketConnection()
    assert websocket.compression is None
    websocket.send_message("a" * 1000)
    assert websocket.data_to_send()[0] == 0x81
    assert events_of(websocket, frame(TEXT, deflated(b"a"), first=0xC1))[0].code == 1002


def test_a_shared_frame():
    first, second = compressed(), compressed()
    shared = encode_message("a" * 1000, first.compression)
    for websocket in (first, second):
        websocket.send_frame(shared)
        assert websocket.data_to_send() == shared
    assert first.compression == second.compression
    first.send_message("a" * 1000)
    assert first.data_to_send() == shared


def test_compressed_fragments_with_a_ping_between():
    data = deflated(b"hello" * 100)
    pieces = [
        frame(TEXT, data[:3], final=False, first=0x41),
        frame(PING, b"p"),
        frame(CONTINUED, data[3:5], final=False),
        frame(CONTINUED, data[5:]),
    ]
    for cut in (pieces, [bytes([byte]) for byte in b"".join(pieces)]):
        websocket = compressed()
        assert events_of(websocket, *cut) == [MessageReceived("hello" * 100)]
        assert websocket.data_to_send() == b"\x8a\x01p"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (1002, frame(PING, b"a", first=0xC9)),
        (1002, frame(TEXT, b"a", first=0xA1)),
        (1002, frame(CONTINUED, b"a", first=0xC0)),
        (1002, frame(TEXT, deflated(b"a"), first=0x41) + frame(CONTINUED, b"a", first=0xC0)),
        (1002, frame(TEXT, deflated(b"a"), first=0x41) + frame(TEXT, deflated(b"a"), first=0xC1)),
        (1007, frame(TEXT, b"\xff\xff", first=0xC1)),
        (1007, frame(TEXT, deflated(b"\xff"), first=0xC1)),
        (1009, frame(BINARY, deflated(bytes(10**8)), first=0xC2)),
        (
            1009,
            frame(BINARY, deflated(bytes(10**6)) + b"\0\0\xff\xff", first=0x42)
            + frame(CONTINUED, deflated(bytes(10**6))),
        ),
    ],
)
def test_violations_of_compression(code, data):
    (event,) = events_of(compressed(), data)
    assert event.code == code


def test_sizes_at_their_limits_compressed():
    noise = random.Random(1).randbytes(1000)
    limits = WebSocketLimits(1000, None)
    for data in (bytes(1000), noise):
        assert events_of(compressed(limits=limits), frame(BINARY, deflated(data), first=0xC2)) == [
            MessageReceived(data)
        ]
        (event,) = events_of(compressed(limits=limits), frame(BINARY, deflated(data + b"a"), first=0xC2))
        assert event.code == 1009


def test_after_the_end_nothing_is_compressed():
    websocket = compressed()
    websocket.close()
    websocket.data_to_send()
    websocket.send_message("a" * 1000)
    assert websocket.data_to_send() == b""
    events_of(websocket, frame(CLOSE, b"\x03\xe8"))
    assert websocket.compression is None


def test_whether_a_text_is_a_frame_of_its_own():
    websocket = WebSocketConnection()
    assert websocket.plain
    events_of(websocket, frame(PING, b"p"))
    assert not websocket.plain  # the pong goes first
    assert websocket.message_to_send("a") == b"\x8a\x01p\x81\x01a"
    assert websocket.plain
    websocket.ping()
    assert not websocket.plain
    websocket.data_to_send()
    assert websocket.plain
    websocket.close()
    assert not websocket.plain
    websocket.data_to_send()
    assert not websocket.plain


def test_behind_the_peers_end_no_text_is_a_frame_of_its_own():
    closed, lost = WebSocketConnection(), WebSocketConnection()
    events_of(closed, frame(CLOSE, b"\x03\xe8"))
    closed.data_to_send()
    lost.receive_eof()
    assert lost.next_event() == CloseReceived(1006)
    assert not closed.plain
    assert not lost.plain


def test_what_may_be_compressed_is_no_frame_of_its_own():
    deflate = negotiate((b"permessage-deflate",), DeflateSettings())
    assert not WebSocketConnection(WebSocketLimits(), deflate).plain
