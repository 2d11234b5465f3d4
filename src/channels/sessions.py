"""Cookies and Django sessions for ASGI connections."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies
from django.core.exceptions import SuspiciousOperation
from django.http.cookie import parse_cookie
from django.utils.functional import empty
from django.utils.http import http_date

from channels.core.bounded_cache import BoundedCache
from channels.core.lazy import LazyCall, LazyRef, call_of, get_if_loaded
from channels.core.private import PrivateField
from channels.db import database_sync_to_async
from channels.mailbox import may_be_left_out
from channels.middleware import ConnectionContext, ScopeMiddleware, enters
from channels.typing import ASGIApp, Message, Scope, Send

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

_R = TypeVar("_R")


class CookieMiddleware(ScopeMiddleware):
    """Puts the cookies of a connection into ``scope["cookies"]``, a dict of str.

    Args:
        inner: the ASGI application inside.

    Calling it raises ValueError if the scope has no headers, as that of a channel or of lifespan.
    """

    inner: ASGIApp

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    @classmethod
    def set_cookie(
        cls,
        message: Message,
        key: str,
        value: str = "",
        max_age: float | None = None,
        expires: str | datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = "lax",
    ) -> None:
        """Add a ``Set-Cookie`` header to an ``http.response.start`` message (RFC 6265).

        Args:
            message: the message; other headers in it are kept.
            key: the name of the cookie.
            value: its value.
            max_age: seconds the browser keeps it; None for the browser's session.
            expires: the date of its end: a datetime (naive ones are UTC) or the header's text.
            path: where on the site it is sent; None leaves it to the browser.
            domain: the domain it is sent to; None for this host only.
            secure: only over TLS.
            httponly: hidden from scripts.
            samesite: "lax", "strict" or "none" in any case; None leaves it out.

        Raises:
            AssertionError: ``samesite`` is something else.
        """
        cookies: SimpleCookie = SimpleCookie()
        cookies[key] = value
        morsel: dict[str, Any] = cookies[key]
        if isinstance(expires, datetime):
            max_age, expires = _seconds_until(expires), None
        if max_age is not None:
            morsel["max-age"] = int(max_age)
            # Browsers that know no Max-Age want a date.
            expires = expires or http_date(time.time() + int(max_age))
        if samesite is not None and samesite.lower() not in ("lax", "strict", "none"):
            raise AssertionError(f"samesite must be either 'strict', 'lax' or 'none', got {samesite!r}")
        attributes = {
            "expires": expires,
            "path": path,
            "domain": domain,
            "secure": secure,
            "httponly": httponly,
            "samesite": samesite,
        }
        morsel.update({name: setting for name, setting in attributes.items() if setting})
        header = (b"Set-Cookie", cookies.output(header="").strip().encode())
        message["headers"] = [*message.get("headers", ()), header]

    @classmethod
    def delete_cookie(
        cls, message: Message, key: str, path: str | None = "/", domain: str | None = None
    ) -> None:
        """Add a header to ``message`` that makes the browser forget a cookie.

        Args:
            message: an ``http.response.start`` message.
            key: the name of the cookie.
            path: the path it was set for.
            domain: the domain it was set for.
        """
        cls.set_cookie(
            message,
            key,
            max_age=0,
            expires="Thu, 01-Jan-1970 00:00:00 GMT",
            path=path,
            domain=domain,
            # Browsers ignore a header for a cookie of these names unless it is secure.
            secure=key.startswith(("__Secure-", "__Host-")),
        )


@enters(CookieMiddleware)
async def _enter_with_cookies(middleware: CookieMiddleware, context: ConnectionContext) -> ASGIApp:
    scope = context.scope
    if "headers" not in scope:
        raise ValueError(
            "CookieMiddleware was passed a scope that did not have a headers key (make sure it is "
            f"only passed HTTP or WebSocket connections); got a scope of type {scope.get('type')!r}."
        )
    headers = scope["headers"]
    context.own_scope()["cookies"] = _cookies(headers) if b"cookie" in dict(headers) else {}
    return middleware.inner


def _cookies(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    # HTTP/2 may split the cookies over several headers (RFC 9113, section 8.2.3).
    text = b"; ".join(value for name, value in headers if name == b"cookie").decode("latin1")
    # Everybody's cookies have the same names, and a WebSocket keeps them for days.
    return {_words[name]: value for name, value in parse_cookie(text).items()}


def _seconds_until(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # One more second for what passes between here and the browser.
    return max(0, int((aware - datetime.now(tz=UTC) + timedelta(seconds=1)).total_seconds()))


class SessionLazyObject(LazyCall):
    """The session of one connection; the store makes it, and loads it, when it is touched.

    Args:
        store: a session class of Django.
        key: the session's key, from its cookie; None for a new session.
    """

    __slots__ = ()

    def __init__(self, store: type[SessionBase], key: str | None) -> None:
        super().__init__(store, key)


class InstanceSessionWrapper:
    """The session of one connection: found by its cookie, saved by what the application sends.

    Args:
        scope: the connection's scope, with ``cookies``; a copy of it gets ``session``.
        send: the connection's ``send``.

    Attributes:
        scope: the scope with the session, for the application inside.
        activated: False if an outer middleware has put a session into the scope already;
            then this one does nothing.
        cookie_name: setting ``SESSION_COOKIE_NAME``.
        session_store: the session class of setting ``SESSION_ENGINE``.
    """

    save_message_types: ClassVar[list[str]] = ["http.response.start", "websocket.accept"]
    #: Only an HTTP response can carry the cookie of a session.
    cookie_response_message_types: ClassVar[list[str]] = ["http.response.start"]

    def __init__(self, scope: Scope, send: Send) -> None:
        self.cookie_name: str = settings.SESSION_COOKIE_NAME
        engine = settings.SESSION_ENGINE
        self.session_store: type[SessionBase] = (
            sys.modules.get(engine) or import_module(engine)
        ).SessionStore
        self.scope: Scope = dict(scope)
        self.real_send = send
        self.activated = "session" not in self.scope
        if self.activated:
            if "cookies" not in self.scope:
                raise ValueError(
                    "No cookies in scope - SessionMiddleware needs to run inside of CookieMiddleware."
                )
            self.scope["session"] = LazyRef()

    async def resolve_session(self) -> None:
        """Put the session that the cookie names into the scope; it is made and loaded when it is used."""
        if self.activated:
            session_key = self.scope["cookies"].get(self.cookie_name)
            self.scope["session"] = SessionLazyObject(self.session_store, session_key)

    @markcoroutinefunction  # it returns what is to be awaited: that saves a coroutine for each message
    def send(self, message: Message) -> Awaitable[Any]:
        """Pass ``message`` on; before the answer to a request, save the session if that is due.

        It is due if it was modified or with setting ``SESSION_SAVE_EVERY_REQUEST``, unless it
        is empty or the response is an error of the server (status 500).

        Raises:
            SuspiciousOperation: the session was deleted meanwhile, as by a logout elsewhere.
        """
        if self.activated and message["type"] in self.save_message_types:
            session = _to_save(self)
            if settings.SESSION_SAVE_EVERY_REQUEST or (
                get_if_loaded(session) is not empty and session.modified
            ):
                return _save_and_send(self, session, message)
        real_send = self.real_send  # looked up as a method of the class it would take longer (row "echo")
        return real_send(message)

    async def save_session(self) -> None:
        """Save the session, in a database thread unless its backend needs none.

        Raises:
            SuspiciousOperation: the session does not exist any more.
        """
        session = _to_save(self)
        try:
            await run_on_session(session, session.save)
        except UpdateError as error:
            raise SuspiciousOperation(
                "The session was deleted before the request completed. "
                "The user may have logged out in a concurrent request, for example."
            ) from error


#: The session to save, where the scope is the application's too, which may put another one in.
_own_session: PrivateField[Any] = PrivateField("session", None)
_own_session_of = _own_session.reader(InstanceSessionWrapper)


def _to_save(wrapper: InstanceSessionWrapper) -> Any:
    session = _own_session_of(wrapper)
    return wrapper.scope["session"] if session is None else session


async def _save_and_send(wrapper: InstanceSessionWrapper, session: SessionBase, message: Message) -> Any:
    await _prepare_answer(wrapper, session, message)
    return await wrapper.real_send(message)


async def _prepare_answer(wrapper: InstanceSessionWrapper, session: SessionBase, message: Message) -> None:
    """Save the session, and put its cookie into ``message`` if that can carry one."""
    with_cookie = message["type"] in wrapper.cookie_response_message_types
    if session.is_empty():
        if with_cookie and wrapper.cookie_name in wrapper.scope["cookies"]:
            CookieMiddleware.delete_cookie(
                message,
                wrapper.cookie_name,
                path=settings.SESSION_COOKIE_PATH,
                domain=settings.SESSION_COOKIE_DOMAIN,
            )
    elif message.get("status") != 500:
        await wrapper.save_session()
        if with_cookie:
            _set_cookie(wrapper.cookie_name, session, message)


def _set_cookie(name: str, session: SessionBase, message: Message) -> None:
    lasts = not session.get_expire_at_browser_close()
    CookieMiddleware.set_cookie(
        message,
        name,
        session.session_key or "",
        max_age=session.get_expiry_age() if lasts else None,
        domain=settings.SESSION_COOKIE_DOMAIN,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=settings.SESSION_COOKIE_HTTPONLY,
        samesite=settings.SESSION_COOKIE_SAMESITE or None,
    )


def _passes(wrapper: InstanceSessionWrapper, message_type: str) -> Send | None:
    """Return to whom ``send`` hands messages of this type untouched; None if it looks at them."""
    return None if message_type in wrapper.save_message_types else wrapper.real_send


may_be_left_out(InstanceSessionWrapper.send, _passes)

#: The name of channels 2 for the session of one connection.
SessionMiddlewareInstance = InstanceSessionWrapper


class SessionMiddleware(ScopeMiddleware):
    """Puts the connection's Django session into ``scope["session"]``; needs cookies in the scope.

    Each connection has a session object of its own.

    Args:
        inner: the ASGI application inside.

    Calling it raises ValueError if there are no cookies in the scope.
    """

    inner: ASGIApp

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner


@enters(SessionMiddleware)
async def _enter_with_session(middleware: SessionMiddleware, context: ConnectionContext) -> ASGIApp:
    wrapper = InstanceSessionWrapper(context.scope, context.send)
    await wrapper.resolve_session()
    _own_session.set(wrapper, wrapper.scope["session"])
    context.take_scope(wrapper.scope)
    context.send = wrapper.send
    return middleware.inner


def SessionMiddlewareStack(inner: ASGIApp) -> CookieMiddleware:
    """Wrap an application in the middleware for cookies and sessions."""
    return CookieMiddleware(SessionMiddleware(inner))


def is_new_untouched(session: Any) -> bool:
    """Tell, without making it, whether ``session`` is a new one that was neither read nor written."""
    if type(session) is not SessionLazyObject or get_if_loaded(session) is not empty:
        return False
    store, key = call_of(session)
    # A store of somebody else's may know more than its key tells.
    return key is None and store.__module__.startswith("django.")


def store_of(session: Any) -> Any:
    """Return the session itself, made if it was not yet, of what stands in a scope for it."""
    return session._wrapped if isinstance(session, LazyRef) else session


def is_loaded(session: Any) -> bool:
    """Tell whether reading ``session`` does not block: it is new, loaded, or lives in its cookie."""
    if not isinstance(session, SessionBase):
        return False
    return (
        isinstance(session, SignedCookies)
        or session.session_key is None
        or hasattr(session, "_session_cache")
    )


def intern_session_strings(session: Any) -> None:
    """Have ``session``, which is loaded, keep once what is the same in everybody's.

    What a WebSocket has loaded it keeps for days: the names of what is stored, and which
    backend has found the user.
    """
    loaded = getattr(session, "_session_cache", None)
    if type(loaded) is dict:
        words = {_shared(name): value for name, value in loaded.items()}
        if BACKEND_SESSION_KEY in words:
            words[BACKEND_SESSION_KEY] = _shared(words[BACKEND_SESSION_KEY])
        session._session_cache = words


def _shared(word: Any) -> Any:
    return _words[word] if type(word) is str else word


#: One object for all words that are equal. Not sys.intern(): Python 3.12 keeps for ever what was interned,
#: and clients choose the names of cookies.
_words: BoundedCache[str, str] = BoundedCache("sessions.words", 256, str)


async def run_on_session(session: Any, function: Callable[[], _R]) -> _R:
    """Call ``function``, which saves ``session``, where it may block."""
    if isinstance(session, SignedCookies):
        return function()
    return await database_sync_to_async(function)()
