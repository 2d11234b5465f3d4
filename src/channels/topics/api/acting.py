"""Methods that change something: publish, subscribe, disconnect, call."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import time
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from msgspec import Raw

from channels.protocols.centrifuge.codes import (
    APPLICATION_DISCONNECTS,
    DisconnectCode,
    ErrorCode,
    UnsubscribeCode,
)
from channels.topics import calls
from channels.topics.api import requests
from channels.topics.api.errors import APIError, as_api_error
from channels.topics.api.reading import topic_named
from channels.topics.api.requests import Result
from channels.topics.control import (
    DisconnectClients,
    ForgetRecent,
    RefreshClients,
    SubscribeClients,
    UnsubscribeClients,
    abroadcast,
)
from channels.topics.payloads import InvalidData, decode, encode
from channels.topics.publishing import apublish_now
from channels.topics.registry import UnknownTopic
from channels.topics.stores.base import Retention
from channels.topics.stores.manager import get_store
from channels.topics.tokens.claims import Override
from channels.topics.topic import Topic, append_for

#: Channels that one request may publish to.
MOST_CHANNELS: Final = 1_000
#: Bytes of a reason, as a WebSocket's close frame has no room for more (RFC 6455, 5.5).
LONGEST_REASON: Final = 123
_OVERRIDES: Final = {field.name for field in dataclasses.fields(Override)}


async def publish(request: requests.Publish) -> Result:
    """Publish to a channel."""
    return await _publish(request.channel, request)


async def broadcast(request: requests.Broadcast) -> Result:
    """Publish to some channels; each has its own result or error."""
    if not request.channels or len(request.channels) > MOST_CHANNELS:
        raise APIError(ErrorCode.BAD_REQUEST, f"channels are 1 to {MOST_CHANNELS}")
    return {"responses": [await _response(channel, request) for channel in request.channels]}


async def _response(channel: str, content: requests.Content) -> Result:
    try:
        return {"result": await _publish(channel, content)}
    except (APIError, UnknownTopic, InvalidData) as error:
        return {"error": as_api_error(error).content}


async def _publish(channel: str, content: requests.Content) -> Result:
    topic = topic_named(channel)
    append = append_for(
        topic,
        _data_of(topic, content),
        tags=content.tags,
        idempotency_key=content.idempotency_key,
        version=content.version,
        version_epoch=content.version_epoch,
    )
    if content.skip_history:
        append = dataclasses.replace(append, retention=Retention())
    published = await apublish_now(type(topic).store, append)
    return {"offset": published.position.offset, "epoch": published.position.epoch}


def _data_of(topic: Topic, content: requests.Content) -> Any:
    """Return what is to be published, of the topic's type."""
    kind = type(topic).message
    raw = _decoded(content.b64data) if content.b64data else bytes(content.data)
    if not raw:
        raise APIError(ErrorCode.BAD_REQUEST, "data is missing")
    if kind is bytes and not content.b64data:
        raise APIError(ErrorCode.BAD_REQUEST, "this topic takes bytes: b64data")
    return Raw(raw) if kind is None else decode(raw, kind)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise APIError(ErrorCode.BAD_REQUEST, "this is not Base64") from None


async def history_remove(request: requests.Channel) -> Result:
    """Remove what is kept of a channel."""
    topic = topic_named(request.channel)
    await get_store(type(topic).store).remove(str(topic))
    await abroadcast(ForgetRecent(str(topic)))
    return {}


async def subscribe(request: requests.Subscribe) -> Result:
    """Subscribe the clients of a user."""
    topic = topic_named(request.channel)
    since = request.recover_since
    await abroadcast(
        SubscribeClients(
            str(topic),
            request.user,
            request.client,
            request.session,
            info=_json(request.info, request.b64info),
            data=_json(request.data, request.b64data),
            expires_at=request.expire_at,
            since=None if since is None else (since.offset, since.epoch),
            override=_overrides(request.override or {}),
        )
    )
    return {}


def _json(data: Raw, in_base64: str = "") -> bytes:
    raw = _decoded(in_base64) if in_base64 else bytes(data)
    return encode(Raw(raw)) if raw and raw != b"null" else b""


def _overrides(chosen: dict[str, requests.Flag | None]) -> dict[str, bool]:
    return {name: flag.value for name, flag in chosen.items() if name in _OVERRIDES and flag is not None}


async def unsubscribe(request: requests.Unsubscribe) -> Result:
    """End the subscriptions of a user's clients."""
    topic, code = topic_named(request.channel), UnsubscribeCode.SERVER_UNSUBSCRIBE
    await abroadcast(
        UnsubscribeClients(str(topic), code, code.reason, request.user, request.client, request.session)
    )
    return {}


async def disconnect(request: requests.Disconnect) -> Result:
    """End the connections of a user."""
    code: int = DisconnectCode.FORCE_DISCONNECT
    reason = DisconnectCode.FORCE_DISCONNECT.reason
    if request.disconnect is not None and request.disconnect.code:
        code, reason = request.disconnect.code, request.disconnect.reason
        if code not in APPLICATION_DISCONNECTS and code not in list(DisconnectCode):
            raise APIError(ErrorCode.BAD_REQUEST, "a disconnect code is the protocol's, or 4000 to 4999")
        if len(reason.encode()) > LONGEST_REASON:
            raise APIError(ErrorCode.BAD_REQUEST, f"a reason has at most {LONGEST_REASON} bytes")
    await abroadcast(
        DisconnectClients(code, reason, request.user, request.client, request.whitelist, request.session)
    )
    return {}


async def refresh(request: requests.Refresh) -> Result:
    """Say anew how long the connections of a user last, or that they are over."""
    whom = (request.user, request.client)
    if request.expired or 0 < request.expire_at <= time.time():
        code = DisconnectCode.CONNECTION_EXPIRED
        await abroadcast(DisconnectClients(code, code.reason, *whom, session=request.session))
    else:
        info = _json(request.info)
        await abroadcast(RefreshClients(*whom, request.session, request.expire_at, info))
    return {}


async def rpc(request: requests.RPC) -> Result:
    """Call what clients may call too: a function, or a topic's method as ``topic/method``."""
    name, _, method = request.method.rpartition("/")
    handler = calls.find_method(topic_named(name), method) if name else calls.find_function(method)
    if handler is None:
        raise APIError(ErrorCode.METHOD_NOT_FOUND if calls.any_offered() else ErrorCode.NOT_AVAILABLE)
    try:
        result = await calls.call(handler, AnonymousUser(), bytes(request.params))
    except PermissionDenied as error:
        raise APIError(ErrorCode.PERMISSION_DENIED) from error
    except calls.RPCError as error:
        raise APIError(error.code, error.message) from error
    return {"data": Raw(encode(result))}
