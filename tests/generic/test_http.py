from __future__ import annotations

import pytest
from django.test import override_settings

from channels.generic.http import AsyncHttpConsumer, HttpConsumer
from channels.layers import get_channel_layer
from channels.testing import ApplicationCommunicator, HttpCommunicator

MEMORY = override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})


class AsyncEcho(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(201, body.upper(), headers={b"x-a": b"1"})

    async def disconnect(self):
        self.scope["left"] = True


class SyncEcho(HttpConsumer):
    def handle(self, body):
        self.send_response(201, body.upper(), headers={b"x-a": b"1"})

    def disconnect(self):
        self.scope["left"] = True


class AsyncBroken(AsyncEcho):
    async def handle(self, body):
        raise RuntimeError("broken")


class SyncBroken(SyncEcho):
    def handle(self, body):
        raise RuntimeError("broken")


class AsyncLongPoll(AsyncEcho):
    async def handle(self, body):
        await self.send_headers(headers=[(b"content-type", b"text/plain")])
        await self.send_body(b"", more_body=True)
        await self.channel_layer.group_add("poll", self.channel_name)

    async def news(self, event):
        await self.send_body(event["text"].encode())


class SyncLongPoll(SyncEcho):
    def handle(self, body):
        from asgiref.sync import async_to_sync

        self.send_headers(headers=[(b"content-type", b"text/plain")])
        self.send_body(b"", more_body=True)
        async_to_sync(self.channel_layer.group_add)("poll", self.channel_name)

    def news(self, event):
        self.send_body(event["text"].encode())


@pytest.mark.parametrize("consumer", [AsyncEcho, SyncEcho])
async def test_a_request_and_its_answer(consumer):
    app = HttpCommunicator(consumer.as_asgi(), "POST", "/x/?y=1", body=b"text")
    response = await app.get_response()
    assert (response["status"], response["body"]) == (201, b"TEXT")
    assert response["headers"] == [(b"x-a", b"1")]
    await app.wait()
    assert app.scope["left"]


@pytest.mark.parametrize("consumer", [AsyncEcho, SyncEcho])
async def test_a_body_in_parts(consumer):
    app = ApplicationCommunicator(consumer.as_asgi(), {"type": "http", "path": "/"})
    for part in (b"a", b"b"):
        await app.send_input({"type": "http.request", "body": part, "more_body": True})
    await app.send_input({"type": "http.request"})
    await app.receive_output()
    assert (await app.receive_output())["body"] == b"AB"
    await app.wait()


@pytest.mark.parametrize("consumer", [AsyncBroken, SyncBroken])
async def test_disconnect_is_told_of_a_failure(consumer):
    app = HttpCommunicator(consumer.as_asgi(), "GET", "/")
    with pytest.raises(RuntimeError, match="broken"):
        await app.get_response()
    assert app.scope["left"]


@MEMORY
@pytest.mark.parametrize("consumer", [AsyncLongPoll, SyncLongPoll])
async def test_a_long_poll_waits_for_the_layer(consumer):
    app = ApplicationCommunicator(consumer.as_asgi(), {"type": "http", "path": "/"})
    await app.send_input({"type": "http.request"})
    assert (await app.receive_output())["status"] == 200
    assert (await app.receive_output())["more_body"]
    layer = get_channel_layer()
    while not layer.groups:
        await app.receive_nothing(timeout=0.01)
    await layer.group_send("poll", {"type": "news", "text": "it happened"})
    last = await app.receive_output()
    assert (last["body"], last["more_body"]) == (b"it happened", False)
    await app.send_input({"type": "http.disconnect"})
    await app.wait()
    assert app.scope["left"]
    assert layer.statistics()["channels"] == 0


@MEMORY
@pytest.mark.parametrize("consumer", [AsyncLongPoll, SyncLongPoll])
async def test_a_client_that_leaves_a_long_poll(consumer):
    app = ApplicationCommunicator(consumer.as_asgi(), {"type": "http", "path": "/"})
    await app.send_input({"type": "http.request"})
    await app.receive_output()
    await app.receive_output()
    await app.send_input({"type": "http.disconnect"})
    await app.wait()
    assert app.scope["left"]


@pytest.mark.parametrize("base", [AsyncHttpConsumer, HttpConsumer])
async def test_handle_must_be_there(base):
    app = HttpCommunicator(base.as_asgi(), "GET", "/")
    with pytest.raises(NotImplementedError, match=r"^Subclasses of \w+ must provide a handle\(\) method"):
        await app.get_response()
