"""Whether connections still have their right: a query for all their sessions, one for all their users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model, load_backend
from django.contrib.sessions.backends import cache, db
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from channels.access.credentials import Credentials, Reason, auth_hash_of


class Verdict(NamedTuple):
    """What was found about a connection.

    Attributes:
        user: as they are now; None if the connection has lost its right.
        reason: why it has.
    """

    user: Any
    reason: Reason | None = None


def check(connections: Sequence[Credentials]) -> list[Verdict]:
    """Return what is to be said about each connection. Called in a thread; nothing is written.

    Raises:
        Exception: whatever the database, or a session store, raises.
    """
    users = find_users({one.user.pk for one in connections})
    keys: dict[type[SessionBase], list[str]] = {}
    for one in connections:
        if one.store is not None:
            keys.setdefault(one.store, []).append(one.session_key)
    there = {store: existing(store, wanted) for store, wanted in keys.items()}
    return [_verdict(one, users.get(one.user.pk), there) for one in connections]


def _verdict(one: Credentials, user: Any, there: dict[type[SessionBase], set[str]]) -> Verdict:
    if user is None:
        return Verdict(None, Reason.DEACTIVATED)
    if not _has_hash(user, one.auth_hash):
        return Verdict(None, Reason.PASSWORD_CHANGED)
    if one.store is not None and one.session_key not in there[one.store]:
        return Verdict(None, Reason.LOGGED_OUT)
    return Verdict(user)


def _has_hash(user: Any, auth_hash: str) -> bool:
    """Whether it is the hash of the user's password, made with the secret key or one of its fallbacks."""
    if constant_time_compare(auth_hash, auth_hash_of(user)):
        return True
    fallbacks: Iterable[str] = getattr(user, "get_session_auth_fallback_hash", tuple)()
    return any(constant_time_compare(auth_hash, old) for old in fallbacks)


def find_users(keys: set[Any]) -> dict[Any, Any]:
    """Return the users with these primary keys that may log in, as the authentication backends say."""
    found: dict[Any, Any] = {}
    for path in settings.AUTHENTICATION_BACKENDS:
        if missing := keys - found.keys():
            found |= _known_to(load_backend(path), missing)
    return found


def _known_to(backend: Any, keys: set[Any]) -> dict[Any, Any]:
    from django.contrib.auth.backends import ModelBackend  # has models: not before the apps are ready

    if type(backend).get_user is not ModelBackend.get_user:
        return {key: user for key in keys if (user := backend.get_user(key)) is not None}
    users = get_user_model()._default_manager.filter(pk__in=keys)
    return {user.pk: user for user in users if backend.user_can_authenticate(user)}


def existing(store: type[Any], keys: list[str]) -> set[str]:
    """Return which of these sessions are there and have not expired."""
    if issubclass(store, db.SessionStore):
        sessions = store.get_model_class().objects
        rows = sessions.filter(session_key__in=keys, expire_date__gt=timezone.now())
        return set(rows.values_list("session_key", flat=True))
    if issubclass(store, cache.SessionStore):
        one: Any = store()
        names = {one.cache_key_prefix + key: key for key in keys}
        return {names[name] for name in one._cache.get_many(names)}
    return {key for key in keys if store(key).load()}
