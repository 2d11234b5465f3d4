"""Who a client is: as the project's own function says, or a token, or the session of its handshake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.utils.functional import empty
from msgspec import Raw

from channels.core.lazy import get_if_loaded
from channels.db import database_sync_to_async
from channels.protocols.centrifuge.codes import DisconnectCode
from channels.protocols.centrifuge.messages import EMPTY, ConnectRequest
from channels.topics.access.grants import as_json
from channels.topics.access.hooks import call_hook, find_hook
from channels.topics.access.users import anonymous_may_connect, public_info, user_of_token
from channels.topics.session.errors import Disconnected, require_future, token_refusal
from channels.topics.tokens.claims import TokenSubscription
from channels.topics.tokens.errors import TokenError
from channels.topics.tokens.verification import averify_connection_token
from channels.topics.user import user_id_of
from channels.typing import Scope


class Identity(NamedTuple):
    """Who a client is, and for how long.

    Attributes:
        user: Django's.
        user_id: what others see of it: its primary key as text; "" for an anonymous user.
        info: JSON that others see beside it.
        expires_at: when the connection ends without a refresh, seconds since 1970; 0: never.
        by_token: the client came with a token, and may come with another one.
        subscriptions: what the token has the server subscribe the client to, by the topics' names.
        meta: what the token says to the server only, as JSON.
        session: Django's, if the user is known by it.
    """

    user: Any
    user_id: str = ""
    info: Raw = EMPTY
    expires_at: float = 0.0
    by_token: bool = False
    subscriptions: Mapping[str, TokenSubscription] = {}
    meta: bytes = b""
    session: Any = None


async def identify(scope: Scope, request: ConnectRequest) -> Identity:
    """Return who the client is.

    Raises:
        CommandFailed: its token has expired, or cannot be verified at the moment.
        Disconnected: its token is worth nothing, or clients that nobody knows may not connect.
    """
    user = await _known_to_project(scope, request)
    if user is not None:
        identity = await _identity_of(user)
    elif request.token:
        identity = await identify_by_token(request.token)
    else:
        identity = await _identity_of(await _user_of_session(scope), scope.get("session"))
    if identity.user.is_anonymous and not anonymous_may_connect():
        raise Disconnected(DisconnectCode.PERMISSION_DENIED)
    return identity


async def identify_by_token(text: str) -> Identity:
    """Return who a connection token says that the client is.

    Raises:
        CommandFailed: it has expired, or cannot be verified at the moment.
        Disconnected: it is worth nothing, or its user may not connect.
    """
    try:
        token = await averify_connection_token(text)
        info = as_json(token.info)
    except TokenError as error:
        raise token_refusal(error, Disconnected(DisconnectCode.INVALID_TOKEN)) from None
    require_future(token.expire_at or 0.0)
    user = await user_of_token(token)
    if user is None:
        raise Disconnected(DisconnectCode.PERMISSION_DENIED)
    return Identity(
        user,
        user_id_of(user),
        info or await public_info(user),
        token.expire_at or 0.0,
        by_token=True,
        subscriptions=token.subscriptions,
        meta=token.meta,
    )


async def _known_to_project(scope: Scope, request: ConnectRequest) -> Any:
    """Return the user that ``CHANNELS_TOPICS["AUTHENTICATE"]`` finds; None without one, or without it."""
    hook = find_hook("AUTHENTICATE")
    try:
        return None if hook is None else await call_hook(hook, scope, request)
    except PermissionDenied:
        raise Disconnected(DisconnectCode.PERMISSION_DENIED) from None


async def _identity_of(user: Any, session: Any = None) -> Identity:
    return Identity(user, user_id_of(user), await public_info(user), session=session)


async def _user_of_session(scope: Scope) -> Any:
    user = scope.get("user")
    if user is None:
        return AnonymousUser()
    if get_if_loaded(user) is empty:
        await database_sync_to_async(_load)(user)
    return user


def _load(user: Any) -> None:
    user.is_anonymous  # noqa: B018  # touching it looks the user up
