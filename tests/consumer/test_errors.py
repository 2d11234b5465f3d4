"""What an error that leaves a consumer says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.testing import ApplicationCommunicator


class Asks(AsyncConsumer):
    async def test_user(self, message: Any) -> None:
        _ = self.scope["user"]


class SyncAsks(SyncConsumer):
    def test_user(self, message: Any) -> None:
        _ = self.scope["user"]


@pytest.mark.parametrize("consumer", [Asks, SyncAsks])
async def test_a_known_mistake_is_told_with_its_remedy(consumer: Any) -> None:
    talk = ApplicationCommunicator(consumer.as_asgi(), {"type": "test"})
    await talk.send_input({"type": "test.user"})
    with pytest.raises(KeyError) as caught:
        await talk.wait()
    said = "\n".join(caught.value.__notes__)
    assert "handling 'test.user'" in said
    assert f"put the application of {consumer.__name__} inside AuthMiddlewareStack" in said


async def test_an_error_of_the_server_is_not_said_to_be_a_handlers() -> None:
    async def receive() -> Any:
        raise ConnectionError("the server's own")

    async def send(message: Any) -> None:
        raise AssertionError("nothing is sent")

    with pytest.raises(ConnectionError) as caught:
        await Asks.as_asgi()({"type": "test"}, receive, send)
    assert not hasattr(caught.value, "__notes__")


async def test_a_message_without_a_handler_says_which_to_define() -> None:
    talk = ApplicationCommunicator(Asks.as_asgi(), {"type": "test"})
    await talk.send_input({"type": "test.unknown"})
    with pytest.raises(ValueError, match=r"define Asks\.test_unknown\(self, event\)"):
        await talk.wait()
    await asyncio.sleep(0)
