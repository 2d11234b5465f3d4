from __future__ import annotations

import pytest

from channels.generic.tcp import AsyncTcpConsumer, TcpConsumer
from channels.testing import TCPCommunicator


class Meter(AsyncTcpConsumer):
    async def connected(self) -> None:
        if self.scope["extensions"].get("tls", {}).get("client_cert_name") == "CN=stranger":
            await self.close()
            return
        await self.send(self.scope["path"].encode())

    async def received(self, message: bytes) -> None:
        await self.send(message.upper())
        await self.send(message)


class Silent(TcpConsumer):
    def half_closed(self) -> None:
        self.send(b"answer")
        self.close()


async def test_messages_both_ways_by_the_framing_of_the_consumer() -> None:
    communicator = TCPCommunicator(Meter.as_asgi(), "/meters", framing="lines")
    assert await communicator.connect()
    assert await communicator.receive_from() == b"/meters"
    await communicator.send_to(b"one")
    assert [await communicator.receive_from() for _ in range(2)] == [b"ONE", b"one"]
    await communicator.drain()
    await communicator.receive_close()
    await communicator.disconnect("closed")


async def test_bytes_as_they_are_and_half_a_close() -> None:
    communicator = TCPCommunicator(Silent.as_asgi())
    assert await communicator.connect()
    await communicator.send_to(b"no line")
    await communicator.send_eof()
    assert await communicator.receive_from() == b"answer\r\n"
    await communicator.receive_close()
    await communicator.disconnect()


async def test_who_has_which_certificate() -> None:
    communicator = TCPCommunicator(Meter.as_asgi(), tls={"client_cert_name": "CN=stranger"})
    assert await communicator.connect()
    await communicator.receive_close()
    communicator = TCPCommunicator(Meter.as_asgi())
    assert await communicator.connect()
    with pytest.raises(AssertionError, match="Expected type"):
        await communicator.receive_close()
    await communicator.disconnect()
