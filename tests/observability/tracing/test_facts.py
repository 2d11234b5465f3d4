"""Publications and tasks: what travels beside them, and the spans at both ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.db import transaction
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from channels.diagnostics import delivery_log
from channels.journal.tables.records import encode_pending
from channels.layers.memory import InMemoryChannelLayer
from channels.observability.tracing.propagation import context_of, headers_of, span_of
from channels.observability.tracing.setup import instrument, uninstrument
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import Publication, Push
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.routing import URLRouter
from channels.tasks.groups import chain
from channels.testing.store_contract.tools import Recorder
from channels.testing.topics import TopicsCommunicator
from channels.topics import apublish_many
from channels.topics.publishing import with_context
from channels.topics.routing import websocket_urlpatterns
from channels.topics.stores.base import Append
from channels.topics.stores.host import HostStore
from channels.topics.stores.manager import get_store, set_store
from channels.topics.stores.records import beside_of, carried, decode_publication, encode_publication
from channels.topics.topic import append_for
from tests.observability.tracing.spans import TRACEPARENT, UNSAMPLED, Spans, ids, linked, parent
from tests.tasks import jobs
from tests.tasks.conftest import finished, fresh, working  # noqa: F401 (fixtures)
from tests.topics.conftest import own_store  # noqa: F401 (fixture)
from tests.topics.topics_for_tests import Room

ROOM = Room(name="one")


def context_from(traceparent: str) -> Any:
    return context_of({"traceparent": traceparent})


@pytest.fixture
def request_span() -> Iterator[SpanContext]:
    """Run the test within the trace of a client."""
    token = context.attach(context_from(TRACEPARENT))
    yield trace.get_current_span().get_span_context()
    context.detach(token)


@pytest.fixture
def unsampled() -> Iterator[None]:
    token = context.attach(context_from(UNSAMPLED))
    yield
    context.detach(token)


async def published(topic: Room) -> str:
    """What a subscriber gets of one publication, as text."""
    client = TopicsCommunicator(URLRouter(websocket_urlpatterns))
    await client.connect()
    await client.subscribe(topic)
    await topic.apublish({"text": "hello"})
    push = await client.receive_push(5)
    await client.disconnect()
    return json.dumps(push)


async def test_a_publication_is_delivered_in_the_trace_of_who_publishes(
    spans: Spans, request_span: SpanContext
) -> None:
    instrument(spans.provider)
    push = await published(ROOM)
    sent, delivered = spans.one(f"send {Room.pattern}"), spans.one(f"process {Room.pattern}")
    assert (sent.kind, delivered.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert parent(sent) == f"{request_span.span_id:016x}"
    assert (parent(delivered), linked(delivered)) == (ids(sent)[1], {ids(sent)[1]})
    assert delivered.attributes is not None
    assert delivered.attributes["channels.subscribers"] == 1
    assert delivered.attributes["messaging.operation.type"] == "process"
    assert "trace" not in push


async def test_what_is_kept_and_read_again_is_as_it_was_without_traces(
    spans: Spans, request_span: SpanContext
) -> None:
    instrument(spans.provider)
    await ROOM.apublish({"text": "hello"})
    (kept,) = (await get_store().read(str(ROOM))).publications
    assert type(kept) is Publication
    assert b"trace" not in msgspec.json.encode(kept)


@pytest.mark.parametrize("codec", [JSON, PROTOBUF])
def test_clients_get_the_same_bytes_with_and_without(codec: Any) -> None:
    publication = Publication(data=msgspec.Raw(b'{"a":1}'), offset=3, epoch="ab", time=5, tags={"a": "b"})
    traced = carried(publication, {"traceparent": TRACEPARENT})
    pushes = [codec.encode_push(Push(channel="x", pub=each)) for each in (publication, traced)]
    assert pushes[0] == pushes[1]
    assert (
        JSON.encode_push(Push(channel="x", pub=msgspec.structs.replace(traced, epoch=""))).find(b"trace") < 0
    )


def test_not_one_byte_travels_where_nobody_traces(spans: Spans, request_span: SpanContext) -> None:
    """Of records, pending rows and arguments of tasks alike; and with traces it is what they add."""
    append = append_for(ROOM, {"text": "hello"})
    before = encode_publication(append.publication), encode_pending(append)
    assert with_context(append, "send") is append
    instrument(spans.provider)
    traced = with_context(append, "send")
    assert beside_of(encode_publication(traced.publication, traced.beside)) == traced.beside
    added = len(encode_pending(traced)) - len(before[1])
    assert 70 < added < 90
    uninstrument()
    assert (encode_publication(append.publication), encode_pending(append)) == before
    record = decode_publication(encode_publication(traced.publication, traced.beside), 1, "e")
    assert msgspec.json.encode(record) == msgspec.json.encode(
        msgspec.structs.replace(append.publication, offset=1, epoch="e")
    )


@pytest.mark.django_db(transaction=True)
def test_what_a_transaction_publishes_is_created_in_it_and_sent_when_it_is_committed(
    spans: Spans, request_span: SpanContext
) -> None:
    instrument(spans.provider)
    with transaction.atomic():
        ROOM.publish({"text": "hello"})
        assert spans.names() == [f"create {Room.pattern}"]
    created, sent = spans.one(f"create {Room.pattern}"), spans.one(f"send {Room.pattern}")
    assert (created.kind, sent.kind) == (SpanKind.PRODUCER, SpanKind.CLIENT)
    assert linked(sent) == {ids(created)[1]}


async def test_each_publication_of_several_has_spans(spans: Spans, tmp_path: Any) -> None:
    """Of one call to a store that takes several at once, too."""
    set_store("default", HostStore(path=str(tmp_path)))
    instrument(spans.provider)
    client = TopicsCommunicator(URLRouter(websocket_urlpatterns))
    await client.connect()
    await client.subscribe(ROOM)
    await apublish_many([ROOM, ROOM], {"text": "hello"})
    for _ in range(2):
        assert (await client.receive_publication(10)) == {"text": "hello"}
    await client.disconnect()
    sent, delivered = spans.named(f"send {Room.pattern}"), spans.named(f"process {Room.pattern}")
    assert [parent(each) for each in delivered] == [ids(each)[1] for each in sent]
    assert len(delivered) == 2
    await get_store().aclose()


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_sent(spans: Spans) -> None:
    instrument(spans.provider)
    with transaction.atomic():
        ROOM.publish({"text": "hello"})
        transaction.set_rollback(True)
    assert spans.names() == [f"create {Room.pattern}"]


async def test_a_trace_that_is_not_sampled_travels_and_makes_no_span(unsampled: None) -> None:
    spans = Spans(sampler=ParentBased(ALWAYS_ON))
    instrument(spans.provider)
    store, recorder = get_store(), Recorder()
    await store.subscribe(str(ROOM), recorder)
    await published(ROOM)
    ((_, event), *_) = [each for each in recorder.events if isinstance(each[1], Publication)]
    assert event.beside["traceparent"][3:36] == UNSAMPLED[3:36]
    assert event.beside["traceparent"].endswith("-00")
    assert spans.names() == []


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"ff{TRACEPARENT[2:]}",
        TRACEPARENT.upper(),
        f"{TRACEPARENT}-more",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        TRACEPARENT + "x" * 100_000,
        7,
        None,
        {"a": "b"},
    ],
)
def test_a_traceparent_that_is_none_is_ignored(traceparent: Any) -> None:
    assert not span_of(context_of({"traceparent": traceparent})).is_valid


def test_a_long_tracestate_stays_behind() -> None:
    state = TraceState([(f"vendor{number}", "x" * 200) for number in range(5)])
    ours = SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)
    assert headers_of(NonRecordingSpan(ours)).keys() == {"traceparent"}
    theirs = context_of({"traceparent": TRACEPARENT, "tracestate": f"a={'x' * 600}"})
    assert span_of(theirs).is_valid
    assert not span_of(theirs).trace_state
    short = context_of({"traceparent": TRACEPARENT, "tracestate": "a=b"})
    assert headers_of(trace.get_current_span(short))["tracestate"] == "a=b"


def test_baggage_stays_behind(spans: Spans) -> None:
    instrument(spans.provider)
    token = context.attach(baggage.set_baggage("user", "secret"))
    beside = with_context(Append("room:one", Publication()), "send").beside
    context.detach(token)
    assert beside is not None
    assert beside.keys() == {"traceparent"}


class Failing:
    """A span processor that always fails, as an exporter of somebody's own may."""

    def on_start(self, *arguments: Any, **options: Any) -> None:
        raise RuntimeError("on_start")

    def on_end(self, span: Any) -> None:
        raise RuntimeError("on_end")

    def shutdown(self) -> None:
        pass


async def test_who_is_traced_does_not_notice_that_a_processor_fails(spans: Spans) -> None:
    spans.provider.add_span_processor(Failing())  # type: ignore[arg-type]
    instrument(spans.provider)
    assert "hello" in await published(ROOM)


def test_without_an_sdk_nothing_travels(request_span: SpanContext) -> None:
    """The API alone hands on what it got; of a trace that nobody began there is nothing."""
    instrument()
    append = append_for(ROOM, {"text": "hello"})
    assert (with_context(append, "send").beside or {}).get("traceparent") == TRACEPARENT
    token = context.attach(context.Context())
    assert with_context(append, "send") == append
    context.detach(token)


def of_task(spans: Spans, name: str, task_id: str) -> Any:
    (found,) = [
        span
        for span in spans.named(name)
        if span.attributes and span.attributes["messaging.message.id"] == task_id
    ]
    return found


def test_a_task_runs_in_the_trace_of_who_enqueued_it(spans: Spans, request_span: SpanContext) -> None:
    instrument(spans.provider)
    with working():
        results = [finished(each) for each in (jobs.add.enqueue(1, 2), jobs.fail.enqueue())]
    assert (results[0].args, results[0].return_value) == ([1, 2], 3)
    for result in results:
        sent, run = (of_task(spans, f"{verb} default", result.id) for verb in ("send", "process"))
        assert parent(sent) == f"{request_span.span_id:016x}"
        assert (parent(run), linked(run)) == (ids(sent)[1], {ids(sent)[1]})
    failed = of_task(spans, "process default", results[1].id)
    assert (failed.status.is_ok, failed.attributes["error.type"]) == (False, "builtins.ValueError")


@pytest.fixture
def log() -> Iterator[None]:
    """Keep the log of deliveries."""
    delivery_log.keep(100)
    yield
    delivery_log.keep(0)


async def test_the_log_of_deliveries_knows_what_was_sent_in_a_trace(
    spans: Spans, request_span: SpanContext, log: None
) -> None:
    instrument(spans.provider)
    layer = InMemoryChannelLayer()
    await layer.group_add("room", await layer.new_channel())
    with working():
        await layer.group_send("room", {"type": "one"})
        await published(ROOM)
        await asyncio.to_thread(finished, await jobs.add.aenqueue(1, 2))
    context.attach(context.Context())
    await layer.group_send("room", {"type": "of another trace"})
    found = delivery_log.entries("", 100, TRACEPARENT[3:35])
    assert {(each.kind, each.name, each.stage) for each in found} == {
        ("group", "room", "published"),
        ("group", "room", "delivered"),
        ("topic", str(ROOM), "published"),
        ("topic", str(ROOM), "delivered"),
        ("task", "tests.tasks.jobs.add", "enqueued"),
        ("task", "tests.tasks.jobs.add", "started"),
        ("task", "tests.tasks.jobs.add", "ended"),
    }
    assert len(found) == 7


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        (TRACEPARENT[3:35], TRACEPARENT[3:35]),
        (f"  {TRACEPARENT.upper()}\n", TRACEPARENT[3:35]),
        (TRACEPARENT[3:34], ""),
        (f"{TRACEPARENT[3:35]}0", ""),
        ("orders", ""),
        ("", ""),
    ],
)
def test_what_people_paste(text: str, trace: str) -> None:
    assert delivery_log.trace_in(text) == trace


def test_each_attempt_and_each_step_is_in_the_trace(spans: Spans, request_span: SpanContext) -> None:
    instrument(spans.provider)
    with working():
        finished(jobs.fail_twice.enqueue())
        for each in chain(jobs.add.step(1, 2), jobs.add.step(3, 4)):
            finished(each)
    runs = spans.named("process default")
    assert len(runs) == 5
    assert {ids(run)[0] for run in runs} == {TRACEPARENT[3:35]}


def test_a_thread_task_that_is_cut_off_ends_its_span_with_an_error(spans: Spans) -> None:
    instrument(spans.provider)
    with working():
        result = finished(jobs.hang.enqueue())
        span = of_task(spans, "process default", result.id)
        assert (span.status.is_ok, span.attributes["error.type"]) == (
            False,
            "channels.tasks.exceptions.TimedOut",
        )
    assert len(spans.named("process default")) == 1  # its thread, which goes on, ends none


def test_a_worker_that_does_not_trace_runs_what_one_that_does_has_enqueued(spans: Spans) -> None:
    instrument(spans.provider)
    result = jobs.add.enqueue(1, 2)
    uninstrument()
    with working():
        assert finished(result).return_value == 3
    assert (result.args, result.kwargs) == ([1, 2], {})
