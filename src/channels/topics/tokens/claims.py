"""What tokens say: Centrifugo's claims, read into values with types, and nothing taken on trust.

A field of JSON is kept as its JSON text. A ``b64...`` claim has bytes for connections that speak Protobuf,
and goes before the claim without ``b64``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw

from channels.topics.tokens.errors import TokenExpired, TokenInvalid

_NOTHING: Final = Raw()
_NULL: Final = Raw(b"null")
_Claims = TypeVar("_Claims", bound="_Registered")


@dataclass(frozen=True, slots=True)
class Override:
    """What a token decides about a subscription instead of the topic; None: the topic decides.

    Attributes:
        presence: whether the subscriber is listed as present.
        join_leave: whether its coming and going is told.
        force_push_join_leave: whether it is told of others'.
        force_positioning: whether its position is checked while it is subscribed.
        force_recovery: whether it gets what it missed when it comes back.
    """

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_positioning: bool | None = None
    force_recovery: bool | None = None


@dataclass(frozen=True, slots=True)
class TokenSubscription:
    """A subscription that a connection token asks the server for.

    Attributes:
        info: what others see beside the subscriber, JSON text or bytes; empty for nothing.
        data: what the client gets with the subscription, likewise.
        override: what is decided instead of the topic.
    """

    info: bytes = field(default=b"", repr=False)
    data: bytes = field(default=b"", repr=False)
    override: Override = Override()


@dataclass(frozen=True, slots=True)
class ConnectionToken:
    """Who connects, as a token says.

    Attributes:
        user: the user's primary key as text; "" for an anonymous user.
        expire_at: seconds since 1970 at which the connection ends unless it is refreshed; None: never.
        info: what others see beside the user, JSON text or bytes; empty for nothing.
        meta: what stays on the server, JSON text; empty for nothing.
        subscriptions: topics that the server subscribes the client to, by their names.
        token_id: the claim ``jti``.
    """

    user: str = ""
    expire_at: float | None = None
    info: bytes = field(default=b"", repr=False)
    meta: bytes = field(default=b"", repr=False)
    subscriptions: Mapping[str, TokenSubscription] = field(default_factory=dict)
    token_id: str = ""


@dataclass(frozen=True, slots=True)
class SubscriptionToken:
    """What a client may subscribe to, as a token says.

    Attributes:
        user: of the connection that may; "" for an anonymous user.
        channel: the name of the topic.
        client: the id of the connection that may; "" for each of the user's.
        expire_at: seconds since 1970 at which the subscription ends unless it is refreshed; None: never.
        info: what others see beside the subscriber, JSON text or bytes; empty for nothing.
        data: what the client gets with the subscription, likewise.
        override: what is decided instead of the topic.
        token_id: the claim ``jti``.
    """

    user: str
    channel: str
    client: str = ""
    expire_at: float | None = None
    info: bytes = field(default=b"", repr=False)
    data: bytes = field(default=b"", repr=False)
    override: Override = Override()
    token_id: str = ""

    def is_for(self, user: str, client: str, channel: str) -> bool:
        """Return whether it allows this connection of this user to subscribe to this topic."""
        return self.user == user and self.channel == channel and self.client in ("", client)


@dataclass(frozen=True, slots=True)
class Demands:
    """What each token has to say, and how exact clocks are.

    Attributes:
        audience: one of the token's ``aud``; None: whatever it is.
        issuer: the token's ``iss``; None: whoever it is.
        leeway: seconds by which the clock of the issuer may be off.
    """

    audience: str | None = None
    issuer: str | None = None
    leeway: float = 0.0


def read_connection_claims(payload: bytes, demands: Demands, now: float) -> ConnectionToken:
    """Return what a connection token says, once its signature was found good.

    Args:
        payload: the claims as JSON.
        demands: what it has to say.
        now: seconds since 1970.

    Raises:
        TokenExpired: it is over, or not valid yet.
        TokenInvalid: a claim is of the wrong type or another than demanded, or it is no connection token.
    """
    claims = _decode(payload, _ConnectionClaims)
    _check_registered(claims, demands, now)
    if claims.channel is not msgspec.UNSET:
        raise TokenInvalid("A token with the claim 'channel' is for a subscription, not for a connection.")
    names = claims.subs if claims.subs is not None else dict.fromkeys(claims.channels or (), _SubClaims())
    return ConnectionToken(
        user=claims.sub or "",
        expire_at=_end(claims),
        info=_content(claims.info, claims.b64info, "b64info"),
        meta=_content(claims.meta, None, ""),
        subscriptions={name: _subscription(sub) for name, sub in names.items()},
        token_id=claims.jti or "",
    )


def read_subscription_claims(payload: bytes, demands: Demands, now: float) -> SubscriptionToken:
    """Return what a subscription token says, once its signature was found good.

    Args:
        payload: the claims as JSON.
        demands: what it has to say.
        now: seconds since 1970.

    Raises:
        TokenExpired: it is over, or not valid yet.
        TokenInvalid: a claim is missing, of the wrong type or another than demanded.
    """
    claims = _decode(payload, _SubscriptionClaims)
    _check_registered(claims, demands, now)
    if not claims.channel:
        raise TokenInvalid("The claim 'channel' is missing.")
    subscription = _subscription(claims)
    return SubscriptionToken(
        user=claims.sub or "",
        channel=claims.channel,
        client=claims.client or "",
        expire_at=_end(claims),
        info=subscription.info,
        data=subscription.data,
        override=subscription.override,
        token_id=claims.jti or "",
    )


# -- as they are written


class _Flag(msgspec.Struct):
    value: bool = False


class _OverrideClaims(msgspec.Struct):
    presence: _Flag | None = None
    join_leave: _Flag | None = None
    force_push_join_leave: _Flag | None = None
    force_positioning: _Flag | None = None
    force_recovery: _Flag | None = None


class _SubClaims(msgspec.Struct):
    info: Raw = _NOTHING
    b64info: str | None = None
    data: Raw = _NOTHING
    b64data: str | None = None
    override: _OverrideClaims | None = None


class _Registered(msgspec.Struct):
    sub: str | None = None
    exp: float | None = None
    nbf: float | None = None
    aud: str | list[str] | None = None
    iss: str | None = None
    jti: str | None = None
    expire_at: float | None = None


class _ConnectionClaims(_Registered):
    info: Raw = _NOTHING
    b64info: str | None = None
    meta: Raw = _NOTHING
    channels: list[str] | None = None
    subs: dict[str, _SubClaims] | None = None
    channel: Any = msgspec.UNSET


class _SubscriptionClaims(_Registered):
    channel: str | None = None
    client: str | None = None
    info: Raw = _NOTHING
    b64info: str | None = None
    data: Raw = _NOTHING
    b64data: str | None = None
    override: _OverrideClaims | None = None


def _decode(payload: bytes, claims: type[_Claims]) -> _Claims:
    try:
        payload.decode()  # a field that is kept as its text is not looked into
        return msgspec.json.decode(payload, type=claims)
    except msgspec.ValidationError as error:  # it names types and the place, never a value
        raise TokenInvalid(f"A claim is of the wrong type: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise TokenInvalid("The claims are no JSON object.") from None


def _check_registered(claims: _Registered, demands: Demands, now: float) -> None:
    """Look at what RFC 7519 says about every token."""
    if claims.exp is not None and now >= claims.exp + demands.leeway:
        raise TokenExpired("The token has expired.")
    if claims.nbf is not None and now < claims.nbf - demands.leeway:
        raise TokenExpired("The token is not valid yet.")
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud or []
    if demands.audience is not None and demands.audience not in audience:
        raise TokenInvalid("The token is for another audience (claim 'aud').")
    if demands.issuer is not None and claims.iss != demands.issuer:
        raise TokenInvalid("The token has another issuer (claim 'iss').")


def _end(claims: _Registered) -> float | None:
    """Return when what the token is for ends, which may be another time than the token's own end."""
    if claims.expire_at is None:
        return claims.exp
    return claims.expire_at or None


def _subscription(claims: _SubClaims | _SubscriptionClaims) -> TokenSubscription:
    return TokenSubscription(
        info=_content(claims.info, claims.b64info, "b64info"),
        data=_content(claims.data, claims.b64data, "b64data"),
        override=_override(claims.override),
    )


def _override(claims: _OverrideClaims | None) -> Override:
    if claims is None:
        return Override()
    flags = {name: getattr(claims, name) for name in claims.__struct_fields__}
    return Override(**{name: flag.value for name, flag in flags.items() if flag is not None})


def _content(text: Raw, encoded: str | None, name: str) -> bytes:
    """Return the bytes of a claim that may be there as JSON or in base 64."""
    if not encoded:
        return b"" if text in (_NOTHING, _NULL) else msgspec.json.format(bytes(text), indent=-1)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise TokenInvalid(f"The claim '{name}' is no base 64.") from None
