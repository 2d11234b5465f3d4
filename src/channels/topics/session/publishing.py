"""What a client sends: publications, calls, and messages without an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw

from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.messages import (
    PublishRequest,
    PublishResult,
    RPCRequest,
    RPCResult,
    SendRequest,
)
from channels.topics import calls
from channels.topics.payloads import decode, encode
from channels.topics.publishing import apublish_now
from channels.topics.session.ephemeral import METHOD, publish_ephemeral
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.session.permissions import may_publish
from channels.topics.session.reading import readable
from channels.topics.session.session import Session
from channels.topics.session.subscribing import find_topic
from channels.topics.topic import Topic, append_for


async def publish(session: Session, request: PublishRequest) -> PublishResult:
    """Publish what a client sends, if it may."""
    topic = find_topic(request.channel)
    raw, kind = bytes(request.data), type(topic).message
    if not raw and kind is not bytes:  # npm's client writes nothing for what it is not given as bytes
        raise CommandFailed(ErrorCode.BAD_REQUEST, "data are missing; with Protobuf they are bytes of JSON")
    data = decode(raw, kind)
    if not await may_publish(topic, session.user, data):
        raise CommandFailed(ErrorCode.PERMISSION_DENIED)
    await apublish_now(type(topic).store, append_for(topic, data, info=session.info_for()))
    return PublishResult()


async def call(session: Session, request: RPCRequest) -> RPCResult:
    """Answer a call: of a function, or of a topic's method as ``topic/method``."""
    name, _, method = request.method.rpartition("/")
    topic = await readable(session, name) if name else None
    if topic is not None and method == METHOD:
        await publish_ephemeral(session, topic, bytes(request.data))
        return RPCResult()
    handler = find_handler(topic, method)
    try:
        result = await calls.call(handler, session.user, bytes(request.data))
    except calls.RPCError as error:
        raise CommandFailed(error.code, error.message, error.temporary) from error
    return RPCResult(Raw(encode(result)))


def find_handler(topic: Topic | None, method: str) -> Callable[..., Any]:
    """Return what a client calls.

    Raises:
        CommandFailed: there is no such function, or the topic has no such method for clients.
    """
    handler = calls.find_function(method) if topic is None else calls.find_method(topic, method)
    if handler is None:
        raise CommandFailed(ErrorCode.METHOD_NOT_FOUND if calls.any_offered() else ErrorCode.NOT_AVAILABLE)
    return handler


async def send(session: Session, request: SendRequest) -> None:
    """Refuse: nobody takes messages without an answer."""
    raise Disconnected(DisconnectCode.NOT_AVAILABLE)
