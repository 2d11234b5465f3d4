"""Who a client is."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import empty
from msgspec import Raw

from channels.core.lazy import get_if_loaded
from channels.db import database_sync_to_async
from channels.protocols.centrifuge.messages import EMPTY, ConnectRequest
from channels.typing import Scope


class Identity(NamedTuple):
    """Who a client is, and for how long.

    Attributes:
        user: Django's.
        user_id: what others see of it: its primary key as text; "" for an anonymous user.
        info: JSON that others see beside it.
        expires_at: when the connection ends without a refresh, seconds since 1970; 0: never.
    """

    user: Any
    user_id: str = ""
    info: Raw = EMPTY
    expires_at: float = 0.0


async def identify(scope: Scope, request: ConnectRequest) -> Identity:
    """Return who the client is: the user of the session that its handshake came with."""
    user = scope.get("user")
    if user is None:
        return Identity(AnonymousUser())
    if get_if_loaded(user) is empty:
        await database_sync_to_async(_load)(user)
    return Identity(user, "" if user.is_anonymous else str(user.pk))


def _load(user: Any) -> None:
    user.is_anonymous  # noqa: B018  # touching it looks the user up
