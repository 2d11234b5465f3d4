"""JSON: what is read, what is refused, and what is written, letter for letter."""

import msgspec
import pytest
from msgspec import Raw

from channels.protocols.centrifuge.codec import Codec, EncodingError, ProtocolError
from channels.protocols.centrifuge.json_codec import JSON, json_payload, json_string
from channels.protocols.centrifuge.messages import (
    EMPTY,
    ClientInfo,
    Command,
    ConnectRequest,
    Error,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    PublishResult,
    Push,
    Reply,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeResult,
)

CODEC: Codec = JSON  # mypy sees that it is one


def test_commands_stand_on_lines():
    frame = b'{"id":1,"connect":{"name":"js"}}\n\n{"id":2,"subscribe":{"channel":"a","flag":1,"new":[1]}}\n'
    assert JSON.decode_commands(frame) == [
        Command(1, connect=ConnectRequest(name="js")),
        Command(2, subscribe=SubscribeRequest("a", flag=1)),
    ]


def test_text_is_read_as_bytes_are():
    frame = '{"id":1,"publish":{"channel":"ä","data":{"x":"ö"}}}'
    (command,) = JSON.decode_commands(frame)
    assert JSON.decode_commands(frame.encode()) == [command]
    assert command.publish.channel == "ä"
    assert bytes(command.publish.data) == '{"x":"ö"}'.encode()


def test_a_pong_is_a_command_without_anything():
    assert JSON.decode_commands(JSON.ping) == [Command()]


def test_absent_data_is_empty():
    (command,) = JSON.decode_commands('{"id":1,"rpc":{}}')
    assert command.rpc.data is EMPTY


WRONG = {
    b"": "empty",
    b"\n \n": "empty",
    b"\xff": "UTF-8",
    b'{"id":1,"rpc":{"data":"\xff"}}': "UTF-8",
    b'{"id":1,"rpc":{"data":"\xed\xa0\x80"}}': "UTF-8",
    "\ud800": "UTF-8",
    "[]": "object",
    "null": "object",
    '{"id":"1"}': r"\$\[0\].id",
    '{"id":-1}': ">= 0",
    '{"id":4294967296}': "<= 4294967295",
    '{"id":1.5}': "int",
    '{"id":1,"subscribe":{"offset":9223372036854775808}}': "offset",
    '{"id":1,"subscribe":{"offset":"1"}}': "offset",
    '{"id":1,"subscribe":7}': "subscribe",
    '{"id":1}x': "malformed",
    '{"id":1,"rpc":{"data":"a\nb"}}': "malformed",
    '{"id":1,"rpc":{"data":nul}}': "malformed",
    '{"id":1,"rpc":{"data":[1}}': "malformed",
    '{"x":' * 20_000: "deeply",
    '{"id":1,"rpc":{"data":' + "[" * 20_000 + "]" * 20_000 + "}}": "deeply",
    '{"id":1,"subscribe":{"tf":' + '{"nodes":[' * 5000: "deeply",
}


@pytest.mark.parametrize("frame", WRONG, ids=lambda frame: repr(frame[:40]))
def test_it_is_said_what_is_wrong(frame):
    with pytest.raises(ProtocolError, match=WRONG[frame]):
        JSON.decode_commands(frame)


WRITTEN = [
    (Reply(), b"{}"),
    (Reply(3, unsubscribe=UnsubscribeResult()), b'{"id":3,"unsubscribe":{}}'),
    (Reply(3, publish=PublishResult()), b'{"id":3,"publish":{}}'),
    (
        Reply(1, error=Error(100, "internal server error", temporary=True)),
        b'{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}',
    ),
    (Reply(1, subscribe=SubscribeResult(publications=[], offset=0)), b'{"id":1,"subscribe":{}}'),
    (Reply(1, presence=PresenceResult({})), b'{"id":1,"presence":{"presence":{}}}'),
    (
        Reply(1, presence=PresenceResult({"c": ClientInfo("", "c")})),
        b'{"id":1,"presence":{"presence":{"c":{"user":"","client":"c"}}}}',
    ),
    (
        Reply(1, presence_stats=PresenceStatsResult(0, 0)),
        b'{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}',
    ),
    (
        Reply(1, history=HistoryResult([], "", 0)),
        b'{"id":1,"history":{"publications":[],"epoch":"","offset":0}}',
    ),
    (
        Reply(1, subscribe=SubscribeResult(offset=2**53 + 1)),
        b'{"id":1,"subscribe":{"offset":9007199254740993}}',
    ),
]


@pytest.mark.parametrize(("reply", "line"), WRITTEN, ids=[line.decode() for _, line in WRITTEN])
def test_zeros_are_left_out_but_where_clients_read_them(reply, line):
    assert JSON.encode_reply(reply) == line
    assert JSON.decode_replies(line) == [reply]


def pushed(data):
    return Push(channel="a", pub=Publication(Raw(data), offset=7))


def test_a_push_has_an_envelope_but_on_unidirectional_transports():
    push = pushed(b"[1]")
    assert JSON.encode_push(push) == b'{"push":{"channel":"a","pub":{"data":[1],"offset":7}}}'
    assert JSON.encode_push(push) == JSON.encode_reply(Reply(push=push))
    assert JSON.encode_uni_push(push) == b'{"channel":"a","pub":{"data":[1],"offset":7}}'


def test_newlines_in_payloads_are_removed():
    line = JSON.encode_push(pushed(b'{\n  "a": "x\\n",\r\n\t"b": 1\n}\n'))
    assert line == b'{"push":{"channel":"a","pub":{"data":{  "a": "x\\n",\t"b": 1},"offset":7}}}'


NOT_JSON = [
    b"",
    b"x",
    b"1,2",
    b'1,"offset":9',
    b'1}},{"b":{"c":1',
    b'1}}\n{"b":{"c":1',
    b'"\xff"',
    b'"a\nb"',
    b"[" * 9999,
]


@pytest.mark.parametrize("data", NOT_JSON, ids=lambda data: repr(data[:20]))
@pytest.mark.parametrize(
    "message",
    [
        lambda raw: Push(pub=Publication(raw)),
        lambda raw: Push(pub=Publication(info=ClientInfo("u", "c", conn_info=raw))),
        lambda raw: Push(pub=Publication(info=ClientInfo("u", "c", chan_info=raw))),
    ],
    ids=["data", "conn_info", "chan_info"],
)
def test_a_payload_that_is_not_json_does_not_get_into_a_frame(message, data):
    with pytest.raises(EncodingError, match="not JSON"):
        JSON.encode_push(message(Raw(data)))


def test_payloads_are_looked_at_wherever_they_are():
    bad = Publication(Raw(b"x"))
    for reply in (
        Reply(1, subscribe=SubscribeResult(publications=[Publication(Raw(b"1")), bad])),
        Reply(1, subscribe=SubscribeResult(data=Raw(b"x"))),
        Reply(1, presence=PresenceResult({"c": ClientInfo("", "c", Raw(b"x"))})),
        Reply(push=Push(pub=bad)),
    ):
        with pytest.raises(EncodingError):
            JSON.encode_reply(reply)


def test_a_text_that_is_no_text_is_refused():
    with pytest.raises(EncodingError):
        JSON.encode_reply(Reply(1, error=Error(400, "\ud800")))


def test_messages_are_joined_by_newlines():
    commands = [Command(1, connect=ConnectRequest()), Command()]
    frame = JSON.join([JSON.encode_command(command) for command in commands])
    assert frame == b'{"id":1,"connect":{}}\n{}'
    assert JSON.decode_commands(frame) == commands


def test_a_payload_of_ours_is_checked_and_copied():
    frame = bytearray(b'{"a":\n1}')
    assert json_payload(Raw(memoryview(frame))) == json_payload('{"a":\n1}') == Raw(b'{"a":1}')
    for data in (b"", b"x", b'"\xff"', "\ud800", b"1 2"):
        with pytest.raises(EncodingError):
            json_payload(data)


def test_a_payload_becomes_a_string_for_those_who_take_deltas():
    assert bytes(json_string(Raw('{"a":"ö\\n"}'.encode()))) == '"{\\"a\\":\\"ö\\\\n\\"}"'.encode()
    assert msgspec.json.decode(json_string(b"a\nb")) == "a\nb"
    with pytest.raises(EncodingError):
        json_string(b"\xff")
