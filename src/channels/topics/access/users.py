"""The user of a client, and what others see of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, load_backend
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from msgspec import Raw

from channels.db import database_sync_to_async
from channels.protocols.centrifuge.messages import EMPTY
from channels.topics.access.hooks import call_hook, find_hook, option
from channels.topics.payloads import encode
from channels.topics.tokens.claims import ConnectionToken


def anonymous_may_connect() -> bool:
    """Whether clients may connect whose user is not known (``CHANNELS_TOPICS["ANONYMOUS"]``)."""
    return bool(option("ANONYMOUS", True))


async def user_of_token(token: ConnectionToken) -> Any:
    """Return the user that a connection token names; None if there is none, or who may not log in.

    That is the user with this primary key, as the authentication backends say, or whom the function
    ``CHANNELS_TOPICS["TOKEN_USER"]`` returns for the token.
    """
    hook = find_hook("TOKEN_USER")
    if hook is not None:
        return await call_hook(hook, token)
    return await database_sync_to_async(find_user)(token.user) if token.user else AnonymousUser()


def find_user(key: str) -> Any:
    """Return the user with a primary key, given as text; None if no backend knows them."""
    try:
        pk = get_user_model()._meta.pk.to_python(key)
    except ValidationError:
        return None
    found = (load_backend(path).get_user(pk) for path in settings.AUTHENTICATION_BACKENDS)
    return next((user for user in found if user is not None), None)


async def public_info(user: Any) -> Raw:
    """Return what others see beside the id of a user, as JSON: nothing, unless ``USER_INFO`` says it."""
    hook = find_hook("USER_INFO")
    info = None if hook is None or user.is_anonymous else await call_hook(hook, user)
    return EMPTY if info is None else Raw(encode(info, None))
