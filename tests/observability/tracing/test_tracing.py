"""Spans as the SDK collects them: of requests, handshakes, messages, publications and tasks."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind

from channels import telemetry
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers.host.layer import HostChannelLayer
from channels.layers.local.carried import KEY
from channels.layers.manager import channel_layers
from channels.layers.memory import InMemoryChannelLayer
from channels.observability.tracing.setup import instrument, traced, uninstrument
from channels.testing import HttpCommunicator, WebsocketCommunicator
from channels_redis.core import RedisChannelLayer
from tests.observability.tracing.spans import TRACEPARENT, Spans
from tests.support.redis_servers import RedisServer
from tests.support.served import environment
from tests.tasks.conftest import finished, fresh, working  # noqa: F401 (fixtures)
from tests.topics.conftest import own_store  # noqa: F401 (fixture)
from tests.topics.topics_for_tests import Room


class Chat(AsyncWebsocketConsumer):
    groups = ["room"]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "fail":
            raise ValueError("a secret")
        await self.channel_layer.group_send("room", {"type": "chat.message", "text": text_data})

    async def chat_message(self, event: Any) -> None:
        await self.send(repr(event))


@pytest.fixture(params=["memory", "host", "redis"])
def layer(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
    if request.param == "redis":
        with RedisServer() as server:
            yield RedisChannelLayer(hosts=[server.url])
    elif request.param == "host":
        yield HostChannelLayer(path=tmp_path / "h")
    else:
        yield InMemoryChannelLayer()


async def chatted(app: Any, layer: Any, text: str = "hello") -> str:
    """What a message in a room looks like to its receiver."""
    before = channel_layers.set("default", layer)
    try:
        client = WebsocketCommunicator(app, "/ws/", headers=[(b"traceparent", TRACEPARENT.encode())])
        assert (await client.connect())[0]
        await client.send_to(text_data=text)
        heard = str(await client.receive_from(timeout=10))
        await client.disconnect()
        return heard
    finally:
        channel_layers.set("default", before)
        if hasattr(layer, "aclose"):
            await layer.aclose()


def links(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


async def test_a_message_is_linked_to_its_sender_and_its_handshake(spans: Spans, layer: Any) -> None:
    heard = await chatted(traced(Chat.as_asgi(), spans.provider), layer)
    assert heard == "{'type': 'chat.message', 'text': 'hello'}"  # and nothing of ours
    handshake, sent = spans.one("GET"), spans.one("send chat.message")
    received, handled, _ = spans.named("process Chat")
    assert handshake.kind is SpanKind.SERVER
    assert handshake.attributes is not None
    assert handshake.attributes["http.response.status_code"] == 101
    assert handshake.parent is not None
    assert f"{handshake.parent.span_id:016x}" == TRACEPARENT[36:52]
    assert sent.kind is SpanKind.PRODUCER
    assert received.context is not None
    assert sent.parent is not None
    assert sent.parent.span_id == received.context.span_id
    assert handshake.context is not None
    assert sent.context is not None
    for span in (received, handled):
        assert span.parent is None
        assert span.kind is SpanKind.CONSUMER
        assert handshake.context.span_id in links(span)
    assert links(handled) == {handshake.context.span_id, sent.context.span_id}


async def test_processes_that_do_not_trace_understand_those_that_do(spans: Spans, layer: Any) -> None:
    """And take out what they do not need."""
    channel = await layer.new_channel()
    instrument(spans.provider)
    await layer.send(channel, {"type": "a.message", "values": [1]})
    uninstrument()
    received = await layer.receive(channel)
    assert received == {"type": "a.message", "values": [1]}
    assert KEY not in received
    instrument(spans.provider)
    await layer.send(channel, {"type": "a.message", "values": [1]})
    assert await layer.receive(channel) == {"type": "a.message", "values": [1]}
    if hasattr(layer, "aclose"):
        await layer.aclose()


async def test_an_error_is_named_without_what_it_says(spans: Spans) -> None:
    with pytest.raises(ValueError, match="a secret"):
        await chatted(traced(Chat.as_asgi(), spans.provider), InMemoryChannelLayer(), "fail")
    (failed,) = [span for span in spans.named("process Chat") if not span.status.is_ok]
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "builtins.ValueError"
    assert "a secret" not in failed.to_json()


async def test_a_sync_consumer_works_within_its_span(spans: Spans) -> None:
    seen: list[int] = []

    class Sync(WebsocketConsumer):
        def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            seen.append(trace.get_current_span().get_span_context().span_id)
            self.send(text_data)

    assert await chatted(traced(Sync.as_asgi(), spans.provider), InMemoryChannelLayer()) == "hello"
    handled = spans.named(f"process {Sync.__qualname__}")
    assert seen == [span.context.span_id for span in handled[:1] if span.context]


async def test_a_request_has_its_status_and_no_query(spans: Spans) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503})
        await send({"type": "http.response.body"})

    await HttpCommunicator(traced(app, spans.provider), "BREW", "/page?token=secret").get_response()
    span = spans.one("HTTP")
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 503
    assert span.attributes["http.request.method"] == "_OTHER"
    assert (span.attributes["url.path"], span.status.is_ok) == ("/page", False)
    assert "secret" not in span.to_json()


async def test_sampling_is_respected(tmp_path: Any) -> None:
    """What the client's trace does not record is not recorded; messages are the sampler's to judge."""
    spans = Spans(sampler=ParentBased(ALWAYS_OFF))
    await chatted(traced(Chat.as_asgi(), spans.provider), InMemoryChannelLayer())
    assert {span.name for span in spans.exporter.get_finished_spans()} == {"GET"}  # its parent is sampled


class Collector(BaseHTTPRequestHandler):
    """What a collector of OTLP over HTTP hears."""

    heard: ClassVar[list[ExportTraceServiceRequest]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.heard.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def collecting() -> Iterator[str]:
    """Run a collector; yields its address."""
    Collector.heard.clear()
    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{collector.server_port}"
        collector.shutdown()
        thread.join(10)


def test_spans_reach_a_collector() -> None:
    with collecting() as address:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
        instrument(provider)
        Room(name="one").publish({"text": "hello"}, now=True)
        provider.shutdown()
    (request,) = Collector.heard
    (scope,) = request.resource_spans[0].scope_spans
    assert (scope.scope.name, scope.spans[0].name) == ("channels", f"send {Room.pattern}")
    assert scope.schema_url.startswith("https://opentelemetry.io/schemas/")


PAGE = Path(__file__).parents[3] / "docs" / "howto" / "tracing.md"
#: A request to what the how-to page says to write, as a server would make it.
REQUEST = """
import asyncio
from channels.testing import HttpCommunicator

async def ask():
    client = HttpCommunicator(application, "GET", "/nowhere/")
    await client.get_response()
    await client.wait()

asyncio.run(ask())
provider.shutdown()
"""


def test_what_the_page_says_to_write_reaches_a_collector() -> None:
    asgi = PAGE.read_text().split("```python\n")[1].split("```")[0]
    with collecting() as address:
        env = environment(
            DJANGO_SETTINGS_MODULE="tests.settings",
            OTEL_SERVICE_NAME="shop",
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
        )
        command = [sys.executable, "-c", asgi + REQUEST]
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=50)
    (found,) = Collector.heard[0].resource_spans
    attributes = {each.key: each.value.string_value for each in found.resource.attributes}
    assert attributes["service.name"] == "shop"
    assert [span.name for scope in found.scope_spans for span in scope.spans] == ["GET"]


def test_without_opentelemetry_it_is_said_what_to_install() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; import channels.observability.tracing.api"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "python -m pip install 'django-fairway[tracing]'" in done.stderr


def calls_of(work: Callable[[], object]) -> int:
    """How many functions of ours some work calls."""
    calls: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and f"{os.sep}channels{os.sep}" in frame.f_code.co_filename:
            calls.append(event)

    gc.disable()  # what earlier tests left is finalized at another time
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return len(calls)


def test_what_is_turned_off_costs_what_it_has_cost_before(spans: Spans) -> None:
    def publish() -> None:
        Room(name="one").publish({"text": "hello"}, now=True)

    publish()
    before = calls_of(publish)
    instrument(spans.provider)
    assert calls_of(publish) > before
    uninstrument()
    assert calls_of(publish) == before


async def test_nothing_is_called_where_nobody_traces() -> None:
    assert (telemetry.carry, telemetry.create_context, telemetry.handler_wrappers) == (None, None, ())
    heard = await chatted(Chat.as_asgi(), InMemoryChannelLayer())
    await asyncio.sleep(0)
    assert heard == "{'type': 'chat.message', 'text': 'hello'}"
