"""Sessions as records, and back."""

from __future__ import annotations

import time
from collections.abc import Callable

from channels import telemetry
from channels.mqtt.messages import Outgoing
from channels.mqtt.router import Router
from channels.mqtt.session import Session, Subscribed
from channels.mqtt.stored.durable import GRACE
from channels.mqtt.stored.missed import find_sent, store_of
from channels.mqtt.stored.record import Record, Sent, StoredSubscription, encode_record
from channels.mqtt.system.topics import SYSTEM
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import Publish, PubRel, Subscription
from channels.protocols.mqtt.topics import is_wildcard, split_filter
from channels.topics.registry import resolve
from channels.topics.session.permissions import may_subscribe


class SessionSnapshot:
    """A session of this process, as :class:`~channels.mqtt.stored.durable.Durable` stores it.

    Args:
        session: whose record it is.
        router: knows how far it has got.
        end: ends it here.
    """

    def __init__(self, session: Session, router: Router, end: Callable[[Session], None]) -> None:
        self._session, self._router, self._end = session, router, end

    def stored(self) -> tuple[bytes, float]:
        """See :class:`~channels.mqtt.stored.durable.Snapshot`."""
        record = record_of(self._session, self._router, time.time())
        return encode_record(record), record.expiry + GRACE

    def send_stored(self, packet: Publish | PubRel) -> None:
        """See :class:`~channels.mqtt.stored.durable.Snapshot`."""
        self._session.send_stored(packet)

    def overtaken(self) -> None:
        """See :class:`~channels.mqtt.stored.durable.Snapshot`."""
        self._end(self._session)

    def store_failed(self) -> None:
        """See :class:`~channels.mqtt.stored.durable.Snapshot`."""
        if self._session.peer is not None:
            self._session.peer.end(Reason.SERVER_BUSY)


def record_of(session: Session, router: Router, now: float) -> Record:
    """Return what is stored of a session at a time in seconds since 1970."""
    marks = router.marks_of(session)
    for name, first in session.waiting().items():
        if name in marks:
            marks[name] = first.before()
    return Record(
        session.expiry,
        0.0 if session.peer is not None else now + session.expiry,
        session.last_id,
        [_stored(filter, each) for filter, each in session.subscriptions.items()],
        marks,
        session.sent(),
        session.received,
    )


def _stored(topic_filter: str, subscribed: Subscribed) -> StoredSubscription:
    options = subscribed.options
    handling = options.retain_handling
    return StoredSubscription(
        topic_filter,
        options.qos,
        options.no_local,
        options.retain_as_published,
        handling,
        subscribed.identifier,
    )


async def restore(session: Session, record: Record, router: Router) -> None:
    """Go on with a session that another process had: hand it what it has missed.

    Args:
        session: a new one, with its ``durable``.
        record: what was stored.
        router: brings it what is published.

    Raises:
        StoreUnavailable: a store does not answer.
    """
    durable = session.durable
    assert durable is not None
    durable.marks.update(record.marks)
    durable.behind.update(record.marks)
    sent = {each.packet_id: await _publish_of(each, session) for each in record.sent}
    durable.places.update({each.packet_id: each.mark for each in record.sent if each.topic})
    session.restore(record.last_id, sent, record.received)
    for name in record.marks:
        await router.names.learn(name)
    for stored in record.subscriptions:
        subscribed = Subscribed(Subscription(*stored[:5]), stored.identifier)
        if stored.filter.startswith(SYSTEM):
            session.subscriptions[stored.filter] = subscribed  # who may have it is asked each time
        elif await _may_have(session, stored.filter):
            await router.subscribe(session, stored.filter, subscribed)


async def _may_have(session: Session, topic_filter: str) -> bool:
    plain = split_filter(topic_filter).filter
    if is_wildcard(plain):
        return True
    topic = resolve(plain)
    return topic is not None and await may_subscribe(topic, session.user)


async def _publish_of(sent: Sent, session: Session) -> Publish | None:
    """Return a message as it was sent; None if all that is left to do is to release its identifier."""
    topic = resolve(sent.topic) if sent.topic else None
    if topic is None:
        return None
    publication = await find_sent(store_of(sent.topic), sent.topic, sent.mark)
    if publication is None:
        telemetry.count("mqtt.history_lost", client=session.client_id, topic=sent.topic)
        return None
    properties = Outgoing(sent.topic, publication).properties or {}
    return Publish(
        sent.topic, bytes(publication.data), sent.qos, packet_id=sent.packet_id, properties=properties
    )
