"""Connections in clear text whose first bytes tell, or do not tell, which protocol they speak."""

from __future__ import annotations

from tests.server.helpers import GET as GET_1
from tests.server.helpers import echo, eventually, serve


async def test_a_preface_in_pieces_and_a_connection_that_is_no_http2() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        for piece in (b"P", b"RI * HTTP/2.0\r\n\r\nSM", b"\r\n\r\n"):
            await client.send(piece)
        await client.send(b"\0\0\0\4\0\0\0\0\0")
        assert (await client.read(9))[3] == 4  # SETTINGS
        other = await running.connect()
        for piece in (b"P", GET_1.replace(b"GET", b"OST")):
            await other.send(piece)
        assert (await other.response())[0] == 200
        silent = await running.connect()
        await silent.send(b"PRI")
        silent.writer.write_eof()
        await silent.rest()
        gone = await running.connect()
        gone.writer.write_eof()
        assert await gone.rest() == b""
        (await running.connect()).reset()
        await running.connect()


async def test_who_has_said_nothing_is_closed_when_the_server_stops() -> None:
    async with serve(echo) as running:
        silent = await running.connect()
        begun = await running.connect()
        await begun.send(b"PRI")
        await eventually(lambda: len(running.runtime.connections) == 2)
        await running.server.stop()
        assert await silent.rest() == b""
        await begun.rest()


async def test_two_letters_and_the_end_are_judged_as_http1() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(b"PR")
        client.writer.write_eof()
        answer = await client.rest()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
