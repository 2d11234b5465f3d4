"""What is read, and what the peer's end of it means."""

from __future__ import annotations

from channels.server.limits.turns import FULL_READ
from tests.server.helpers import GET, asked, echo, serve


async def test_a_flood_is_read_in_turns_between_which_others_are_served() -> None:
    size = 20 * FULL_READ
    async with serve(echo) as running:
        client, other = await running.connect(), await running.connect()
        client.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await other.send(GET)
        assert (await other.response())[0] == 200
        assert len((await client.response())[2]) == size


async def test_who_stops_sending_still_reads_the_answer() -> None:
    async with asked() as (run, client, _):
        client.writer.write_eof()
        while (await run.receive())["type"] != "http.disconnect":
            pass
        await run.respond(b"answer")
        run.end()
        assert (await client.response())[2] == b"answer"
        assert await client.rest() == b""
