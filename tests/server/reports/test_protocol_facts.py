"""What protocols tell is counted by the server, whoever speaks."""

from __future__ import annotations

from channels import telemetry
from channels.protocols.events import Fact
from channels.protocols.websocket.connection import WebSocketConnection
from channels.server.reports.protocol_facts import count_facts
from tests.server.helpers import Recorder, asked, eventually, frame, opened, serve


def test_facts_are_counted_once_with_their_details() -> None:
    told: list[tuple[str, dict[str, object]]] = []
    detach = telemetry.attach(lambda event, facts: told.append((event, facts)))
    connection = WebSocketConnection()
    connection.close()
    connection.send_message("late")
    connection.facts += (Fact("protocols.refused_stream", 2, {"draining": True}),)
    before = telemetry.counters["protocols.refused_stream"]
    try:
        count_facts(connection)
        count_facts(connection)
    finally:
        detach()
    assert told == [
        ("protocols.late_frame", {"amount": 1}),
        ("protocols.refused_stream", {"amount": 2, "draining": True}),
    ]
    assert telemetry.counters["protocols.refused_stream"] == before + 2
    assert connection.facts == ()


async def test_what_http1_leaves_out_is_counted() -> None:
    before = telemetry.counters["protocols.underscore_header"]
    async with asked(b"GET / HTTP/1.1\r\nHost: test\r\nX_A: 1\r\nX_B: 2\r\n\r\n") as (run, _, _):
        assert [name for name, _ in run.scope["headers"]] == [b"host"]
        assert telemetry.counters["protocols.underscore_header"] == before + 2
        await run.respond()


async def test_trailers_that_http1_drops_are_counted() -> None:
    before = telemetry.counters["protocols.trailers_dropped"]
    request = b"GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
    async with asked(request) as (run, _, _):
        length = [(b"content-length", b"1")]
        await run.send({"type": "http.response.start", "status": 200, "headers": length, "trailers": True})
        await run.send({"type": "http.response.body", "body": b"x"})
        await run.send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})
        assert telemetry.counters["protocols.trailers_dropped"] == before + 1
        run.end()


async def test_pongs_that_a_websocket_skips_are_counted() -> None:
    app = Recorder()
    before = telemetry.counters["protocols.pongs_skipped"]
    async with serve(app) as running:
        client, run = await opened(running, app)
        await client.send(b"".join(frame(b"%d" % number, 9) for number in range(30)))
        await eventually(lambda: telemetry.counters["protocols.pongs_skipped"] > before)
        run.end()
