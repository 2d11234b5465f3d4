"""What honest clients do is within the limits of frames, and nothing is lost when it is parsed in turns."""

from __future__ import annotations

import h2.events
import pytest

from channels import telemetry
from channels.server.limits.turns import QUANTUM
from tests.server.conftest import Clock
from tests.server.helpers import (
    UPGRADE,
    Client,
    Recorder,
    Running,
    close_frame,
    echo,
    eventually,
    frame,
    opened,
    serve,
)
from tests.support.http2_client import CONNECT, POST, h2_client

MANY = 40 * QUANTUM
_CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

pytestmark = pytest.mark.usefixtures("both_engines")


async def websocket(running: Running) -> Client:
    client = await running.connect()
    await client.upgrade(UPGRADE)
    return client


async def test_messages_keep_their_order_among_pings_and_fragments() -> None:
    pieces = []
    for number in range(MANY):
        text = str(number).encode()
        pieces += [frame(text[:1], fin=False), frame(b"", 9), frame(text[1:], 0), frame(b"", 10)]
    async with serve(echo) as running:
        client = await websocket(running)
        await client.send(b"".join(pieces))
        got = []
        while len(got) < MANY:
            opcode, payload = await client.message()
            if opcode == 1:
                got.append(int(payload))
        assert got == list(range(MANY))


async def test_a_game_at_sixty_frames_a_second_is_never_closed(clock: Clock) -> None:
    async with serve(echo) as running:
        client = await websocket(running)
        for _ in range(60):
            await client.send((frame(b"tick") + frame(b"", 9)) * 60)
            for _ in range(60):
                while (await client.message())[0] != 1:
                    pass
            clock.advance(1)


async def test_who_was_suspended_may_catch_up_at_once() -> None:
    async with serve(echo) as running:
        client = await websocket(running)
        await client.send(frame(b"", 9) * 4000 + frame(b"", 10) * 4000 + frame(b"awake"))
        while (message := await client.message())[0] == 10:
            pass
        assert message == (1, b"awake")


async def test_a_message_that_a_client_writes_in_ten_fragments() -> None:
    packet = b"\x10\x1a\0\x04MQTT\x04\x02\0\x3c\0\x0efairway-client"
    parts = [packet[at : at + 3] for at in range(0, len(packet), 3)]
    first, *middle, last = parts
    whole = frame(first, 2, fin=False) + b"".join(frame(part, 0, fin=False) for part in middle)
    async with serve(echo) as running:
        client = await websocket(running)
        for _ in range(100):
            await client.send(whole + frame(last, 0))
            assert await client.message() == (2, packet)


async def test_a_large_upload_in_fragments_of_a_browser() -> None:
    part = bytes(range(256)) * 64
    async with serve(echo) as running:
        client = await websocket(running)
        for _ in range(3):
            await client.send(
                frame(part, 2, fin=False) + frame(part, 0, fin=False) * 62 + frame(part, 0)  # 1 MiB
            )
            assert await client.message() == (2, part * 64)


async def test_a_message_in_too_many_fragments() -> None:
    before = telemetry.counters["server.bad_websocket"]
    async with serve(echo, websocket_max_fragments=10) as running:
        client = await websocket(running)
        large = bytes(100)
        ten = frame(large, 2, fin=False) + frame(large, 0, fin=False) * 8 + frame(large, 0)
        await client.send(ten)
        assert await client.message() == (2, large * 10)
        await client.send(frame(large, 2, fin=False) + frame(large, 0, fin=False) * 10)
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, (1009).to_bytes(2, "big"))
    assert telemetry.counters["server.bad_websocket"] == before + 1


async def test_limits_that_are_switched_off() -> None:
    async with serve(echo, websocket_max_control_rate=0, body_max_small_parts=0) as running:
        client = await websocket(running)
        await client.send(frame(b"", 10) * 20_000 + frame(b"still there"))
        assert await client.message() == (1, b"still there")
        client = await running.connect()
        await client.send(_CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n")
        assert (await client.response())[2] == b"x" * 20_000


async def test_what_came_before_an_end_without_a_close_is_told_in_full() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        await client.send(b"".join(frame(b"%d" % number) for number in range(MANY)))
        client.writer.write_eof()
        for number in range(MANY):
            assert (await run.receive())["text"] == str(number)
        assert (await run.receive())["code"] == 1006
        run.end()


async def test_a_close_behind_many_frames_keeps_its_code() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"", 9) * MANY + frame(b"last") + close_frame(3001))
        assert (await run.receive())["text"] == "last"
        assert (await run.receive())["code"] == 3001
        run.end()


async def test_a_body_in_tiny_chunks_with_a_request_behind_it() -> None:
    body = b"".join(b"1\r\n%c\r\n" % (97 + number % 26) for number in range(9000)) + b"0\r\n\r\n"
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(_CHUNKED + body + _CHUNKED + b"5\r\nagain\r\n0\r\n\r\n")
        status, _, said = await client.response()
        assert (status, len(said), said[:4]) == (200, 9000, b"abcd")
        assert (await client.response())[2] == b"again"


async def test_a_body_in_tiny_chunks_that_breaks_off() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(_CHUNKED + b"1\r\nx\r\n" * 5000)
        client.writer.write_eof()
        run, got = await app.next(), 0
        while (message := await run.receive())["type"] == "http.request":
            got += len(message["body"])
        assert (message["type"], got) == ("http.disconnect", 5000)
        run.end()


async def test_an_answer_before_the_end_of_a_body_in_tiny_chunks_closes() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(_CHUNKED + b"1\r\nx\r\n" * 5000)
        run = await app.next()
        await run.respond(b"enough")
        assert b"enough" in await client.rest()
        run.end()


async def test_a_tunnel_with_a_message_in_each_data_frame() -> None:
    async with serve(echo, http2_max_control_frames=10_000) as running, h2_client(running) as client:
        stream = await client.request(CONNECT, end=False)
        await client.head(stream)
        for number in range(1500):
            client.h2.send_data(stream, frame(b"%04d" % number))
        await client.flush()
        body = await client.body(stream, 6 * 1500)
        assert [int(body[at + 2 : at + 6]) for at in range(0, len(body), 6)] == list(range(1500))


async def test_many_small_uploads_in_one_connection() -> None:
    async with serve(echo, body_max_small_parts=1) as running, h2_client(running) as client:
        for _ in range(50):
            stream = await client.request(POST, end=False)
            await client.send(stream, b"a")
            await client.send(stream, b"b", end=True)
            assert (await client.response(stream))[2] == b"ab"


@pytest.mark.parametrize("answered", [False, True])
async def test_a_goodbye_that_ends_a_turn(answered: bool) -> None:
    """The connection is closed behind the last answer, also if the goodbye was the last frame of its turn."""
    app = Recorder()
    ping, goaway = b"\0\0\x08\6\0" + bytes(12), b"\0\0\x08\7\0" + bytes(12)
    async with serve(app) as running, h2_client(running) as client:
        await client.request()
        run = await app.next()
        await client.until(lambda event: isinstance(event, h2.events.RemoteSettingsChanged))
        await client.flush()
        if answered:
            await run.respond(b"done")
        client.writer.write(ping * (QUANTUM - 1) + goaway)
        if not answered:
            await eventually(lambda: running.runtime.turns.frames >= QUANTUM)
            await run.respond(b"done")
        run.end()
        await eventually(lambda: not running.runtime.connections)
