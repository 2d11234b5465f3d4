"""What both formats check in the same way."""

import pytest

from channels.protocols.centrifuge.codec import MAX_FILTER_DEPTH, ProtocolError
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import Command, ConnectRequest, FilterNode, SubscribeRequest
from channels.protocols.centrifuge.protobuf import PROTOBUF


def nested(levels):
    node = FilterNode(key="a")
    for _ in range(levels):
        node = FilterNode(op="and", nodes=[FilterNode(key="b"), node])
    return node


COMMANDS = {
    "subscribe": lambda node: Command(1, subscribe=SubscribeRequest("a", tf=node)),
    "connect": lambda node: Command(
        1, connect=ConnectRequest(subs={"a": SubscribeRequest(), "b": SubscribeRequest(tf=node)})
    ),
}


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_filters_may_be_nested_so_deeply(codec, command):
    deepest, deeper = command(nested(MAX_FILTER_DEPTH - 1)), command(nested(MAX_FILTER_DEPTH))
    assert codec.decode_commands(codec.encode_command(deepest)) == [deepest]
    with pytest.raises(ProtocolError, match="flatter"):
        codec.decode_commands(codec.encode_command(deeper))
