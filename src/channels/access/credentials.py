"""What the right to a connection rests on: a user, their password, and mostly a session."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, NamedTuple

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.base import SessionBase
from django.utils.functional import empty

from channels.core.lazy import get_if_loaded
from channels.sessions import is_loaded, store_of


class Reason(StrEnum):
    """Why a connection has lost its right, or is to be asked again."""

    LOGGED_OUT = "logged_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # no password
    DEACTIVATED = "deactivated"
    PERMISSIONS_CHANGED = "permissions_changed"


class Credentials(NamedTuple):
    """What the right of one connection rests on.

    Attributes:
        user: as they were found when it was opened.
        auth_hash: changes with their password; "" if the user has none.
        store: of the session; None if the connection came without one.
        session_key: of the session.
    """

    user: Any
    auth_hash: str
    store: type[SessionBase] | None = None
    session_key: str = ""

    @property
    def user_id(self) -> str:
        """The user's primary key as text."""
        return str(self.user.pk)


def credentials_of(user: Any, session: Any = None) -> Credentials | None:
    """Return what the right of a connection rests on; None if there is nothing that could be checked.

    Args:
        user: of the connection.
        session: of its scope, if the user is known by it.
    """
    known = get_if_loaded(user)
    if known is empty or not isinstance(known, get_user_model()):
        return None
    store = None if session is None else store_of(session)
    if store is None or not _is_of(store, known):
        return Credentials(known, auth_hash_of(known))
    auth_hash = store.get(HASH_SESSION_KEY) or auth_hash_of(known)
    return Credentials(known, auth_hash, type(store), store.session_key)


def _is_of(store: SessionBase, user: Any) -> bool:
    """Whether a user is known by a session, and not otherwise beside one of somebody else."""
    if not is_loaded(store) or not store.session_key:
        return False
    return bool(store.get(SESSION_KEY) == user._meta.pk.value_to_string(user))


def auth_hash_of(user: Any) -> str:
    """Return what sessions of a user keep of their password; "" if the class of users has nothing of it."""
    return user.get_session_auth_hash() if hasattr(user, "get_session_auth_hash") else ""


def digest_of(session_key: str) -> str:
    """Return what stands for a session where its key must not be said."""
    return hashlib.sha256(b"channels.access" + session_key.encode()).hexdigest()
