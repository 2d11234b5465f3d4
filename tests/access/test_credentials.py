"""What the right to a connection rests on."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore

from channels.access.credentials import Credentials, auth_hash_of, credentials_of, digest_of
from channels.auth import UserLazyObject
from tests.access.sessions import session_for


@pytest.mark.parametrize("user", [AnonymousUser(), SimpleNamespace(pk=1), None])
def test_who_is_nobody_rests_on_nothing(user: Any) -> None:
    assert credentials_of(user) is None


def test_who_was_not_looked_up_is_not_looked_up() -> None:
    assert credentials_of(UserLazyObject()) is None


@pytest.mark.django_db
def test_a_user_of_a_session_rests_on_both() -> None:
    ada = get_user_model().objects.create_user("ada")
    lazy: Any = UserLazyObject()
    lazy._wrapped = ada
    session = session_for(ada)
    assert credentials_of(lazy, session) == Credentials(
        ada, ada.get_session_auth_hash(), SessionStore, session.session_key
    )


@pytest.mark.django_db
@pytest.mark.parametrize("session", [None, SessionStore(), SessionStore("0" * 32)])
def test_a_user_who_is_known_otherwise_rests_on_the_password(session: Any) -> None:
    ada = get_user_model().objects.create_user("ada")
    assert credentials_of(ada, session) == Credentials(ada, ada.get_session_auth_hash())
    assert auth_hash_of(SimpleNamespace()) == ""


@pytest.mark.django_db
def test_a_session_of_somebody_else_does_not_count() -> None:
    ada, eve = (get_user_model().objects.create_user(name) for name in ("ada", "eve"))
    assert credentials_of(ada, session_for(eve)) == Credentials(ada, ada.get_session_auth_hash())


def test_the_digest_of_a_session_does_not_tell_its_key() -> None:
    key = "a" * 32
    assert key not in digest_of(key)
    assert digest_of(key) == digest_of(key) != digest_of("b" * 32)
