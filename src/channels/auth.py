"""Django's users for ASGI connections: who it is, login and logout."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    load_backend,
    user_logged_in,
    user_logged_out,
)

# Not used here: many import it from here.
from django.contrib.auth import get_user_model as get_user_model  # noqa: PLC0414
from django.utils.crypto import constant_time_compare

from channels.access.signals import session_ended
from channels.access.source import watch_for_life
from channels.auth_prefetch import UNKNOWN, UserLookup, fetch
from channels.auth_prefetch import get_user_session_key as _get_user_session_key
from channels.conf import access_for_life
from channels.core.lazy import LazyRef
from channels.db import Lookup, database_sync_to_async
from channels.middleware import BaseMiddleware, ConnectionContext, enters
from channels.sessions import (
    CookieMiddleware,
    SessionMiddleware,
    intern_session_strings,
    is_loaded,
    is_new_untouched,
)
from channels.typing import ASGIApp, Scope

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

_MODELS = "django.contrib.auth.models"
_NO_SESSION_TO_LEAVE = (
    "Login cannot find session in scope. You should wrap your consumer in SessionMiddleware."
)
_NO_SESSION = "Cannot find session in scope. You should wrap your consumer in SessionMiddleware."


async def get_user(scope: Scope) -> Any:
    """Return the user of the session in ``scope``, or an AnonymousUser.

    A session whose hash does not fit the user's password any more is flushed. One that
    was made with a key of ``SECRET_KEY_FALLBACKS`` is renewed with the current one, under
    a new session key except on a WebSocket, which could not tell the browser.
    No thread is entered for a session that is new or is known to have no user.

    Raises:
        ValueError: there is no session in the scope.
    """
    session = _session_of(scope, _NO_SESSION)
    if is_new_untouched(session) or (is_loaded(session) and SESSION_KEY not in session):
        return _anonymous()
    return await _look_up(UserLookup(session, may_cycle=scope.get("type") != "websocket"))


async def login(scope: Scope, user: Any, backend: str | None = None) -> None:
    """Log ``user`` in: remember them in the session and in ``scope["user"]``.

    The session gets a new key; one of another user is flushed first. Outside of an HTTP
    response the session must be saved by the caller: ``scope["session"].save()``.
    ``user_logged_in`` is sent with ``request=None``.

    Args:
        scope: the scope with the session.
        user: who logs in; None for ``scope["user"]``.
        backend: dotted path of the authentication backend; needed if several are
            configured and the user was not authenticated by one of them.

    Raises:
        ValueError: no session, no user, or the backend cannot be told.
        TypeError: ``backend`` is not a str.
    """
    await database_sync_to_async(_login)(scope, user, backend)


async def logout(scope: Scope) -> None:
    """Log the user of the session out: flush it; ``scope["user"]`` becomes an AnonymousUser.

    ``user_logged_out`` is sent with ``request=None``, if a user was logged in.

    Raises:
        ValueError: there is no session in the scope.
    """
    await database_sync_to_async(_logout)(scope)


def _session_of(scope: Scope, complaint: str) -> Any:
    if "session" not in scope:
        raise ValueError(complaint)
    return scope["session"]


def _anonymous() -> Any:
    # Its module has models, which cannot be imported before the applications are set up; and an import
    # statement costs more than all the rest, for each connection.
    models = sys.modules.get(_MODELS) or import_module(_MODELS)
    return models.AnonymousUser()


def _load_user(ask: UserLookup) -> Any:
    session = ask.session
    try:
        user_id = _get_user_session_key(session)
        backend_path = session[BACKEND_SESSION_KEY]
    except KeyError:
        return _anonymous()
    if backend_path not in settings.AUTHENTICATION_BACKENDS:
        return _anonymous()
    user = load_backend(backend_path).get_user(user_id) if ask.user is UNKNOWN else ask.user
    if hasattr(user, "get_session_auth_hash") and not _verify(session, user, ask.may_cycle):
        session.flush()
        user = None
    intern_session_strings(session)
    return user or _anonymous()


_look_up = Lookup(_load_user, ahead=fetch)


def _verify(session: Any, user: Any, may_cycle: bool) -> bool:
    """Check the session's hash; renew one that was made with an old secret key."""
    session_hash = session.get(HASH_SESSION_KEY)
    if not session_hash:
        return False
    if constant_time_compare(session_hash, user.get_session_auth_hash()):
        return True
    fallbacks: Iterable[str] = getattr(user, "get_session_auth_fallback_hash", tuple)()
    if not any(constant_time_compare(session_hash, old) for old in fallbacks):
        return False
    if may_cycle:
        session.cycle_key()
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    return True


def _login(scope: Scope, user: Any, backend: str | None) -> None:
    session = _session_of(scope, _NO_SESSION)
    if user is None:
        user = scope.get("user")
    if user is None:
        raise ValueError("User must be passed as an argument or must be present in the scope.")
    session_hash = user.get_session_auth_hash() if hasattr(user, "get_session_auth_hash") else ""
    backend_path = _backend_of(user, backend)
    if SESSION_KEY not in session:
        session.cycle_key()
    elif _is_of_another(session, user, session_hash):
        session.flush()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = backend_path
    session[HASH_SESSION_KEY] = session_hash
    scope["user"] = user
    user_logged_in.send(sender=user.__class__, request=None, user=user)


def _is_of_another(session: Any, user: Any, session_hash: str) -> bool:
    if _get_user_session_key(session) != user.pk:
        return True
    return bool(session_hash) and not constant_time_compare(session.get(HASH_SESSION_KEY, ""), session_hash)


def _backend_of(user: Any, backend: str | None) -> str:
    known = settings.AUTHENTICATION_BACKENDS
    path = backend or getattr(user, "backend", None) or (known[0] if len(known) == 1 else None)
    if path is None:
        raise ValueError(
            "You have multiple authentication backends configured and therefore must provide the `backend` "
            f"argument or set the `backend` attribute on the user. Configured: {', '.join(known) or 'none'}."
        )
    if not isinstance(path, str):
        raise TypeError(f"backend must be a dotted import path string (got {path!r}).")
    return path


def _logout(scope: Scope) -> None:
    session = _session_of(scope, _NO_SESSION_TO_LEAVE)
    session_key, user = session.session_key, scope.get("user")
    if getattr(user, "is_authenticated", user is not None):
        user_logged_out.send(sender=user.__class__, request=None, user=user)
    session.flush()
    if "user" in scope:
        scope["user"] = _anonymous()
    session_ended(session_key)


class UserLazyObject(LazyRef):
    """Holds the user in a scope; it is empty until AuthMiddleware has looked the user up."""

    def _setup(self) -> None:
        raise ValueError("Accessing scope user before it is ready.")


class AuthMiddleware(BaseMiddleware):
    """Puts the user of the session into ``scope["user"]``; needs a session in the scope.

    Subclasses may override ``resolve_scope`` to find the user in another context. With the setting
    ``CHANNELS_ACCESS_FOR_LIFE`` the consumer of a WebSocket is told when the user loses the right to it.
    """

    def populate_scope(self, scope: Scope) -> None:
        """Put the lazy object for the user into ``scope``.

        Raises:
            ValueError: there is no session in the scope.
        """
        if "session" not in scope:
            raise ValueError(
                "AuthMiddleware cannot find session in scope. SessionMiddleware must be above it."
            )
        if "user" not in scope:
            scope["user"] = UserLazyObject()

    async def resolve_scope(self, scope: Scope) -> None:
        """Look the user up and put it into the lazy object in ``scope``."""
        scope["user"]._wrapped = await get_user(scope)


@enters(AuthMiddleware)
async def _enter_with_user(middleware: AuthMiddleware, context: ConnectionContext) -> ASGIApp:
    scope = context.own_scope()
    middleware.populate_scope(scope)
    await middleware.resolve_scope(scope)
    if access_for_life() and scope.get("type") == "websocket":
        watch_for_life(scope)
    return middleware.inner


def AuthMiddlewareStack(inner: ASGIApp) -> CookieMiddleware:
    """Wrap an application in the middleware for cookies, sessions and users."""
    return CookieMiddleware(SessionMiddleware(AuthMiddleware(inner)))
