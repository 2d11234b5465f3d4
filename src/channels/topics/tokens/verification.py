"""Tokens of clients: whether their signature is good, and what they say.

The algorithm that a token names only chooses among the keys that are for it (:mod:`.keys`). Neither an error
nor a fact has the token in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from jwt import PyJWS
from jwt.exceptions import InvalidSignatureError, PyJWTError

from channels import telemetry
from channels.topics.tokens.claims import (
    ConnectionToken,
    SubscriptionToken,
    read_connection_claims,
    read_subscription_claims,
)
from channels.topics.tokens.configuration import TokenConfiguration, token_configuration
from channels.topics.tokens.errors import TokenError, TokenExpired, TokenInvalid, TokenKeysUnavailable
from channels.topics.tokens.jwks import GIVE_UP
from channels.topics.tokens.keys import ALGORITHMS, HMAC_ALGORITHMS, Key

#: Characters that a token may have.
MAX_SIZE: Final = 16384

_JWS: Final = PyJWS()
_REASONS: Final[dict[type[TokenError], str]] = {
    TokenExpired: "expired",
    TokenInvalid: "invalid",
    TokenKeysUnavailable: "unavailable",
}


def verify_connection_token(token: str) -> ConnectionToken:
    """Return what a connection token says; from async code use :func:`averify_connection_token`.

    Args:
        token: as the client sent it.

    Raises:
        TokenExpired: it is over, or not valid yet.
        TokenInvalid: it is malformed, signed by nobody we know, or no connection token.
        TokenKeysUnavailable: its key cannot be fetched at the moment.
    """
    configuration = token_configuration()
    with _counting_refusals():
        return read_connection_claims(_payload(token, configuration), configuration.demands, time.time())


async def averify_connection_token(token: str) -> ConnectionToken:
    """Return what a connection token says, and raise what :func:`verify_connection_token` raises."""
    configuration = token_configuration()
    with _counting_refusals():
        payload = await _apayload(token, configuration)
        return read_connection_claims(payload, configuration.demands, time.time())


def verify_subscription_token(token: str) -> SubscriptionToken:
    """Return what a subscription token says; from async code use :func:`averify_subscription_token`.

    Whether it :meth:`is for <.SubscriptionToken.is_for>` the connection that sent it is yet to be asked.

    Args:
        token: as the client sent it.

    Raises:
        TokenExpired: it is over, or not valid yet.
        TokenInvalid: it is malformed, signed by nobody we know, or no subscription token.
        TokenKeysUnavailable: its key cannot be fetched at the moment.
    """
    configuration = token_configuration()
    with _counting_refusals():
        return read_subscription_claims(_payload(token, configuration), configuration.demands, time.time())


async def averify_subscription_token(token: str) -> SubscriptionToken:
    """Return what a subscription token says, and raise what :func:`verify_subscription_token` raises."""
    configuration = token_configuration()
    with _counting_refusals():
        payload = await _apayload(token, configuration)
        return read_subscription_claims(payload, configuration.demands, time.time())


@contextmanager
def _counting_refusals() -> Iterator[None]:
    try:
        yield
    except TokenError as error:
        telemetry.count("topics.token_refused", reason=_REASONS[type(error)])
        raise


# -- the signature


class _Header(NamedTuple):
    algorithm: str
    key_id: str | None


class _Lookup(NamedTuple):
    """A key that is looked up in a set, and what has to be waited for."""

    key_id: str
    asked_at: float
    reading: Future[None] | None


def _payload(token: str, configuration: TokenConfiguration) -> bytes:
    """Return the claims, waiting for a set of keys if one has to be read."""
    header = _header(token)
    payload = _by_settings(token, header, configuration)
    if payload is None:
        lookup = _look_up(header, configuration)
        if lookup.reading is not None:
            wait([lookup.reading], timeout=GIVE_UP)
        payload = _by_set(token, header, lookup, configuration)
    return payload


async def _apayload(token: str, configuration: TokenConfiguration) -> bytes:
    """Return the claims, as :func:`_payload` does."""
    header = _header(token)
    payload = _by_settings(token, header, configuration)
    if payload is None:
        lookup = _look_up(header, configuration)
        if lookup.reading is not None:
            await asyncio.wait([asyncio.wrap_future(lookup.reading)], timeout=GIVE_UP)
        payload = _by_set(token, header, lookup, configuration)
    return payload


def _header(token: str) -> _Header:
    if len(token) > MAX_SIZE:
        raise TokenInvalid(f"The token has {len(token)} characters; {MAX_SIZE} are allowed.")
    try:
        header: dict[str, Any] = _JWS.get_unverified_header(token)
    except (PyJWTError, ValueError, RecursionError):
        raise TokenInvalid("The token is no JSON Web Token.") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenInvalid(f"The token has an algorithm that is none of {', '.join(sorted(ALGORITHMS))}.")
    if "crit" in header:
        raise TokenInvalid("The token has an extension that is not known.")
    return _Header(algorithm, key_id)


def _by_settings(token: str, header: _Header, configuration: TokenConfiguration) -> bytes | None:
    """Return the claims if a key of the settings has signed them."""
    if not configuration.keys and configuration.jwks is None:
        raise TokenInvalid("No token is valid here: CHANNELS_TOPICS['TOKENS'] has no keys.")
    for key in configuration.keys:
        payload = _verified(token, header, key)
        if payload is not None:
            return payload
    return None


def _look_up(header: _Header, configuration: TokenConfiguration) -> _Lookup:
    """Have the set of keys read if that may bring the key of a token."""
    jwks = configuration.jwks
    if jwks is None or header.algorithm in HMAC_ALGORITHMS:
        raise TokenInvalid("The signature of the token is by none of the keys.")
    if not header.key_id:
        raise TokenInvalid("The token does not name its key (header 'kid').")
    return _Lookup(header.key_id, jwks.now(), jwks.refresh(header.key_id))


def _by_set(token: str, header: _Header, lookup: _Lookup, configuration: TokenConfiguration) -> bytes:
    """Return the claims, signed by a key of the set."""
    assert configuration.jwks is not None
    key = configuration.jwks.find(lookup.key_id, lookup.asked_at)
    payload = None if key is None else _verified(token, header, key)
    if payload is None:
        raise TokenInvalid("The signature of the token is by none of the keys.")
    return payload


def _verified(token: str, header: _Header, key: Key) -> bytes | None:
    """Return the claims if this key, which has to be for the token's algorithm, has signed them."""
    if header.algorithm not in key.algorithms:
        return None
    try:
        payload: bytes = _JWS.decode(token, key.material, algorithms=[header.algorithm])
    except InvalidSignatureError:
        return None
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenInvalid("The token is no JSON Web Token.") from None
    return payload
