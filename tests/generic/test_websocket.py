from __future__ import annotations

import pytest
from django.test import override_settings

from channels.exceptions import AcceptConnection, DenyConnection, InvalidChannelLayerError
from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

MEMORY = override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=text_data, bytes_data=bytes_data)

    def disconnect(self, code):
        self.scope["left"].append(code)


class AsyncEcho(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data, bytes_data=bytes_data)

    async def disconnect(self, code):
        self.scope["left"].append(code)


class SyncJsonEcho(JsonWebsocketConsumer):
    def receive_json(self, content, **kwargs):
        self.send_json(content)


class AsyncJsonEcho(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content, **kwargs):
        await self.send_json(content)


both = pytest.mark.parametrize("consumer", [SyncEcho, AsyncEcho])
both_json = pytest.mark.parametrize("consumer", [SyncJsonEcho, AsyncJsonEcho])


def connect_with(base, action):
    """Make a sync or async consumer whose connect() does ``action``, given as name and arguments."""
    name, args, kwargs = action
    if issubclass(base, AsyncWebsocketConsumer):

        async def connect(self):
            if isinstance(name, type):
                raise name
            await getattr(self, name)(*args, **kwargs)

    else:

        def connect(self):  # type: ignore[misc]
            if isinstance(name, type):
                raise name
            getattr(self, name)(*args, **kwargs)

    return type("Connecting", (base,), {"connect": connect})


class SyncNotes(WebsocketConsumer):
    def __init__(self):
        super().__init__()
        self.notes = []
        self.base_send = self.notes.append

    def receive(self, *args, **arguments):
        self.notes.append(arguments)


class AsyncNotes(AsyncWebsocketConsumer):
    def __init__(self):
        super().__init__()
        self.notes = []
        self.base_send = self.note

    async def note(self, message):
        self.notes.append(message)

    async def receive(self, *args, **arguments):
        self.notes.append(arguments)


both_note = pytest.mark.parametrize("consumer", [SyncNotes, AsyncNotes])


async def noted_by(consumer, method, argument):
    """What a consumer without a server notes when its method is called."""
    one = consumer()
    returned = getattr(one, method)(*argument)
    if returned is not None:
        await returned
    (note,) = one.notes
    return note


@both_note
@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        ("a", None, {"text": "a"}),
        ("", None, {"text": ""}),
        (None, b"a", {"bytes": b"a"}),
        (None, b"", {"bytes": b""}),
    ],
)
async def test_what_is_sent_has_text_or_bytes(consumer, text, data, message):
    assert await noted_by(consumer, "send", (text, data)) == {"type": "websocket.send", **message}


@both_note
async def test_an_empty_frame_needs_a_kind(consumer):
    with pytest.raises(ValueError, match="You must pass one of bytes_data or text_data"):
        await noted_by(consumer, "send", (None, None))


@both_note
@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ({"text": "a"}, {"text_data": "a"}),
        ({"text": ""}, {"text_data": ""}),
        ({"text": None, "bytes": b"a"}, {"bytes_data": b"a"}),
        ({"bytes": b"a"}, {"bytes_data": b"a"}),
    ],
)
async def test_what_is_received_is_given_under_its_name_alone(consumer, message, arguments):
    assert await noted_by(consumer, "websocket_receive", (message,)) == arguments


@both_note
@pytest.mark.parametrize("message", [{}, {"text": None}])
async def test_a_frame_has_text_or_bytes(consumer, message):
    with pytest.raises(KeyError, match="bytes"):
        await noted_by(consumer, "websocket_receive", (message,))


@both
async def test_echo_of_text_and_bytes(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    app.scope["left"] = left = []
    assert await app.connect() == (True, None)
    await app.send_to(text_data="héllo")
    assert await app.receive_from() == "héllo"
    await app.send_to(bytes_data=b"w\0rld")
    assert await app.receive_from() == b"w\0rld"
    await app.send_to(text_data="")
    assert await app.receive_from() == ""
    await app.disconnect(code=4000)
    assert left == [4000]


@both
async def test_an_instance_is_an_application_too(consumer):
    app = WebsocketCommunicator(consumer(), "/ws/")
    app.scope["left"] = []
    assert (await app.connect())[0]
    await app.disconnect()


@both
async def test_text_none_beside_bytes(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    app.scope["left"] = []
    await app.connect()
    await app.send_input({"type": "websocket.receive", "text": None, "bytes": b"x"})
    assert await app.receive_from() == b"x"
    await app.disconnect()


@both
@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ((AcceptConnection, (), {}), (True, None)),
        ((DenyConnection, (), {}), (False, 1000)),
        (("close", (), {}), (False, 1000)),
        (("close", (4001,), {}), (False, 4001)),
        (("accept", ("v1",), {}), (True, "v1")),
    ],
)
async def test_connect_decides(consumer, action, answer):
    app = WebsocketCommunicator(connect_with(consumer, action).as_asgi(), "/ws/")
    app.scope["left"] = []
    assert await app.connect() == answer
    await app.disconnect()


@both
async def test_accept_takes_headers(consumer):
    action = ("accept", (), {"headers": iter([(b"x-a", b"1")])})
    app = WebsocketCommunicator(connect_with(consumer, action).as_asgi(), "/ws/")
    app.scope["left"] = []
    await app.connect()
    assert app.response_headers == [(b"x-a", b"1")]
    await app.disconnect()


class SyncCloser(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        if text_data == "reason":
            self.close(code=4007, reason="test reason")
        else:
            self.send(text_data="bye", close=int(text_data) if text_data.isdigit() else True)


class AsyncCloser(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "reason":
            await self.close(code=4007, reason="test reason")
        else:
            await self.send(text_data="bye", close=int(text_data) if text_data.isdigit() else True)


@pytest.mark.parametrize("consumer", [SyncCloser, AsyncCloser])
@pytest.mark.parametrize(("text", "close"), [("True", {}), ("4004", {"code": 4004})])
async def test_send_and_close(consumer, text, close):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    await app.connect()
    await app.send_to(text_data=text)
    assert await app.receive_from() == "bye"
    assert await app.receive_output() == {"type": "websocket.close", **close}
    await app.disconnect()


@pytest.mark.parametrize("consumer", [SyncCloser, AsyncCloser])
async def test_close_with_a_reason(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    await app.connect()
    await app.send_to(text_data="reason")
    expected = {"type": "websocket.close", "code": 4007, "reason": "test reason"}
    assert await app.receive_output() == expected
    await app.disconnect()


class SyncMember(SyncEcho):
    groups = ["chatgroup"]


class AsyncMember(AsyncEcho):
    groups = ["chatgroup"]


@MEMORY
@pytest.mark.parametrize("consumer", [SyncMember, AsyncMember])
async def test_groups_are_joined_and_left(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    app.scope["left"] = []
    await app.connect()
    layer = get_channel_layer()
    await layer.group_send("chatgroup", {"type": "websocket.receive", "text": "hello"})
    assert await app.receive_from() == "hello"
    await app.disconnect()
    assert layer.statistics()["groups"] == layer.statistics()["channels"] == 0


@pytest.mark.parametrize("consumer", [SyncMember, AsyncMember])
async def test_groups_need_a_layer(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    with pytest.raises(InvalidChannelLayerError, match="BACKEND is unconfigured or doesn't support groups"):
        await app.connect()


@pytest.mark.parametrize("base", [WebsocketConsumer, AsyncWebsocketConsumer])
async def test_groups_of_an_instance_are_its_own(base):
    first, second = base(), base()
    first.groups.append("g")
    assert second.groups == []


@pytest.mark.parametrize("base", [WebsocketConsumer, AsyncWebsocketConsumer])
async def test_by_default_everybody_is_accepted_and_nothing_is_said(base):
    app = WebsocketCommunicator(base.as_asgi(), "/ws/")
    assert await app.connect() == (True, None)
    await app.send_to(text_data="x")
    assert await app.receive_nothing()
    await app.disconnect()


@both_json
async def test_json(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    await app.connect()
    await app.send_json_to({"hello": ["world", None, 1.5]})
    assert await app.receive_json_from() == {"hello": ["world", None, 1.5]}
    await app.disconnect()


@both_json
@pytest.mark.parametrize("frame", [{"bytes": b"{}"}, {"text": ""}, {"text": None, "bytes": b"{}"}])
async def test_json_consumers_want_text(consumer, frame):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    await app.connect()
    await app.send_input({"type": "websocket.receive", **frame})
    with pytest.raises(ValueError, match="No text section for incoming WebSocket frame!"):
        await app.wait()


@both_json
async def test_json_quietly_ignored(consumer):
    base = next(cls for cls in consumer.__mro__ if cls.__module__ == "channels.generic.websocket")
    app = WebsocketCommunicator(base.as_asgi(), "/ws/")
    await app.connect()
    await app.send_json_to([1])
    assert await app.receive_nothing()
    await app.disconnect()


class SyncOwnCodec(SyncJsonEcho):
    @classmethod
    def decode_json(cls, text_data):
        return text_data.removeprefix("in:")

    @classmethod
    def encode_json(cls, content):
        return f"out:{content}"


class AsyncOwnCodec(AsyncJsonEcho):
    @classmethod
    async def decode_json(cls, text_data):
        return text_data.removeprefix("in:")

    @classmethod
    async def encode_json(cls, content):
        return f"out:{content}"


@pytest.mark.parametrize("consumer", [SyncOwnCodec, AsyncOwnCodec])
async def test_the_codec_can_be_overridden(consumer):
    app = WebsocketCommunicator(consumer.as_asgi(), "/ws/")
    await app.connect()
    await app.send_to(text_data="in:x")
    assert await app.receive_from() == "out:x"
    await app.disconnect()
