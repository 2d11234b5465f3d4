"""What a consumer hears when its user may have lost the right to the connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.exceptions import StopConsumer
from channels.mailbox import ACCESS_SOURCE, AuthChanged
from channels.testing import ApplicationCommunicator
from tests.server.helpers import LONG


class Source:
    """What the middleware of access puts into the scope: it pushes what has changed."""

    scope: Any = None

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.wakeup: Any = None

    def receive_nowait(self) -> Any:
        return self.waiting.pop(0) if self.waiting else None

    def set_wakeup(self, wakeup: Any) -> None:
        self.wakeup = wakeup

    def put(self, message: Any) -> None:
        self.waiting.append(message)
        if self.wakeup is not None:
            self.wakeup()


class Plain(AsyncConsumer):
    async def test_stop(self, message: Any) -> None:
        raise StopConsumer


class SyncPlain(SyncConsumer):
    def test_stop(self, message: Any) -> None:
        raise StopConsumer


class Hears(Plain):
    async def auth_changed(self, message: Any) -> None:
        await self.send({"type": "answer", "reason": message["reason"]})


def talk(consumer: Any) -> tuple[ApplicationCommunicator, Source]:
    source = Source()
    scope = {"type": "test", ACCESS_SOURCE: source}
    return ApplicationCommunicator(consumer.as_asgi(), scope), source


@pytest.mark.parametrize("consumer", [Plain, SyncPlain])
async def test_a_consumer_that_does_not_care_is_closed(consumer: Any) -> None:
    application, source = talk(consumer)
    assert application.future is not None
    await asyncio.sleep(0)
    source.put(AuthChanged("logged_out"))
    assert await application.receive_output(LONG) == {"type": "websocket.close", "code": 4401}
    await application.send_input({"type": "test.stop"})
    await application.wait(LONG)
    assert source.scope is not None


async def test_a_consumer_may_hear_why() -> None:
    application, source = talk(Hears)
    source.put(AuthChanged("logged_out"))
    assert (await application.receive_output(LONG))["reason"] == "logged_out"
    await application.send_input({"type": "test.stop"})
    await application.wait(LONG)


async def test_a_message_of_a_layer_with_this_type_is_another_one() -> None:
    application, source = talk(Plain)
    source.put({"type": "auth.changed"})
    with pytest.raises(ValueError, match="No handler for message type auth.changed"):
        await application.wait(LONG)
