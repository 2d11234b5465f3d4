"""What is noted of publications in the log of deliveries; called only where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Append, Event, Published


def key_of(publication: Publication) -> str:
    """Return what tells a publication from others of its topic, the same in all processes.

    Its time in milliseconds, and a checksum: more than one may be published in a millisecond.
    """
    return f"{publication.time}-{crc32(publication.data):08x}"


def note_stage(append: Append, stage: str) -> None:
    """Note that a publication has come so far on its way into the store."""
    if delivery_log.note is not None:
        trace = delivery_log.trace_of(append)
        delivery_log.note("topic", append.topic, stage, key=key_of(append.publication), trace=trace)


def note_published(append: Append, published: Published) -> None:
    """Note that the store has a publication, or has left it out."""
    if delivery_log.note is not None:
        offset = published.position.offset
        stage, detail = "published", f"offset {offset}" if offset else "not kept"
        if not published.accepted:
            stage, detail = "dropped", "its idempotency key or version was seen before"
        publication = append.publication
        key, trace = key_of(publication), delivery_log.trace_of(append)
        delivery_log.note("topic", append.topic, stage, 1, detail, key, publication.data, trace)


def note_delivered(name: str, everybody: int, reached: int, events: Sequence[Event]) -> None:
    """Note what became of publications in an event loop.

    Args:
        name: of the topic.
        everybody: how many have subscribed here.
        reached: deliveries of all of ``events`` together.
        events: what was delivered.
    """
    publications = [event for event in events if isinstance(event, Publication)]
    if delivery_log.note is None or not publications:
        return
    amount = min(everybody, reached // len(publications))
    for each in publications:
        detail = f"offset {each.offset}" if each.offset else ""
        key, trace = key_of(each), delivery_log.trace_of(each)
        delivery_log.note("topic", name, "delivered", amount, detail, key, each.data, trace)
        if amount < everybody:
            why = "left out by their filter or their view"
            delivery_log.note("topic", name, "filtered", everybody - amount, why, key, trace=trace)


def note_recovery(name: str, offset: int, missed: Iterable[Publication] | None) -> None:
    """Tell that a client has come back, and note up to where it has all."""
    if telemetry.listeners:
        telemetry.emit("topics.recovered", topic=name, recovered=missed is not None)
    if delivery_log.note is not None:
        detail = f"up to offset {offset}; what it has missed is {'sent' if missed is not None else 'lost'}"
        delivery_log.note("topic", name, "acknowledged", 1, detail)
