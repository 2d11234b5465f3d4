"""What subscribers tell each other and nobody keeps: who is typing, where a cursor is.

The latest from each client counts: of those that come within a topic's interval only the last one leaves.
"""

from __future__ import annotations

from typing import Any, Final

from channels.protocols.centrifuge.codes import ErrorCode
from channels.topics.delivery.conflation import Conflation
from channels.topics.delivery.subscription import Subscription
from channels.topics.payloads import decode
from channels.topics.session.errors import CommandFailed
from channels.topics.session.permissions import may_publish_ephemeral
from channels.topics.session.session import Session
from channels.topics.stores.base import Append
from channels.topics.stores.manager import get_store
from channels.topics.topic import Topic, append_ephemeral

#: The method of every topic that clients call to publish so: ``client.rpc("room:lobby/ephemeral", data)``.
METHOD: Final = "ephemeral"


async def publish_ephemeral(session: Session, topic: Topic, raw: bytes) -> None:
    """Publish what a subscriber says, or keep it until it may leave, in place of what waits already.

    Raises:
        CommandFailed: the topic has no such publications, or the client may not make them.
        InvalidData: the data are not of the topic's type for this.
    """
    kind = type(topic).ephemeral
    if kind is None:
        raise CommandFailed(ErrorCode.NOT_AVAILABLE, "this topic has no ephemeral publications")
    subscription = session.subscriptions.get(str(topic))
    if subscription is None:
        raise CommandFailed(ErrorCode.PERMISSION_DENIED, "subscribe to the topic first")
    data = decode(raw, None if kind is Any else kind)
    if not await may_publish_ephemeral(topic, session.user, data):
        raise CommandFailed(ErrorCode.PERMISSION_DENIED)
    conflation_of(session, topic, subscription).offer(append_ephemeral(topic, data, subscription.info))


def conflation_of(session: Session, topic: Topic, subscription: Subscription) -> Conflation[Append]:
    """Return what keeps a client to the pace of a topic."""
    if subscription.conflation is None:
        store = get_store(type(topic).store)

        def publish(append: Append) -> None:
            if session.subscriptions.get(append.topic) is subscription:
                session.hub.spawn(_publish(store, append))

        subscription.conflation = Conflation(type(topic).ephemeral_interval, publish)
    return subscription.conflation


async def _publish(store: Any, append: Append) -> None:
    await store.publish(append)
