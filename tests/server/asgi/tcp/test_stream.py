"""TCP as ASGI events, over real sockets: what an application gets, may send, and when it is closed."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from tests.server.helpers import LONG, Client, Recorder, Run, Running, eventually, records, serve
from tests.support.certificates import make_pair

ENDPOINT = ("tcp:port=0:interface=127.0.0.1:app=meters",)


async def accepted(running: Running, app: Recorder, **more: Any) -> tuple[Client, Run]:
    client = await running.connect()
    run = await app.next()
    assert await run.receive() == {"type": "tcp.connect"}
    await run.send({"type": "tcp.accept", **more})
    return client, run


def stream_of(running: Running) -> Any:
    (stream,) = running.streams
    return stream


async def test_the_scope_and_bytes_both_ways() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        scope = {**run.scope, "extensions": sorted(run.scope["extensions"])}
        assert scope == {
            "type": "tcp",
            "asgi": {"version": "3.0", "spec_version": "1.0"},
            "path": "/meters",
            "client": [*client.writer.get_extra_info("sockname")],
            "server": [*running.server.addresses[0]],
            "extensions": ["channels.push"],
        }
        await client.send(b"\0one")
        assert await run.receive() == {"type": "tcp.receive", "data": b"\0one"}
        await run.send({"type": "tcp.send", "data": b"two"})
        await run.send({"type": "tcp.send", "data": bytearray(b" three")})
        assert await client.read(9) == b"two three"
        await run.send({"type": "tcp.close"})
        assert await client.rest() == b""
        assert await run.receive() == {"type": "tcp.disconnect", "reason": "closed"}
        run.end()
        assert running.server.statistics()["tcp_connections"] == 1


async def test_http_is_served_beside_it() -> None:
    app = Recorder()
    both = (*ENDPOINT, "tcp:port=0:interface=127.0.0.1")
    async with serve(app, endpoints=both) as running:
        reader, writer = await asyncio.open_connection(*running.server.addresses[1])
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        run = await app.next()
        assert run.scope["type"] == "http"
        await run.respond(b"page")
        assert (await asyncio.wait_for(reader.read(), LONG)).endswith(b"page")
        writer.close()
        run.end()


async def test_a_connection_may_be_refused() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client = await running.connect()
        await client.send(b"hello")
        run = await app.next()
        await run.receive()
        await run.send({"type": "tcp.close"})
        assert await client.rest() == b""
        assert await run.receive() == {"type": "tcp.disconnect", "reason": "refused"}
        run.end()


@pytest.mark.parametrize(
    ("message", "error", "said"),
    [
        ({"type": "tcp.send", "data": b"early"}, ValueError, "connecting takes: tcp.accept, tcp.close"),
        ({"type": "websocket.accept"}, ValueError, "websocket.accept"),
        ({"type": "tcp.accept", "idle_timeout": "long"}, TypeError, "idle_timeout"),
    ],
)
async def test_what_is_out_of_turn_is_an_error(message: Any, error: type[Exception], said: str) -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        await running.connect()
        run = await app.next()
        with pytest.raises(error, match=said):
            await run.send(message)
        run.end()


async def test_only_bytes_are_sent() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        _, run = await accepted(running, app)
        with pytest.raises(TypeError, match="must be bytes, got str"):
            await run.send({"type": "tcp.send", "data": "text"})
        run.end()


async def test_what_is_sent_behind_the_end_is_counted_and_an_oserror() -> None:
    app = Recorder()
    before = telemetry.counters["server.late_send"]
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        client.reset()
        assert await run.receive() == {"type": "tcp.disconnect", "reason": "lost"}
        with pytest.raises(OSError, match="reaches nobody"):
            await run.send({"type": "tcp.send", "data": b"late"})
        await run.send({"type": "tcp.close"})
        assert telemetry.counters["server.late_send"] == before + 2
        run.end()


async def test_a_half_closed_peer_gets_what_is_still_sent_to_it() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        client.write(b"question")
        client.writer.write_eof()
        assert await run.receive() == {"type": "tcp.receive", "data": b"question"}
        assert await run.receive() == {"type": "tcp.eof"}
        await run.send({"type": "tcp.send", "data": b"answer"})
        await run.send({"type": "tcp.close"})
        assert await client.rest() == b"answer"
        run.end()


async def test_an_application_that_returns_or_raises_is_closed(caplog: Any) -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        run.end()
        assert await client.rest() == b""
        client, run = await accepted(running, app)
        run.fail(RuntimeError("a mistake"))
        assert await client.rest() == b""
        client = await running.connect()
        (await app.next()).end()
        assert await client.rest() == b""
    assert records(caplog, logging.ERROR) == [
        "The application failed: TCP /meters",
        "The application returned without tcp.accept or tcp.close: TCP /meters",
    ]


async def test_a_peer_that_is_faster_than_the_application_waits() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT, tcp_buffer_size=1000) as running:
        client, run = await accepted(running, app)
        sending = asyncio.ensure_future(client.send(b"x" * 40_000_000))
        await eventually(lambda: stream_of(running).held)
        assert stream_of(running)._inbox._size < 2_000_000
        assert not sending.done()
        got = 0
        while got < 40_000_000:
            got += len((await run.receive())["data"])
        await sending
        run.end()


async def test_an_application_that_is_faster_than_its_peer_waits() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        client.transport.pause_reading()

        async def send_much() -> None:
            for _ in range(600):
                await run.send({"type": "tcp.send", "data": b"x" * 65536})

        sending = asyncio.ensure_future(send_much())
        await eventually(lambda: stream_of(running)._link.congested)
        assert not sending.done()
        client.transport.resume_reading()
        assert len(await client.read(600 * 65536)) == 600 * 65536
        await sending
        run.end()


async def test_a_peer_that_never_reads_is_cut(clock: Any) -> None:
    app = Recorder()
    before = telemetry.counters["server.slow_reader"]
    async with serve(app, endpoints=ENDPOINT, write_timeout=30.0) as running:
        client, run = await accepted(running, app)
        client.transport.pause_reading()

        async def send_much() -> None:
            while True:
                await run.send({"type": "tcp.send", "data": b"x" * 65536})

        sending = asyncio.ensure_future(send_much())
        await eventually(lambda: stream_of(running)._link.congested)
        clock.advance(31.0)
        with pytest.raises(OSError, match="reaches nobody"):
            await sending
        assert telemetry.counters["server.slow_reader"] == before + 1
        run.end()


async def test_an_application_that_says_nothing_is_refused(clock: Any, caplog: Any) -> None:
    app = Recorder()
    before = telemetry.counters["server.tcp_unanswered"]
    async with serve(app, endpoints=ENDPOINT) as running:
        client = await running.connect()
        run = await app.next()
        clock.advance(4.0)
        assert running.streams
        clock.advance(2.0)
        assert await client.rest() == b""
        assert telemetry.counters["server.tcp_unanswered"] == before + 1
        run.end()
    assert "neither accepted nor closed it within 5.0 s" in records(caplog)[0]


@pytest.mark.parametrize(
    ("limit", "sends", "last", "reason"),
    [
        ({}, b"", 61.0, "silent"),
        ({}, b"one", 601.0, "idle"),
        ({"idle_timeout": 5.0}, b"one", 6.0, "idle"),
        ({"idle_timeout": 5}, b"", 6.0, "silent"),
        ({"idle_timeout": -1}, b"one", 601.0, "idle"),
    ],
)
async def test_a_peer_that_says_nothing_is_closed(
    clock: Any, limit: Any, sends: bytes, last: float, reason: str
) -> None:
    app = Recorder()
    before = telemetry.counters["server.tcp_idle"]
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app, **limit)
        if sends:
            await client.send(sends)
            await run.receive()
        clock.advance(last - 2.0)
        assert stream_of(running).is_open
        clock.advance(2.0)
        assert await client.rest() == b""
        assert await run.receive() == {"type": "tcp.disconnect", "reason": reason}
        assert telemetry.counters["server.tcp_idle"] == before + 1
        run.end()


async def test_bytes_of_either_side_begin_the_idle_time_anew_and_none_is_no_limit(clock: Any) -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app, idle_timeout=10.0)
        await client.send(b"one")
        await run.receive()
        clock.advance(8.0)
        await run.send({"type": "tcp.send", "data": b"two"})
        clock.advance(8.0)
        await client.send(b"three")
        await run.receive()
        clock.advance(8.0)
        assert stream_of(running).is_open
        _, without = await accepted(running, app, idle_timeout=None)
        await running._clients[-1].send(b"one")
        await without.receive()
        clock.advance(100_000.0)
        assert [stream.is_open for stream in running.streams if stream.task is not None].count(True) == 1
        run.end()
        without.end()


async def test_while_the_application_is_behind_its_peer_is_not_idle(clock: Any) -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT, tcp_buffer_size=1000) as running:
        client, run = await accepted(running, app, idle_timeout=10.0)
        await client.send(b"x" * 2000)
        await eventually(lambda: stream_of(running).held)
        clock.advance(60.0)
        assert stream_of(running).is_open
        await run.receive()
        clock.advance(11.0)
        assert not stream_of(running).is_open
        run.end()


async def test_a_stop_is_told_and_the_application_says_goodbye() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        stopping = asyncio.ensure_future(running.server.stop())
        assert await run.receive() == {"type": "tcp.drain", "seconds": 2.0}
        await run.send({"type": "tcp.send", "data": b"later\r\n"})
        await run.send({"type": "tcp.close"})
        assert await client.rest() == b"later\r\n"
        await client.close()  # else the close lingers
        assert await run.receive() == {"type": "tcp.disconnect", "reason": "closed"}
        run.end()
        await asyncio.wait_for(stopping, LONG)


async def test_an_application_that_does_not_heed_the_stop_is_closed() -> None:
    app = Recorder()
    before = telemetry.counters["server.tcp_drained"]
    async with serve(app, endpoints=ENDPOINT, tcp_drain_timeout=0.1) as running:
        client, run = await accepted(running, app)
        stopping = asyncio.ensure_future(running.server.stop())
        assert await run.receive() == {"type": "tcp.drain", "seconds": 0.1}
        assert await client.rest() == b""
        await client.close()
        assert await run.receive() == {"type": "tcp.disconnect", "reason": "drain"}
        run.end()
        await asyncio.wait_for(stopping, LONG)
        assert telemetry.counters["server.tcp_drained"] == before + 1


async def test_tls_with_a_client_certificate_is_in_the_scope(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    device = make_pair(tmp_path, "meter-7", signed_by=pair)
    app = Recorder()
    endpoint = f"{pair.endpoint}:app=meters:caCerts={pair.certificate}"
    async with serve(app, endpoints=(endpoint,)) as running:
        context = pair.client("h2")
        context.load_cert_chain(device.certificate, device.key)
        client = await running.connect(context)
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() is None
        run = await app.next()
        assert run.scope["extensions"]["tls"]["client_cert_name"] == "CN=meter-7"
        await run.receive()
        await run.send({"type": "tcp.accept"})
        await client.send(b"hello")
        assert await run.receive() == {"type": "tcp.receive", "data": b"hello"}
        await client.close()
        assert (await run.receive())["type"] == "tcp.disconnect"
        run.end()
        with pytest.raises(
            (ssl.SSLError, ConnectionError, EOFError)
        ):  # TLS 1.3 tells the client with its first read
            await (await running.connect(pair.client())).reader.readexactly(1)


async def test_a_proxy_header_names_the_client() -> None:
    app = Recorder()
    options: dict[str, Any] = {"proxy_protocol": True, "trusted_proxies": ("127.0.0.1",)}
    async with serve(app, endpoints=ENDPOINT, max_connections_per_address=5, **options) as running:
        client = await running.connect()
        await client.send(b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 9000\r\nhello")
        run = await app.next()
        assert (run.scope["client"], run.scope["server"]) == (["203.0.113.7", 5555], ["192.0.2.1", 9000])
        await run.receive()
        assert await run.receive() == {"type": "tcp.receive", "data": b"hello"}
        run.end()


async def test_one_address_has_so_many_connections_and_no_run_for_more() -> None:
    app = Recorder()
    before = telemetry.counters["server.connection_refused"]
    async with serve(app, endpoints=ENDPOINT, max_connections_per_address=1) as running:
        _, run = await accepted(running, app)
        assert await (await running.connect()).rest() == b""
        assert telemetry.counters["server.connection_refused"] == before + 1
        assert len(app.runs) == 1
        run.end()


async def test_the_access_log_has_its_begin_and_its_end() -> None:
    app, lines = Recorder(), []
    log = lambda *line: lines.append(line)  # noqa: E731
    async with serve(app, endpoints=ENDPOINT, action_logger=log) as running:
        client, run = await accepted(running, app)
        await client.send(b"abc")
        await run.receive()
        await run.send({"type": "tcp.send", "data": b"de"})
        await run.send({"type": "tcp.close"})
        run.end()
        refused = await running.connect()
        (await app.next()).end()
        await refused.rest()
    assert {line[0] for line in lines} == {"tcp"}
    assert [line[1] for line in lines] == ["connected", "disconnected", "rejected"]
    details = lines[1][2]
    assert (details["path"], details["received"], details["size"]) == ("/meters", 3, 2)
    assert details["reason"] == "closed"


async def test_bytes_behind_our_close_do_not_reset_what_was_sent_last() -> None:
    """A peer that goes on sending still reads the last line: the close lingers."""
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT) as running:
        client, run = await accepted(running, app)
        await client.send(b"x" * 1000)
        await run.send({"type": "tcp.send", "data": b"goodbye"})
        await run.send({"type": "tcp.close"})
        client.write(b"y" * 100_000)
        assert await client.rest() == b"goodbye"
        run.end()


async def test_a_peer_that_leaves_while_it_is_not_read_is_noticed() -> None:
    app = Recorder()
    async with serve(app, endpoints=ENDPOINT, tcp_buffer_size=10, application_close_timeout=0.5) as running:
        address: Any = running.server.addresses[0]
        sock = await asyncio.to_thread(socket.create_connection, address)
        run = await app.next()
        await run.receive()
        await run.send({"type": "tcp.accept"})
        sock.sendall(b"x" * 1000)
        await eventually(lambda: stream_of(running).held)
        sock.close()
        await asyncio.wait_for(run.finished.wait(), LONG)  # cancelled: it takes nothing
