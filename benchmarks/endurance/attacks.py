"""Clients that mean no good. Each attacks a port until it is cancelled, and says what it has done.

They run in a process of their own, so that those who are served beside them are not measured in a busy
loop: ``python -m benchmarks.endurance.attacks NAME PORT``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import zlib
from collections.abc import Awaitable, Callable

import uvloop

from . import frames
from .clients import Requests, Socket, masked, open_sockets

_GET = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"


async def _raw(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, limit=4096)


async def _many(number: int, one: Callable[[], Awaitable[None]]) -> str:
    tasks = [asyncio.ensure_future(one()) for _ in range(number)]
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait(tasks)
    cut = sum(task.done() and task.exception() is not None for task in tasks)
    return f"{cut} of {number} were cut"


async def slow_reader(port: int) -> str:
    """Asks for something endless and does not read it; sockets of a group that is written to all the time."""

    async def response() -> None:
        reader, writer = await _raw(port)
        with contextlib.closing(writer):
            writer.write(_GET % b"/endless")
            await asyncio.sleep(30)
            while await reader.read(65536):
                pass

    sockets = await open_sockets(port, 100, b"/firehose/")
    for socket in sockets:
        socket.transport.pause_reading()
    pouring = asyncio.ensure_future(Requests(port, 50, _GET % b"/pour").run(60))
    try:
        return await _many(100, response)
    finally:
        pouring.cancel()
        for socket in sockets:
            socket.transport.abort()


async def _drip(port: int, beginning: bytes) -> str:
    async def one() -> None:
        _, writer = await _raw(port)
        with contextlib.closing(writer):
            writer.write(beginning)
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.2)

    return await _many(500, one)


async def slow_sender(port: int) -> str:
    """Sends a body byte by byte."""
    return await _drip(port, b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n")


async def header_drip(port: int) -> str:
    """Sends a head byte by byte."""
    return await _drip(port, b"GET / HTTP/1.1\r\nHost: test\r\nX: ")


def _bomb() -> bytes:
    """A frame of about a megabyte that inflates to a gigabyte."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1 << 20)
    # Behind a full flush nothing refers to what was before, so that one part can be said a thousand times.
    packed = compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
    return masked(2, (packed * 1000)[:-4], compressed=True)


async def zip_bomb(port: int) -> str:
    """Sends messages that inflate to a thousand times their size."""
    bomb, codes = _bomb(), set()
    for _ in range(50):
        (socket,) = await open_sockets(port, 1, headers=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
        socket.transport.write(bomb)
        await asyncio.wait_for(socket.gone, 30)
        codes.add(socket.code)
    return f"50 bombs of {len(bomb):,} bytes, closed with {codes}"


async def flood(port: int) -> str:
    """Sends tiny messages as fast as they are taken, and comes back when it is closed."""
    closed = 0
    tiny = masked(1, b"x") * 1000

    async def one() -> None:
        nonlocal closed
        while True:
            (socket,) = await open_sockets(port, 1)
            await _pour(socket, tiny)
            closed += socket.code == 1008

    try:
        await asyncio.gather(*(one() for _ in range(30)))
    except asyncio.CancelledError:
        return f"closed {closed} times with 1008"
    return ""


async def _pour(socket: Socket, data: bytes) -> None:
    while not socket.gone.done():
        if not socket.transport.is_closing() and socket.transport.get_write_buffer_size() < len(data):
            socket.transport.write(data)
        await asyncio.sleep(0.001)


_HOLDER = """
import socket, sys, time
port, number, place = map(int, sys.argv[1:])
held = []
for _ in range(number):
    sock = socket.socket()
    sock.bind((f"127.0.0.{place}", 0))
    sock.connect(("127.0.0.1", port))
    held.append(sock)
print(len(held), flush=True)
time.sleep(600)
"""


async def half_open(port: int) -> str:
    """Opens 20,000 connections and says nothing; a process holds 10,000 of them."""
    command = (sys.executable, "-S", "-c", _HOLDER, str(port), "10000")
    holders = [
        await asyncio.create_subprocess_exec(*command, str(place), stdout=asyncio.subprocess.PIPE)
        for place in (20, 21)
    ]
    held = 0
    try:
        for holder in holders:
            assert holder.stdout is not None  # a pipe
            held += int(await holder.stdout.readline())
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        pass
    finally:
        for holder in holders:
            holder.kill()
            await holder.wait()
    return f"{held:,} held"


async def nobody(port: int) -> str:
    """Does nothing: what others wait for without any attack."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(600)
    return "none"


ATTACKS: dict[str, Callable[[int], Awaitable[str]]] = {
    "slow readers": slow_reader,
    "slow senders": slow_sender,
    "header drip": header_drip,
    "zip bomb": zip_bomb,
    "flood of small messages": flood,
    "half-open connections": half_open,
    "nobody": nobody,
}


async def _attack(name: str, port: int) -> str:
    attack = frames.flood(port, name) if name in frames.KINDS else ATTACKS[name](port)
    task = asyncio.ensure_future(attack)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])
    return "" if task.cancelled() else task.result()


if __name__ == "__main__":
    print(uvloop.run(_attack(sys.argv[1], int(sys.argv[2]))))
