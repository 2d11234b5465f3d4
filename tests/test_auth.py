"""Users in scopes. The sync sides run in the test's own thread, inside its transaction."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    user_logged_in,
    user_logged_out,
)
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies

from channels.auth import (
    AuthMiddleware,
    AuthMiddlewareStack,
    UserLazyObject,
    get_user,
    login,
    logout,
)
from channels.auth_prefetch import get_user_session_key
from channels.sync.context import connection_context
from channels.testing import WebsocketCommunicator
from channels.typing import Receive, Scope, Send
from tests.support.hops import counted_hops
from tests.support.serving import serving

BACKEND = "django.contrib.auth.backends.ModelBackend"
OTHER_BACKEND = "django.contrib.auth.backends.AllowAllUsersModelBackend"

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create(username="ada", password="unusable")


@pytest.fixture
def bob() -> User:
    return User.objects.create(username="bob", password="unusable")


@pytest.fixture
def session() -> SessionStore:
    session = SessionStore()
    session.create()
    return session


def log_in(scope: Scope, user: Any, **options: Any) -> None:
    async_to_sync(login)(scope, user, **options)


def user_of(session: Any, **scope: Any) -> Any:
    return async_to_sync(get_user)({"session": session, **scope})


class Heard:
    """What a signal said."""

    def __init__(self, signal: Any) -> None:
        self.facts: list[dict[str, Any]] = []
        self.signal = signal

    def __enter__(self) -> list[dict[str, Any]]:
        self.signal.connect(self.hear)
        return self.facts

    def __exit__(self, *_: object) -> None:
        self.signal.disconnect(self.hear)

    def hear(self, signal: Any, **facts: Any) -> None:
        self.facts.append(facts)


class TestGetUser:
    def test_needs_a_session(self) -> None:
        with pytest.raises(ValueError, match="Cannot find session in scope"):
            async_to_sync(get_user)({})

    def test_finds_the_user(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        session.save()
        user = user_of(SessionStore(session.session_key))
        assert user == ada
        assert isinstance(user, User)

    @pytest.mark.parametrize("store", [SessionStore, SignedCookies])
    def test_visits_no_thread_for_a_session_without_a_user(self, store: Any) -> None:
        with counted_hops() as hops:
            assert isinstance(user_of(store()), AnonymousUser)
        assert hops == []

    def test_a_stored_session_without_a_user_is_loaded(self, session: SessionStore) -> None:
        with counted_hops() as hops:
            assert isinstance(user_of(SessionStore(session.session_key)), AnonymousUser)
        assert hops == ["_load_user"]

    def test_any_mapping_will_do(self) -> None:
        assert isinstance(user_of({}), AnonymousUser)

    def test_a_backend_that_is_not_configured_any_more(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        session[BACKEND_SESSION_KEY] = OTHER_BACKEND
        assert isinstance(user_of(session), AnonymousUser)

    def test_a_user_who_is_gone(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        ada.delete()
        assert isinstance(user_of(session), AnonymousUser)

    @pytest.mark.parametrize("stale", ["other", ""])
    def test_a_hash_that_does_not_fit_flushes_the_session(
        self, stale: str, ada: User, session: SessionStore
    ) -> None:
        log_in({"session": session}, ada)
        session[HASH_SESSION_KEY] = stale
        session.save()
        assert isinstance(user_of(session), AnonymousUser)
        assert session.is_empty()

    def test_a_changed_password_ends_the_session(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        ada.password = "other"
        ada.save()
        assert isinstance(user_of(session), AnonymousUser)

    def test_an_old_secret_key_renews_the_session(
        self, ada: User, session: SessionStore, settings: Any
    ) -> None:
        log_in({"session": session}, ada)
        key = session.session_key
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "new"
        assert user_of(session) == ada
        assert session[HASH_SESSION_KEY] == ada.get_session_auth_hash()
        assert session.session_key != key
        assert session.modified

    def test_a_websocket_keeps_the_session_key_its_browser_knows(
        self, ada: User, session: SessionStore, settings: Any
    ) -> None:
        log_in({"session": session}, ada)
        key = session.session_key
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "new"
        assert user_of(session, type="websocket") == ada
        assert (session.session_key, session.modified) == (key, True)


class TestLogin:
    def test_needs_a_session(self, ada: User) -> None:
        with pytest.raises(ValueError, match="Cannot find session in scope"):
            log_in({}, ada)

    def test_needs_a_user(self, session: SessionStore) -> None:
        with pytest.raises(ValueError, match="User must be passed as an argument or must be present"):
            log_in({"session": session}, None)

    def test_takes_the_user_of_the_scope(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session, "user": ada}, None)
        assert user_of(session) == ada

    def test_renews_the_key_and_tells(self, ada: User, session: SessionStore) -> None:
        scope: Scope = {"session": session}
        key = session.session_key
        with Heard(user_logged_in) as facts:
            log_in(scope, ada)
        assert facts == [{"sender": User, "request": None, "user": ada}]
        assert scope["user"] is ada
        assert session.session_key != key
        assert get_user_session_key(session) == ada.pk
        ada.refresh_from_db()
        assert ada.last_login is not None

    def test_again_keeps_the_session(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        session["kept"] = True
        log_in({"session": session}, ada)
        assert session["kept"]

    def test_another_user_does_not_inherit_the_session(
        self, ada: User, bob: User, session: SessionStore
    ) -> None:
        log_in({"session": session}, ada)
        session["secret"] = True
        log_in({"session": session}, bob)
        assert "secret" not in session
        assert user_of(session) == bob

    def test_nor_does_the_same_user_with_another_password(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        session["secret"] = True
        ada.password = "other"
        log_in({"session": session}, ada)
        assert "secret" not in session

    def test_with_several_backends_one_must_be_named(
        self, ada: User, session: SessionStore, settings: Any
    ) -> None:
        settings.AUTHENTICATION_BACKENDS = [BACKEND, OTHER_BACKEND]
        with pytest.raises(ValueError, match=f"multiple authentication backends.*{BACKEND}"):
            log_in({"session": session}, ada)
        with pytest.raises(TypeError, match="dotted import path string"):
            log_in({"session": session}, ada, backend=3)
        log_in({"session": session}, ada, backend=OTHER_BACKEND)
        assert session[BACKEND_SESSION_KEY] == OTHER_BACKEND
        ada.backend = BACKEND
        log_in({"session": session}, ada)
        assert session[BACKEND_SESSION_KEY] == BACKEND

    def test_a_user_model_without_a_session_hash(self, ada: User, session: SessionStore) -> None:
        class Plain:
            pk = id = ada.pk
            _meta = User._meta

        # update_last_login belongs to User; this user is of another kind.
        with Heard(user_logged_in) as facts:
            receivers, user_logged_in.receivers = user_logged_in.receivers, user_logged_in.receivers[-1:]
            user_logged_in.sender_receivers_cache.clear()
            try:
                log_in({"session": session}, Plain())
                log_in({"session": session}, Plain())
            finally:
                user_logged_in.receivers = receivers
        assert session[HASH_SESSION_KEY] == ""
        assert len(facts) == 2


class TestLogout:
    def test_needs_a_session(self) -> None:
        with pytest.raises(ValueError, match="Login cannot find session in scope"):
            async_to_sync(logout)({})

    def test_flushes_and_tells(self, ada: User, session: SessionStore) -> None:
        scope: Scope = {"session": session}
        log_in(scope, ada)
        with Heard(user_logged_out) as facts:
            async_to_sync(logout)(scope)
        assert facts == [{"sender": User, "request": None, "user": ada}]
        assert isinstance(scope["user"], AnonymousUser)
        assert session.is_empty()

    @pytest.mark.parametrize("scope", [{}, {"user": None}, {"user": AnonymousUser()}])
    def test_of_nobody_tells_nobody(self, scope: dict[str, Any], session: SessionStore) -> None:
        before = set(scope)
        scope = {**scope, "session": session}
        with Heard(user_logged_out) as facts:
            async_to_sync(logout)(scope)
        assert facts == []
        assert set(scope) == before | {"session"}


class TestMiddleware:
    async def test_needs_a_session(self) -> None:
        with pytest.raises(ValueError, match="AuthMiddleware cannot find session in scope"):
            await AuthMiddleware(None)({"type": "http"}, None, None)  # type: ignore[arg-type]

    def test_the_user_is_not_there_too_early(self) -> None:
        scope: Scope = {"session": {}}
        AuthMiddleware(None).populate_scope(scope)  # type: ignore[arg-type]
        assert isinstance(scope["user"], UserLazyObject)
        with pytest.raises(ValueError, match="Accessing scope user before it is ready"):
            _ = scope["user"].is_anonymous

    def test_the_stack_finds_the_user_of_a_cookie(self, ada: User, session: SessionStore) -> None:
        log_in({"session": session}, ada)
        session.save()
        assert self.visit(f"sessionid={session.session_key}") == ["ada"]

    def test_and_nobody_without(self) -> None:
        with counted_hops() as hops:
            assert self.visit("") == [""]
        assert hops == []

    @staticmethod
    def visit(cookie: str) -> list[str]:
        seen: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            seen.append(scope["user"].username)
            await send({"type": "websocket.accept"})
            await receive()

        async def scenario() -> None:
            communicator = WebsocketCommunicator(
                AuthMiddlewareStack(app), "/", [(b"cookie", cookie.encode())]
            )
            assert (await communicator.connect(30))[0]
            await communicator.disconnect(timeout=30)

        async_to_sync(scenario)()
        return seen

    async def test_a_user_that_is_there_already_is_kept_as_the_place(self) -> None:
        class ByToken(AuthMiddleware):
            async def resolve_scope(self, scope: Scope) -> None:
                """Nothing to find: who wrapped us knows."""

        seen: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["user"])

        await ByToken(app)({"type": "x", "session": {}, "user": "eve"}, None, None)  # type: ignore[arg-type]
        assert seen == ["eve"]


async def test_a_user_is_looked_up_together_with_others() -> None:
    session = {SESSION_KEY: "1", BACKEND_SESSION_KEY: "of.another.site"}
    with serving({"type": "websocket", "asgi": {}}):
        connection: Any = connection_context()
        user = await get_user({"type": "websocket", "session": session})
        assert user.is_anonymous
        assert not connection.has_strand
