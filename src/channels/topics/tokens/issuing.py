"""Tokens that a view hands to its pages and apps, for clients that connect without Django's session."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final

import msgspec
from django.core.exceptions import ImproperlyConfigured
from jwt import PyJWS

from channels.topics.tokens.claims import Override, TokenSubscription
from channels.topics.tokens.configuration import token_configuration

#: Seconds for which a token is valid, unless its creator says otherwise.
LIFETIME: Final = 3600.0

_JWS: Final = PyJWS()


def create_connection_token(
    user: Any,
    *,
    expires_in: timedelta | float | None = LIFETIME,
    expire_at: float | None = None,
    info: Any = None,
    meta: Any = None,
    topics: Iterable[Any] | Mapping[Any, TokenSubscription] = (),
) -> str:
    """Return a token with which a client connects as ``user``.

    Args:
        user: a user of Django's, or the text that identifies one; None or an anonymous user: nobody.
        expires_in: for how long the token is valid, and the connection unless it is refreshed, a timedelta or
            seconds; None: for ever.
        expire_at: another end of the connection, in seconds since 1970; 0: none.
        info: what others see beside the user, anything that JSON can say.
        meta: what only the server sees.
        topics: topics or their names that the server subscribes the client to, or a mapping of them to what
            goes with the subscriptions.

    Raises:
        ImproperlyConfigured: ``CHANNELS_TOPICS["TOKENS"]`` has neither SECRET nor PRIVATE_KEY.
        ValueError: the user was never saved.
    """
    claims = _claims(user, expires_in, expire_at) | _given(info=info, meta=meta)
    if isinstance(topics, Mapping):
        claims["subs"] = {str(topic): _subscription(what) for topic, what in topics.items()}
    elif names := [str(topic) for topic in topics]:
        claims["channels"] = names
    return _sign(claims)


def create_subscription_token(
    user: Any,
    topic: Any,
    *,
    client: str = "",
    expires_in: timedelta | float | None = LIFETIME,
    expire_at: float | None = None,
    info: Any = None,
    data: Any = None,
    override: Override | None = None,
) -> str:
    """Return a token with which a connection of ``user`` subscribes to ``topic``.

    Args:
        user: a user of Django's, or the text that identifies one; None or an anonymous user: nobody.
        topic: the topic, or its name.
        client: the id of the only connection that may use it; "": each of the user's.
        expires_in: for how long the token is valid, and the subscription unless it is refreshed, a timedelta
            or seconds; None: for ever.
        expire_at: another end of the subscription, in seconds since 1970; 0: none.
        info: what others see beside the subscriber, anything that JSON can say.
        data: what the client gets with the subscription.
        override: what is decided instead of the topic.

    Raises:
        ImproperlyConfigured: ``CHANNELS_TOPICS["TOKENS"]`` has neither SECRET nor PRIVATE_KEY.
        ValueError: the user was never saved.
    """
    claims = _claims(user, expires_in, expire_at) | {"channel": str(topic)}
    claims |= _given(client=client or None, info=info, data=data, override=_override(override))
    return _sign(claims)


def _claims(user: Any, expires_in: timedelta | float | None, expire_at: float | None) -> dict[str, Any]:
    """Return the claims that every token has."""
    now = int(time.time())
    seconds = expires_in.total_seconds() if isinstance(expires_in, timedelta) else expires_in
    demands = token_configuration().demands
    return {"sub": _identity(user), "iat": now} | _given(
        exp=None if seconds is None else now + int(seconds),
        expire_at=expire_at,
        aud=demands.audience,
        iss=demands.issuer,
    )


def _identity(user: Any) -> str:
    if user is None or getattr(user, "is_anonymous", False):
        return ""
    identity = getattr(user, "pk", user)
    if identity is None:
        raise ValueError("A token is for a user that was saved; this one has no primary key.")
    return str(identity)


def _given(**claims: Any) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}


def _subscription(what: TokenSubscription) -> dict[str, Any]:
    """Return what goes with a subscription; its bytes are in base 64, whatever they are."""
    return _given(
        b64info=base64.b64encode(what.info).decode() or None,
        b64data=base64.b64encode(what.data).decode() or None,
        override=_override(what.override),
    )


def _override(override: Override | None) -> dict[str, Any] | None:
    if override is None:
        return None
    flags = {one.name: getattr(override, one.name) for one in fields(override)}
    return {name: {"value": flag} for name, flag in flags.items() if flag is not None} or None


def _sign(claims: dict[str, Any]) -> str:
    signing = token_configuration().signing
    if signing is None:
        raise ImproperlyConfigured(
            "CHANNELS_TOPICS['TOKENS'] has nothing to sign by. Set SECRET, a text of at least 32 characters "
            "that only servers know, or PRIVATE_KEY."
        )
    return _JWS.encode(msgspec.json.encode(claims), signing.material, algorithm=signing.algorithm)
