"""Cookies and sessions, through communicators; sessions live in the database unless a test says other."""

from __future__ import annotations

import json
import weakref
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies
from django.contrib.sessions.models import Session
from django.core.exceptions import SuspiciousOperation
from django.http import SimpleCookie
from django.utils.functional import empty

from channels.core.lazy import get_if_loaded
from channels.sessions import (
    CookieMiddleware,
    InstanceSessionWrapper,
    SessionLazyObject,
    SessionMiddleware,
    SessionMiddlewareInstance,
    SessionMiddlewareStack,
    _words,
    intern_session_strings,
    is_new_untouched,
)
from channels.testing import HttpCommunicator, WebsocketCommunicator
from channels.typing import Message, Receive, Scope, Send
from tests.support.hops import counted_hops

SIGNED = "django.contrib.sessions.backends.signed_cookies"


class Page:
    """An HTTP application that does something to its session and answers."""

    def __init__(self, act: Any = None, status: int = 200) -> None:
        self.act = act
        self.status = status
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        if self.act is not None:
            self.act(scope["session"])
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"x-kept", b"1")]})
        await send({"type": "http.response.body", "body": b""})


def put(session: Any) -> None:
    session["seen"] = True


def get(page: Page, cookie: str = "") -> SimpleCookie:
    """Request the page under a session stack; return the cookies it sets."""

    async def request() -> Any:
        headers = [(b"cookie", cookie.encode())] if cookie else []
        return await HttpCommunicator(SessionMiddlewareStack(page), "GET", "/", headers=headers).get_response(
            30
        )

    response = async_to_sync(request)()
    assert (b"x-kept", b"1") in response["headers"]
    cookies: SimpleCookie = SimpleCookie()
    for name, value in response["headers"]:
        if name.lower() == b"set-cookie":
            cookies.load(value.decode())
    return cookies


def stored(**data: Any) -> SessionStore:
    session = SessionStore()
    session.update(data)
    session.create()
    return session


class TestCookies:
    @pytest.mark.parametrize(
        ("headers", "cookies"),
        [
            ([], {}),
            ([(b"host", b"x"), (b"cookie", b"a=b; c=d")], {"a": "b", "c": "d"}),
            ([(b"cookie", b"a=b"), (b"cookie", b"c=d")], {"a": "b", "c": "d"}),
            ([(b"cookie", b"a=\xff; ;=;novalue")], {"a": "\xff", "": "novalue"}),
        ],
    )
    async def test_are_parsed_into_the_scope(self, headers: Any, cookies: dict[str, str]) -> None:
        page = Page()
        await HttpCommunicator(CookieMiddleware(page), "GET", "/", headers=headers).get_response(30)
        assert page.scope["cookies"] == cookies

    async def test_a_scope_without_headers_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="did not have a headers key.*'channel'"):
            await CookieMiddleware(Page())({"type": "channel"}, None, None)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("arguments", "header"),
        [
            ({}, b'k=""; Path=/; SameSite=lax'),
            ({"value": "v", "samesite": None, "path": None}, b"k=v"),
            ({"samesite": "None", "secure": True}, b'k=""; Path=/; SameSite=None; Secure'),
            ({"domain": "x.y", "httponly": True}, b'k=""; Domain=x.y; HttpOnly; Path=/; SameSite=lax'),
            ({"expires": "soon"}, b'k=""; expires=soon; Path=/; SameSite=lax'),
            ({"expires": "soon", "max_age": "5"}, b'k=""; expires=soon; Max-Age=5; Path=/; SameSite=lax'),
        ],
    )
    def test_set_cookie(self, arguments: dict[str, Any], header: bytes) -> None:
        message: Message = {"type": "http.response.start", "headers": ((b"a", b"b"),)}
        CookieMiddleware.set_cookie(message, "k", **arguments)
        assert message["headers"] == [(b"a", b"b"), (b"Set-Cookie", header)]

    def test_max_age_comes_with_a_date(self) -> None:
        message: Message = {"type": "http.response.start"}
        CookieMiddleware.set_cookie(message, "k", max_age=60)
        morsel = SimpleCookie(message["headers"][0][1].decode())["k"]
        assert morsel["max-age"] == "60"
        assert morsel["expires"].endswith("GMT")

    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5)), None])
    def test_a_date_becomes_an_age(self, zone: timezone | None) -> None:
        message: Message = {}
        moment = datetime.now(tz=zone or UTC) + timedelta(hours=1)
        if zone is None:
            moment = moment.replace(tzinfo=None)
        CookieMiddleware.set_cookie(message, "k", expires=moment)
        morsel = SimpleCookie(message["headers"][0][1].decode())["k"]
        assert 3000 < int(morsel["max-age"]) <= 3601

    def test_samesite_is_checked(self) -> None:
        with pytest.raises(AssertionError, match="must be either 'strict', 'lax' or 'none', got 'x'"):
            CookieMiddleware.set_cookie({}, "k", samesite="x")

    @pytest.mark.parametrize(
        ("key", "secure"), [("k", b""), ("__Secure-k", b"; Secure"), ("__Host-k", b"; Secure")]
    )
    def test_delete_cookie(self, key: str, secure: bytes) -> None:
        message: Message = {}
        CookieMiddleware.delete_cookie(message, key, domain="d")
        ((name, value),) = message["headers"]
        assert name == b"Set-Cookie"
        assert value == (
            key.encode()
            + b'=""; Domain=d; expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=lax'
            + secure
        )


@pytest.mark.django_db
class TestSessions:
    def test_a_stored_session_is_loaded_when_it_is_read(self) -> None:
        session = stored(name="ada")
        seen: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(hasattr(scope["session"], "_session_cache"))
            seen.append(await scope["session"].aget("name"))
            await Page()(scope, receive, send)

        with counted_hops() as hops:
            cookies = get(app, f"sessionid={session.session_key}")  # type: ignore[arg-type]
        assert seen == [False, "ada"]
        assert not cookies
        assert "save" not in hops

    def test_without_a_change_no_thread_is_visited_and_nothing_is_set(self) -> None:
        page = Page(lambda session: session.get("x"))
        with counted_hops() as hops:
            assert not get(page)
        assert hops == []

    def test_a_change_is_saved_and_the_cookie_is_set(self) -> None:
        morsel = get(Page(put))["sessionid"]
        assert SessionStore(morsel.value).load() == {"seen": True}
        assert (morsel["samesite"], morsel["httponly"], morsel["path"]) == ("Lax", True, "/")
        assert morsel["max-age"]

    def test_the_cookie_follows_the_settings(self, settings: Any) -> None:
        settings.SESSION_COOKIE_NAME = "sid"
        settings.SESSION_COOKIE_SAMESITE = False
        settings.SESSION_COOKIE_PATH = "/app"
        settings.SESSION_COOKIE_DOMAIN = "example.com"
        settings.SESSION_COOKIE_SECURE = True
        settings.SESSION_COOKIE_HTTPONLY = False
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True
        morsel = get(Page(put))["sid"]
        assert (morsel["path"], morsel["domain"], morsel["secure"]) == ("/app", "example.com", True)
        assert (morsel["samesite"], morsel["httponly"], morsel["max-age"], morsel["expires"]) == (
            "",
            "",
            "",
            "",
        )

    def test_save_every_request(self, settings: Any) -> None:
        settings.SESSION_SAVE_EVERY_REQUEST = True
        session = stored(name="ada")
        cookies = get(Page(), f"sessionid={session.session_key}")
        assert cookies["sessionid"].value == session.session_key
        assert not get(Page())

    def test_an_error_of_the_server_saves_nothing(self) -> None:
        assert not get(Page(put, status=500))
        assert not Session.objects.exists()

    def test_a_flushed_session_takes_its_cookie_away(self) -> None:
        session = stored(name="ada")

        def flush(session: Any) -> None:
            session._session_cache, session._session_key, session.modified = {}, None, True

        assert get(Page(flush), f"sessionid={session.session_key}")["sessionid"]["max-age"] == "0"
        assert not get(Page(flush))

    def test_a_session_deleted_meanwhile_is_suspicious(self) -> None:
        session = stored(name="ada")
        SessionStore().delete(session.session_key)

        def change(live: Any) -> None:
            live._session_cache, live.modified = {"name": "eve"}, True  # as read before it was deleted

        with pytest.raises(SuspiciousOperation, match="deleted before the request completed") as caught:
            get(Page(change), f"sessionid={session.session_key}")
        assert isinstance(caught.value.__cause__, UpdateError)

    def test_signed_cookies_need_no_thread(self, settings: Any) -> None:
        settings.SESSION_ENGINE = SIGNED
        with counted_hops() as hops:
            value = get(Page(put))["sessionid"].value
            page = Page(lambda session: session["seen"])
            get(page, f"sessionid={value}")
        assert hops == []
        assert SignedCookies(value).load() == {"seen": True}

    def test_a_websocket_saves_when_it_accepts(self) -> None:
        session = stored()
        after: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await scope["session"].aset("seen", True)
            await send({"type": "websocket.accept"})
            await receive()

        async def visit() -> None:
            headers = [(b"cookie", f"sessionid={session.session_key}".encode())]
            communicator = WebsocketCommunicator(SessionMiddlewareStack(app), "/", headers=headers)
            assert await communicator.connect(30) == (True, None)
            after.append(communicator.response_headers)
            await communicator.disconnect(timeout=30)

        async_to_sync(visit)()
        assert SessionStore(session.session_key).load() == {"seen": True}
        assert after == [[]]

    async def test_a_session_that_nobody_touches_is_not_made(self) -> None:
        seen: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["session"])
            await send({"type": "websocket.accept"})

        async def send(message: Any) -> None:
            seen.append(message["type"])

        stack = SessionMiddlewareStack(app)
        headers = [(b"cookie", b"sessionid=abcdefghij")]
        await stack({"type": "websocket", "headers": headers}, None, send)  # type: ignore[arg-type]
        assert seen[1:] == ["websocket.accept"]
        assert get_if_loaded(seen[0]) is empty
        assert seen[0].session_key == "abcdefghij"
        assert isinstance(seen[0], SessionStore)

    async def test_blank_is_what_is_new_untouched_and_of_django(self) -> None:
        class Knowing(SignedCookies):
            """Of somebody else: it may find a session without a cookie."""

        assert is_new_untouched(SessionLazyObject(SessionStore, None))
        assert not is_new_untouched(SessionLazyObject(SessionStore, "abc"))
        assert not is_new_untouched(SessionLazyObject(Knowing, None))
        assert not is_new_untouched(SessionStore())
        touched = SessionLazyObject(SessionStore, None)
        touched["n"] = 1
        assert not is_new_untouched(touched)

    async def test_another_session_put_into_the_scope_is_not_ours_to_save(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["session"] = {"of": "the application"}
            await send({"type": "websocket.accept"})

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await SessionMiddlewareStack(app)({"type": "websocket", "headers": []}, None, send)  # type: ignore[arg-type]
        assert sent == [{"type": "websocket.accept"}]

    async def test_two_connections_share_no_session(self) -> None:
        scopes: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scopes.append(scope)
            scope["session"]["n"] = len(scopes)

        stack = SessionMiddlewareStack(app)
        outer: Scope = {"type": "http", "headers": []}
        await stack(outer, None, None)  # type: ignore[arg-type]
        await stack(outer, None, None)  # type: ignore[arg-type]
        assert [scope["session"]["n"] for scope in scopes] == [1, 2]
        assert "session" not in outer

    async def test_an_inner_middleware_leaves_the_outer_session_alone(self) -> None:
        session = SignedCookies()
        wrapper = InstanceSessionWrapper({"type": "http", "session": session}, None)  # type: ignore[arg-type]
        await wrapper.resolve_session()
        assert wrapper.activated is False
        assert wrapper.scope["session"] is session

        page = Page(put)
        inside = HttpCommunicator(SessionMiddleware(page), "GET", "/")
        inside.scope["session"] = session
        assert (await inside.get_response(30))["headers"] == [(b"x-kept", b"1")]

    def test_cookies_must_be_there(self) -> None:
        with pytest.raises(ValueError, match="No cookies in scope - SessionMiddleware needs to run inside"):
            InstanceSessionWrapper({"type": "http"}, None)  # type: ignore[arg-type]

    def test_the_older_name_is_the_same(self) -> None:
        assert SessionMiddlewareInstance is InstanceSessionWrapper


class TestWords:
    """A loaded session stays as long as its WebSocket."""

    def loaded(self) -> SignedCookies:
        session: Any = SignedCookies()
        session._session_cache = json.loads('{"_auth_user_backend": "a.backend", "cart": ["tea"]}')
        intern_session_strings(session)
        return session

    def test_what_is_the_same_in_all_sessions_is_kept_once(self) -> None:
        first, second = self.loaded(), self.loaded()
        assert dict(first.items()) == {"_auth_user_backend": "a.backend", "cart": ["tea"]}
        assert all(name is other for name, other in zip(first.keys(), second.keys(), strict=True))
        assert first["_auth_user_backend"] is second["_auth_user_backend"]
        assert not first.modified

    def test_names_that_clients_make_up_are_not_kept_for_ever(self) -> None:
        class Name(str):
            """Text that can be watched."""

        made = [Name(f"made-up-{number}") for number in range(1000)]
        watched = [weakref.ref(name) for name in made]
        for name in made:
            assert _words[name] == name
        del name, made
        assert sum(reference() is not None for reference in watched) <= 256

    @pytest.mark.parametrize("data", [{}, {1: "one"}, {"_auth_user_backend": None}])
    def test_it_may_hold_anything(self, data: Any) -> None:
        session = SignedCookies()
        session._session_cache = dict(data)  # type: ignore[attr-defined]
        intern_session_strings(session)
        assert dict(session.items()) == data

    def test_what_is_not_loaded_or_no_session_is_left_alone(self) -> None:
        intern_session_strings(session := SignedCookies())
        assert not hasattr(session, "_session_cache")
        intern_session_strings(object())
