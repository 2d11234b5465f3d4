from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from channels.sessions import InstanceSessionWrapper
from channels.sync.call import ThreadCall
from channels.sync.context import bridge, current_strand
from channels.sync.send import SyncSend, is_frame, is_servers_own
from channels.typing import PUSH_EXTENSION, Message
from tests.support.serving import serving

ACCEPT = {"type": "websocket.accept"}
FRAME = {"type": "websocket.send", "text": "hello"}


class Server:
    """The sending half of a server that pushes."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.tasks: set[Any] = set()

    async def send(self, message: Message) -> None:
        self.tasks.add(asyncio.current_task())
        if message.get("text") == "bad":
            raise ValueError("a bad message")
        self.sent.append(message)

    @property
    def scope(self) -> dict[str, Any]:
        return {"type": "websocket", "asgi": {}, "cookies": {}, "extensions": {PUSH_EXTENSION: self}}


async def in_thread(call: Any) -> Any:
    with serving({"asgi": {}}):
        return await ThreadCall(bridge(), call, str).run(current_strand())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "websocket.send", "text": "x"}, True),
        ({"type": "websocket.send", "bytes": b"x", "text": None}, True),
        ({"type": "websocket.send", "text": "x", "bytes": b"x"}, False),
        ({"type": "websocket.send", "text": 3}, False),
        ({"type": "websocket.send", "bytes": "x"}, False),
        ({"type": "websocket.send"}, False),
        ({"type": "websocket.close"}, False),
    ],
)
def test_frames_no_server_objects_to(message: Message, expected: bool) -> None:
    assert is_frame(message) is expected


def test_whose_send_it_is() -> None:
    server = Server()

    async def wrapped(message: Message) -> None:
        await server.send(message)

    assert is_servers_own(server.send, server.scope)
    session = InstanceSessionWrapper(server.scope, server.send)
    assert is_servers_own(session.send, server.scope)
    assert not is_servers_own(wrapped, server.scope)
    assert not is_servers_own(InstanceSessionWrapper(server.scope, wrapped).send, server.scope)
    assert not is_servers_own(Server().send, server.scope)
    assert not is_servers_own(server.send, {"type": "websocket"})

    class Saves(InstanceSessionWrapper):
        save_message_types = ["websocket.send"]

    assert not is_servers_own(Saves(server.scope, server.send).send, server.scope)


async def test_frames_of_an_open_websocket_are_left_for_the_loop() -> None:
    """The loop's only part is to send what it finds: no task, no journey for each."""
    server = Server()
    send = SyncSend(server.send, server.scope)
    seen: list[int] = []

    def handler() -> None:
        send(ACCEPT)
        seen.append(len(server.sent))
        for _ in range(3):
            send(FRAME)

    await in_thread(handler)
    assert server.sent == [ACCEPT, FRAME, FRAME, FRAME]
    assert seen == [1]  # the handshake was waited for
    assert server.tasks == {asyncio.current_task()}


@pytest.mark.parametrize("own", [True, False])
async def test_what_may_fail_is_waited_for(own: bool) -> None:
    server = Server()
    send = SyncSend(server.send, server.scope if own else {"type": "websocket"})

    def handler() -> None:
        if own:  # before the handshake: nobody knows whether this is allowed
            with pytest.raises(ValueError, match="a bad message"):
                send({"type": "websocket.send", "text": "bad"})
        send(ACCEPT)
        if not own:
            with pytest.raises(ValueError, match="a bad message"):
                send({"type": "websocket.send", "text": "bad"})
        send({"type": "websocket.close"})
        with pytest.raises(ValueError, match="a bad message"):
            send({"type": "websocket.send", "text": "bad"})

    await in_thread(handler)
    assert [message["type"] for message in server.sent] == ["websocket.accept", "websocket.close"]


async def test_from_asgirefs_threads() -> None:
    server = Server()
    await sync_to_async(SyncSend(server.send, server.scope))(FRAME)
    assert server.sent == [FRAME]


async def test_from_threads_of_the_users_own() -> None:
    server, loops = Server(), []

    async def send(message: Message) -> None:
        loops.append(asyncio.get_running_loop())
        await server.send(message)

    sync_send = SyncSend(send, server.scope)
    thread = threading.Thread(target=sync_send, args=(FRAME,))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
    assert server.sent == [FRAME]
    assert loops == [asyncio.get_running_loop()]


async def test_the_loop_must_not_wait_for_itself() -> None:
    server = Server()
    with pytest.raises(RuntimeError, match="same thread as an async event loop"):
        SyncSend(server.send, server.scope)(FRAME)
