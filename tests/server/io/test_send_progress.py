"""What the peer of a real connection has taken."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest
import uvloop

from channels.server.io.send_progress import SendProgress, unacknowledged
from tests.server.helpers import LONG, eventually

SIZE = 30_000_000


class _Connected:
    """A transport, and the other end of it, which reads when it is told to."""

    def __init__(self, transport: asyncio.Transport, peer: socket.socket) -> None:
        self.transport = transport
        self._peer = peer

    @classmethod
    async def make(cls) -> _Connected:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            peer = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
        peer.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
        return cls(transport, peer)

    async def read(self, size: int) -> None:
        while size:
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._peer, size), LONG)
            assert data
            size -= len(data)

    def close(self) -> None:
        self.transport.abort()
        self._peer.close()


async def _follow(tls: bool) -> None:
    connected = await _Connected.make()
    transport = connected.transport
    nothing = SendProgress(transport, tls=tls)
    assert not nothing.left
    transport.write(b"x" * SIZE)
    # What the kernels take at once; then nothing moves until somebody reads.
    first = SendProgress(transport, tls=tls)
    await connected.read(SIZE // 2)
    await eventually(lambda: SendProgress(transport, tls=tls).since(first) >= SIZE // 4)
    await eventually(
        lambda: SendProgress(transport, tls=tls).left
    )  # the loop may be late in filling the kernel
    await connected.read(SIZE - SIZE // 2)
    await eventually(lambda: not SendProgress(transport, tls=tls).left)
    connected.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_was_read_is_progress(loop, tls):
    """The kernel tells the same of a connection in clear text, where it need not be asked."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_follow(tls))


async def test_where_the_kernel_tells_nothing_the_transport_is_believed(monkeypatch):
    ours, peer = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)
    assert not SendProgress(transport, tls=True).left
    transport.write(b"x" * SIZE)
    assert SendProgress(transport, tls=True).left
    transport.abort()
    peer.close()
    connected = await _Connected.make()
    monkeypatch.setattr(sys, "platform", "darwin")
    await _follow(tls=True)
    connected.close()


def test_who_waits_to_be_accepted_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert unacknowledged(listener) == 0
        with socket.create_connection(listener.getsockname(), LONG):
            assert unacknowledged(listener) == (1 if sys.platform == "linux" else 0)
    with socket.socketpair()[0] as other:
        assert unacknowledged(other) == 0
