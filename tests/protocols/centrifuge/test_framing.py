"""What transports put around messages, and how a format is chosen."""

import json

import pytest
from msgspec import Raw

from channels.protocols.centrifuge.codec import ProtocolError
from channels.protocols.centrifuge.framing import (
    codec_for,
    decode_emulation,
    decode_uni_connect,
    negotiate,
    uni_connect,
)
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import (
    Command,
    Connect,
    ConnectRequest,
    ConnectResult,
    EmulationRequest,
    Push,
    RPCRequest,
    SubscribeRequest,
    SubscribeResult,
)
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.protocols.centrifuge.protobuf_messages import encode_message

FORMATS = [
    ([], "", JSON, None),
    ([""], "", JSON, None),
    (["chat"], "", JSON, None),
    (["centrifuge-json"], "", JSON, "centrifuge-json"),
    (["centrifuge-protobuf"], "", PROTOBUF, "centrifuge-protobuf"),
    (["x", "centrifuge-protobuf", "centrifuge-json"], "", PROTOBUF, "centrifuge-protobuf"),
    (["centrifuge-json", "centrifuge-protobuf"], "", JSON, "centrifuge-json"),
    ([], "format=protobuf", PROTOBUF, None),
    ([], "a=b&cf_protocol=protobuf", PROTOBUF, None),
    ([], "format=json&cf_protocol_version=v2", JSON, None),
    (["centrifuge-json"], "format=protobuf", PROTOBUF, "centrifuge-json"),
    (["centrifuge-protobuf"], "format=json", PROTOBUF, "centrifuge-protobuf"),
]


@pytest.mark.parametrize(("offered", "query", "codec", "subprotocol"), FORMATS)
def test_a_websocket_has_a_format(offered, query, codec, subprotocol):
    agreed = negotiate(offered, query)
    assert (agreed.codec, agreed.subprotocol) == (codec, subprotocol)
    assert not agreed.frame_pings


def test_debugging_tools_ask_for_pings_of_the_websocket():
    assert negotiate([], "cf_ws_frame_ping_pong=true").frame_pings


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        ("application/octet-stream", PROTOBUF),
        ("Application/Octet-Stream; a=b", PROTOBUF),
        ("application/json", JSON),
        ("", JSON),
    ],
)
def test_a_request_has_a_format(content_type, codec):
    assert codec_for(content_type) is codec


COMMANDS = [Command(1, rpc=RPCRequest(Raw(b'"\\n\xc3\xb6"'), "m")), Command()]


def test_commands_come_up_in_a_string_of_json():
    frame = JSON.join([JSON.encode_command(command) for command in COMMANDS])
    body = json.dumps({"session": "s", "node": "n", "data": frame.decode(), "new": 1}).encode()
    request = decode_emulation(body, "application/json")
    assert request == EmulationRequest("n", "s", Raw(frame))
    assert JSON.decode_commands(bytes(request.data)) == COMMANDS


def test_commands_come_up_in_bytes_of_protobuf():
    frame = PROTOBUF.join([PROTOBUF.encode_command(command) for command in COMMANDS])
    sent = EmulationRequest("n", "s", Raw(frame))
    request = decode_emulation(encode_message(sent), "application/octet-stream")
    assert request == sent
    assert PROTOBUF.decode_commands(bytes(request.data)) == COMMANDS


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream"])
@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b'{"session":1}',
        b'{"session":"s","node":"n","data":{"id":1}}',
        b'{"data":"\xff"}',
        b'{"data":"\\ud800"}',
    ],
)
def test_what_is_no_request_is_refused(body, content_type):
    with pytest.raises(ProtocolError):
        decode_emulation(body, content_type)


def test_a_request_may_lack_everything():
    assert decode_emulation(b"{}", "application/json") == EmulationRequest()
    assert decode_emulation(b"", "application/octet-stream") == EmulationRequest()


def test_unidirectional_clients_send_no_command():
    request = decode_uni_connect('{"token":"t","subs":{"a":{"recover":true,"offset":3}}}')
    assert request == ConnectRequest("t", subs={"a": SubscribeRequest(recover=True, offset=3)})
    deep = '{"subs":{"a":{"tf":' + '{"nodes":[' * 99 + "{}" + "]}" * 99 + "}}}"
    for wrong in ("", "[]", '{"token":1}', deep):
        with pytest.raises(ProtocolError):
            decode_uni_connect(wrong)


def test_the_first_push_is_the_result_by_other_numbers():
    result = ConnectResult(
        client="c",
        version="1",
        expires=True,
        ttl=9,
        data=Raw(b"1"),
        subs={"a": SubscribeResult(offset=7)},
        ping=25,
        pong=True,
        session="s",
        node="n",
        time=5,
        flag=1,
    )
    push = uni_connect(result)
    assert push == Push(
        connect=Connect(
            "c", "1", Raw(b"1"), {"a": SubscribeResult(offset=7)}, True, 9, 25, False, "s", "n", 5
        )
    )
    assert JSON.encode_uni_push(push) == (
        b'{"connect":{"client":"c","version":"1","data":1,"subs":{"a":{"offset":7}},"expires":true,"ttl":9,'
        b'"ping":25,"session":"s","node":"n","time":5}}'
    )
    numbers = b'\n\x01c\x12\x011\x1a\x011"\x07\n\x01a\x12\x02H\x07(\x010\t8\x19J\x01sR\x01nX\x05'
    assert PROTOBUF.encode_uni_push(push) == bytes([len(numbers) + 2, 0x52, len(numbers)]) + numbers
