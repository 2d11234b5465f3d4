"""What the connections of a process share, without any connection."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from channels import telemetry
from channels.protocols.events import Handshake
from channels.protocols.http.fields import ResponseFields
from channels.server import runtime as module
from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.connection_limits import ClientLimitMiddleware
from channels.server.limits.fd_limits import MARGIN
from channels.server.proxies.forwarded import ForwardedGuard
from channels.server.reports.health import Health
from channels.server.runtime import (
    Runtime,
    deflate_settings,
    http1_limits,
    http2_limits,
    websocket_limits,
)
from tests.server.helpers import echo


def config(**options: Any) -> Config:
    return Config(app=echo, endpoints=("tcp:1",), **options)


@pytest.fixture
def make() -> Any:
    return lambda **options: Runtime(config(**options), asyncio.get_running_loop())


class Writer:
    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


def test_a_size_of_0_is_no_limit_for_a_message() -> None:
    none = websocket_limits(config(websocket_max_message_size=0, websocket_max_frame_size=0))
    assert (none.max_message_size, none.max_frame_size) == (None, None)
    some = websocket_limits(config(websocket_max_message_size=70_000, websocket_max_frame_size=70_000))
    assert (some.max_message_size, some.max_frame_size) == (70_000, 70_000)


def test_both_versions_of_http_have_the_same_limits_of_a_head() -> None:
    settings = config(max_target_size=3000, max_head_size=9000, max_headers=17)
    for limits in (http1_limits(settings), http2_limits(settings)):
        assert (limits.max_target, limits.max_header_bytes, limits.max_headers) == (3000, 9000, 17)


def test_compression_that_is_switched_off() -> None:
    assert deflate_settings(config(websocket_deflate=False)) is None
    settings = deflate_settings(config(websocket_deflate=True, websocket_deflate_context_takeover=False))
    assert settings is not None
    assert not settings.server_context_takeover


async def test_what_is_agreed_on_about_compression(make: Any) -> None:
    asks = Handshake([], b"key", (b"permessage-deflate",))
    assert make(websocket_deflate=True).agree_on_deflate(asks) is not None
    assert make(websocket_deflate=True).agree_on_deflate(Handshake([], b"key")) is None
    assert make(websocket_deflate=False).agree_on_deflate(asks) is None


async def test_what_answers_before_the_application(make: Any) -> None:
    assert make(health_path=None).app is echo
    assert isinstance(make(health_path="/health").app, Health)
    behind = {"trusted_proxies": ("127.0.0.1",), "health_path": None}
    limited = make(max_connections_per_address=3, **behind)
    assert isinstance(limited.app, ClientLimitMiddleware)
    guarded = make(proxy_address_header="Forwarded", max_connections_per_address=0, **behind)
    assert isinstance(guarded.app, ForwardedGuard)


async def test_who_may_say_under_which_path_it_serves(make: Any) -> None:
    assert not make().believes_root_path(None)
    trusting = make(trusted_proxies=("127.0.0.1",), root_path_header=True)
    assert not trusting.believes_root_path(None)


async def test_a_time_limit_that_is_off_never_comes(make: Any) -> None:
    runtime = make(http_timeout=None, head_timeout=7)
    assert (runtime.time_limits["http_timeout"], runtime.time_limits[""]) == (NEVER, NEVER)
    assert runtime.time_limits["head_timeout"] == 7


async def test_writers_are_flushed_once_after_the_turn(make: Any) -> None:
    runtime, one, other = make(), Writer(), Writer()
    runtime.end_of_turn.flush(one)
    runtime.end_of_turn.flush(other)
    assert (one.flushed, other.flushed) == (0, 0)
    await asyncio.sleep(0)
    assert (one.flushed, other.flushed) == (1, 1)
    runtime.end_of_turn.flush(one)
    await asyncio.sleep(0)
    assert (one.flushed, other.flushed) == (2, 1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"max_connections": 1}, "total"), ({"max_connections_per_address": 1}, "address")],
)
async def test_a_connection_too_many(
    make: Any, options: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = make(**options)
    before = telemetry.counters["server.connection_refused"]
    runtime.arriving.add("first")
    assert runtime.refusal_of("192.0.2.1", 3) is None
    runtime.arriving.add("second")
    assert runtime.refusal_of("192.0.2.1", 3) == reason
    assert runtime.refusal_of("192.0.2.1", 3) == reason
    assert telemetry.counters["server.connection_refused"] == before + 2
    assert len(caplog.records) == 1, "once a minute"


async def test_the_last_descriptors_are_kept(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "descriptor_limit", lambda: 1000)
    runtime = make()
    assert runtime.refusal_of("192.0.2.1", 1000 - MARGIN) is None
    assert runtime.refusal_of("192.0.2.1", 1001 - MARGIN) == "descriptors"
    monkeypatch.setattr(module, "descriptor_limit", lambda: None)
    assert make().refusal_of("192.0.2.1", 10**6) is None


async def test_a_client_for_which_many_applications_run_though_it_has_left(make: Any) -> None:
    runtime = make(max_connections_per_address=2)
    assert not runtime.is_crowded(None)
    assert not runtime.is_crowded(["192.0.2.1", 1])
    runtime.admission.abandoned("192.0.2.1", 50)
    assert runtime.is_crowded(["192.0.2.1", 1])
    assert not runtime.is_crowded(["192.0.2.2", 1])


async def test_the_servers_own_headers_are_made_once_a_second(make: Any, clock: Any) -> None:
    runtime = make(server_name="mine")
    first = runtime.own_headers()
    assert [name for name, _ in first] == [b"date", b"server"]
    assert runtime.own_headers() is first
    assert runtime.own_fields() is runtime.own_fields()
    assert isinstance(runtime.own_fields(), ResponseFields)
    runtime.timers.now += 1.1
    assert runtime.own_fields().headers == tuple(runtime.own_headers())
    assert runtime.own_headers() is not first
    assert [name for name, _ in make(server_name="").own_headers()] == [b"date"]


async def test_lines_of_the_access_log(make: Any) -> None:
    lines: list[Any] = []
    make(action_logger=None).log("http", "complete", dict)
    make(action_logger=lambda *line: lines.append(line)).log("http", "complete", lambda: {"status": 200})
    assert lines == [("http", "complete", {"status": 200})]


@pytest.mark.parametrize(("error", "traceback"), [(OSError("full"), False), (ValueError("wrong"), True)])
async def test_a_log_that_fails_stops_nothing(
    make: Any, error: Exception, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*line: Any) -> None:
        raise error

    runtime = make(action_logger=fail)
    before = telemetry.counters["server.access_log_failed"]
    with caplog.at_level(logging.WARNING):
        runtime.log("http", "complete", dict)
        runtime.log("http", "complete", dict)
    (record,) = caplog.records
    assert "Lines of the access log are lost" in record.getMessage()
    assert bool(record.exc_info) is traceback
    assert telemetry.counters["server.access_log_failed"] == before + 2


async def test_waiting_until_nothing_is_open_and_nothing_runs(make: Any) -> None:
    runtime = make()
    await runtime.wait_idle()
    runtime.left()
    runtime.connections.add("connection")
    runtime.streams.add("run")
    waiting = asyncio.ensure_future(runtime.wait_idle())
    await asyncio.sleep(0)
    runtime.connections.clear()
    runtime.left()
    await asyncio.sleep(0)
    assert not waiting.done()
    runtime.streams.clear()
    runtime.left()
    await waiting


async def test_what_is_counted(make: Any) -> None:
    runtime = make()
    runtime.accepted, runtime.requests, runtime.websockets = 3, 2, 1
    runtime.connections.add("connection")
    assert runtime.statistics() == {
        **{"connections": 1, "applications": 0, "timers": 0},
        **{"accepted": 3, "requests": 2, "websockets": 1, "tcp_connections": 0},
    }


@pytest.mark.parametrize("engine", ["auto", "h11", "zttp"])
async def test_the_engine_is_a_setting(make: Any, engine: str) -> None:
    http1 = make(http1_engine=engine).new_http1()
    http1.receive_data(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    assert http1.next_event().target == b"/"
    assert make(http2_engine=engine if engine == "auto" else "h2").http2_engine == (
        None if engine == "auto" else "h2"
    )
