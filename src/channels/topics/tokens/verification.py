"""Tokens of clients: whether their signature is good, and what they say.

The algorithm that a token names only chooses among the keys that are for it (:mod:`.keys`). Neither an error
nor a fact has the token in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from jwt import PyJWS
from jwt.exceptions import InvalidSignatureError, PyJWTError

from channels import telemetry
from channels.topics.tokens.claims import (
    ConnectionToken,
    Demands,
    SubscriptionToken,
    read_connection_claims,
    read_subscription_claims,
)
from channels.topics.tokens.configuration import TokenConfiguration, token_configuration
from channels.topics.tokens.errors import TokenError, TokenExpired, TokenInvalid, TokenKeysUnavailable
from channels.topics.tokens.jwks import GIVE_UP, JwksSource
from channels.topics.tokens.keys import ALGORITHMS, HMAC_ALGORITHMS, Key

#: Characters that a token may have.
MAX_SIZE: Final = 16384

_Token = TypeVar("_Token", ConnectionToken, SubscriptionToken)
_Reader: TypeAlias = Callable[[bytes, Demands, float], _Token]
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
    return _verify(token, read_connection_claims)


async def averify_connection_token(token: str) -> ConnectionToken:
    """Return what a connection token says, and raise what :func:`verify_connection_token` raises."""
    return await _averify(token, read_connection_claims)


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
    return _verify(token, read_subscription_claims)


async def averify_subscription_token(token: str) -> SubscriptionToken:
    """Return what a subscription token says, and raise what :func:`verify_subscription_token` raises."""
    return await _averify(token, read_subscription_claims)


def _verify(token: str, read: _Reader[_Token]) -> _Token:
    """Return what a token says, waiting for a set of keys if one has to be read."""
    configuration = token_configuration()
    with _counting_refusals():
        check = _SignatureCheck(token, configuration)
        if check.reading is not None:
            wait([check.reading], timeout=GIVE_UP)
        return read(check.claims(), configuration.demands, time.time())


async def _averify(token: str, read: _Reader[_Token]) -> _Token:
    """Return what a token says, as :func:`_verify` does."""
    configuration = token_configuration()
    with _counting_refusals():
        check = _SignatureCheck(token, configuration)
        if check.reading is not None:
            await asyncio.wait([asyncio.wrap_future(check.reading)], timeout=GIVE_UP)
        return read(check.claims(), configuration.demands, time.time())


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


class _SignatureCheck:
    """One token, whose key is in the settings or in a set of keys that may have to be read.

    Args:
        token: as the client sent it.
        configuration: has the keys.

    Attributes:
        reading: what has to be waited for before :meth:`claims`; None for nothing.

    Raises:
        TokenInvalid: it is malformed, or no key can have signed it.
    """

    def __init__(self, token: str, configuration: TokenConfiguration) -> None:
        self.reading: Future[None] | None = None
        self._token = token
        self._header = _header(token)
        self._claims = _by_settings(token, self._header, configuration)
        if self._claims is None:
            self._key_id, self._keys = _set_for(self._header, configuration)
            self._asked_at = self._keys.now()
            self.reading = self._keys.refresh(self._key_id)

    def claims(self) -> bytes:
        """Return the claims; raises TokenInvalid, or TokenKeysUnavailable if the set cannot be read."""
        if self._claims is not None:
            return self._claims
        key = self._keys.find(self._key_id, self._asked_at)
        claims = None if key is None else _verified(self._token, self._header, key)
        if claims is None:
            raise TokenInvalid("The signature of the token is by none of the keys.")
        return claims


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


def _set_for(header: _Header, configuration: TokenConfiguration) -> tuple[str, JwksSource]:
    """Return the id of a token's key and the set that may have it."""
    if configuration.jwks is None or header.algorithm in HMAC_ALGORITHMS:
        raise TokenInvalid("The signature of the token is by none of the keys.")
    if not header.key_id:
        raise TokenInvalid("The token does not name its key (header 'kid').")
    return header.key_id, configuration.jwks


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
