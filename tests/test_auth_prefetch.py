"""What is fetched for many connections is what each would have fetched, in an object of its own."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

import django
import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User, UserManager
from django.contrib.sessions.backends.cached_db import SessionStore as CachedSession
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies
from django.contrib.sessions.models import Session
from django.db.models import QuerySet, Value
from django.utils import timezone

from channels.auth_prefetch import UNKNOWN, UserLookup, fetch
from channels.sessions import SessionLazyObject

BACKEND = "django.contrib.auth.backends.ModelBackend"

pytestmark = pytest.mark.django_db


class OwnWay(ModelBackend):
    """A backend that looks users up in a way of its own."""

    def get_user(self, user_id: Any) -> Any:
        raise AssertionError("nobody asks it here")


class Obliging(ModelBackend):
    """A backend that lets everybody in."""

    def user_can_authenticate(self, user: Any) -> bool:
        return True


class OwnStore(SessionStore):
    """A store that loads in a way of its own."""

    def load(self) -> dict[str, Any]:
        raise AssertionError("nobody asks it here")


@pytest.fixture
def people() -> list[User]:
    return [User.objects.create(username=name) for name in ("ada", "bob", "eve")]


def stored(
    user_id: Any, store: type[SessionStore] = SessionStore, backend: str = BACKEND
) -> SessionLazyObject:
    """The session of a user who comes back: in the database, and not loaded."""
    session = SessionStore()
    session.update({SESSION_KEY: str(user_id), BACKEND_SESSION_KEY: backend})
    session.save()
    return SessionLazyObject(store, session.session_key)


def signed(user_id: Any, backend: str = BACKEND) -> SessionLazyObject:
    """The same, in a cookie."""
    session = SignedCookies()
    session.update({SESSION_KEY: str(user_id), BACKEND_SESSION_KEY: backend})
    session.save()
    return SessionLazyObject(SignedCookies, session.session_key)


def asks_for(*sessions: Any) -> list[UserLookup]:
    return [UserLookup(session, may_cycle=False) for session in sessions]


def test_sessions_and_users_need_one_query_each(people: Any, django_assert_num_queries: Any) -> None:
    asks = asks_for(*(stored(user.pk) for user in people))
    with django_assert_num_queries(2):
        fetch(asks)
        assert [ask.session[SESSION_KEY] for ask in asks] == [str(user.pk) for user in people]
    assert [ask.user for ask in asks] == people
    assert [ask.user.username for ask in asks] == ["ada", "bob", "eve"]


def test_users_of_signed_cookies_need_one_query(people: Any, django_assert_num_queries: Any) -> None:
    asks = asks_for(*(signed(user.pk) for user in people))
    with django_assert_num_queries(1):
        fetch(asks)
    assert [ask.user for ask in asks] == people


def test_what_was_found_is_not_asked_for_again(people: Any, django_assert_num_queries: Any) -> None:
    asks = asks_for(*(stored(user.pk) for user in people))
    fetch(asks)
    with django_assert_num_queries(0):
        fetch(asks)


def test_each_connection_has_objects_of_its_own(people: Any, django_assert_num_queries: Any) -> None:
    session = stored(people[0].pk)
    again = SessionLazyObject(SessionStore, session.session_key)
    asks = asks_for(session, again, stored(people[0].pk))
    with django_assert_num_queries(2):
        fetch(asks)
    first, second, third = (ask.user for ask in asks)
    assert first == second == third == people[0]
    asked = User.objects.get(pk=people[0].pk)
    for one, other in ((first, second), (first, third), (second, third), (second, asked)):
        assert one is not other
        assert one._state is not other._state
    ours, theirs = dict(second.__dict__), dict(asked.__dict__)
    assert (ours.pop("_state").__dict__, ours) == (theirs.pop("_state").__dict__, theirs)
    session["mine"] = True
    assert "mine" not in again


def test_for_one_nothing_is_fetched(people: Any, django_assert_num_queries: Any) -> None:
    asks = asks_for(stored(people[0].pk), {}, SessionLazyObject(SessionStore, None))
    with django_assert_num_queries(0):
        fetch(asks)
    assert {ask.user for ask in asks} == {UNKNOWN}


def test_who_is_not_active_is_nobody_unless_the_backend_says_so(people: Any, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [BACKEND, f"{__name__}.Obliging"]
    User.objects.update(is_active=False)
    asks = asks_for(*(signed(user.pk) for user in people), signed(people[0].pk, f"{__name__}.Obliging"))
    asks += asks_for(signed(people[1].pk, f"{__name__}.Obliging"))
    fetch(asks)
    assert [ask.user for ask in asks] == [None, None, None, people[0], people[1]]


def test_who_is_not_there_is_looked_for_by_each(people: Any) -> None:
    asks = asks_for(signed(people[0].pk), signed(0), stored(people[1].pk))
    asks += asks_for(SessionLazyObject(SessionStore, "a" * 32))
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    fetch(asks)
    assert [ask.user for ask in asks] == [people[0], UNKNOWN, UNKNOWN, UNKNOWN]
    assert not hasattr(asks[2].session._wrapped, "_session_cache")


@pytest.mark.parametrize("backend", [f"{__name__}.OwnWay", "of.another.Site"])
def test_a_backend_with_ways_of_its_own_is_left_alone(
    people: Any, settings: Any, backend: str, django_assert_num_queries: Any
) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OwnWay"]
    asks = asks_for(*(signed(user.pk, backend) for user in people))
    with django_assert_num_queries(0):
        fetch(asks)
    assert {ask.user for ask in asks} == {UNKNOWN}


@pytest.mark.parametrize("store", [OwnStore, CachedSession])
def test_a_store_with_ways_of_its_own_is_left_alone(
    people: Any, store: Any, django_assert_num_queries: Any
) -> None:
    asks = asks_for(*(stored(user.pk, store) for user in people))
    with django_assert_num_queries(0):
        fetch(asks)
    assert {ask.user for ask in asks} == {UNKNOWN}


@pytest.mark.parametrize("name", ["get", "filter"])
def test_a_manager_with_ways_of_its_own_is_left_alone(
    people: Any, monkeypatch: pytest.MonkeyPatch, name: str, django_assert_num_queries: Any
) -> None:
    asks = asks_for(*(signed(user.pk) for user in people))
    monkeypatch.setattr(UserManager, name, lambda *_, **__: None, raising=False)
    with django_assert_num_queries(0):
        fetch(asks)
    assert {ask.user for ask in asks} == {UNKNOWN}


def test_a_query_set_with_ways_of_its_own_is_left_alone(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Peculiar(QuerySet[User]):
        def get(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("nobody asks it here")

    asks = asks_for(*(signed(user.pk) for user in people))
    monkeypatch.setattr(UserManager, "_queryset_class", Peculiar)
    fetch(asks)
    assert {ask.user for ask in asks} == {UNKNOWN}


@pytest.mark.skipif(django.VERSION < (6, 1), reason="peers came with Django 6.1")
def test_peers_would_fetch_for_each_other_so_each_asks(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = importlib.import_module("django.db.models")
    peers: Any = User.objects.all()
    asks = asks_for(*(signed(user.pk) for user in people))
    shown = peers.fetch_mode(modes.FETCH_PEERS)
    monkeypatch.setattr(UserManager, "get_queryset", lambda manager: shown.all())
    fetch(asks)
    assert {ask.user for ask in asks} == {UNKNOWN}


def test_what_a_manager_hides_and_adds_counts(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = User.objects.exclude(username="eve").annotate(extra=Value(1))
    asks = asks_for(*(signed(user.pk) for user in [*people, people[0]]))
    monkeypatch.setattr(UserManager, "get_queryset", lambda manager: shown.all())
    fetch(asks)
    # The second "ada" is more than the fields of the first: that one asks for herself.
    assert [ask.user for ask in asks] == [people[0], people[1], UNKNOWN, UNKNOWN]
    assert asks[0].user.extra == 1
