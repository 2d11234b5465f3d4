"""What a client sends: publications, calls, and messages without an answer."""

from __future__ import annotations

from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.messages import (
    PublishRequest,
    PublishResult,
    RPCRequest,
    RPCResult,
    SendRequest,
)
from channels.topics.payloads import decode
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.session.permissions import may_publish
from channels.topics.session.session import Session
from channels.topics.session.subscribing import find_topic
from channels.topics.stores.manager import get_store
from channels.topics.topic import append_for


async def publish(session: Session, request: PublishRequest) -> PublishResult:
    """Publish what a client sends, if it may."""
    topic = find_topic(request.channel)
    data = decode(bytes(request.data), type(topic).message)
    if not await may_publish(topic, session.user, data):
        raise CommandFailed(ErrorCode.PERMISSION_DENIED)
    await get_store(type(topic).store).publish(append_for(topic, data, info=session.info_for()))
    return PublishResult()


async def call(session: Session, request: RPCRequest) -> RPCResult:
    """Refuse: no calls are offered."""
    raise CommandFailed(ErrorCode.NOT_AVAILABLE)


async def send(session: Session, request: SendRequest) -> None:
    """Refuse: nobody takes messages without an answer."""
    raise Disconnected(DisconnectCode.NOT_AVAILABLE)
