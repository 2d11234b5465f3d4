"""What is found about connections, and with how few queries."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.sessions.models import Session
from django.utils import timezone

from channels.access.check import check
from channels.access.credentials import Reason, credentials_of
from tests.access.sessions import ENGINES, session_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create_user("ada")


def reasons(*connections: Any) -> list[Reason | None]:
    return [verdict.reason for verdict in check(connections)]


@pytest.fixture(autouse=True)
def session_files(settings: Any, tmp_path: Any) -> None:
    settings.SESSION_FILE_PATH = str(tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_of_any_engine_is_found(ada: Any, engine: str) -> None:
    there, gone = (credentials_of(ada, session_for(ada, engine)) for _ in range(2))
    assert there is not None
    assert there.store is not None
    assert gone is not None
    if engine == "signed_cookies":
        gone = gone._replace(session_key="forged")
    else:
        there.store(gone.session_key).flush()
    assert reasons(there, gone) == [None, Reason.LOGGED_OUT]


def test_an_expired_session_is_gone(ada: Any) -> None:
    connection = credentials_of(ada, session_for(ada))
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert reasons(connection) == [Reason.LOGGED_OUT]


def test_another_password_and_no_user_are_told_apart(ada: Any) -> None:
    by_session, by_token = credentials_of(ada, session_for(ada)), credentials_of(ada)
    ada.set_password("another")
    ada.save()
    assert reasons(by_session, by_token) == [Reason.PASSWORD_CHANGED] * 2
    get_user_model().objects.update(is_active=False)
    assert reasons(by_session) == [Reason.DEACTIVATED]
    ada.delete()
    assert reasons(by_token) == [Reason.DEACTIVATED]


def test_a_former_secret_key_is_as_good_as_for_pages(ada: Any, settings: Any) -> None:
    connection = credentials_of(ada, session_for(ada))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another one"
    assert reasons(connection) == [None]
    settings.SECRET_KEY_FALLBACKS = []
    assert reasons(connection) == [Reason.PASSWORD_CHANGED]


def test_many_connections_take_two_queries_and_write_nothing(
    django_assert_num_queries: Any,
) -> None:
    users = [get_user_model().objects.create_user(f"u{number}") for number in range(20)]
    connections = [credentials_of(user, session_for(user)) for user in users for _ in range(3)]
    with django_assert_num_queries(2) as captured:
        assert reasons(*connections) == [None] * 60
    assert {query["sql"][:6] for query in captured.captured_queries} == {"SELECT"}


class Guests(BaseBackend):
    """Knows who may come in its own way."""

    def get_user(self, user_id: Any) -> Any:
        return get_user_model().objects.filter(pk=user_id, username="guest").first()


def test_the_backends_decide_who_may_log_in(settings: Any) -> None:
    guest = get_user_model().objects.create_user("guest", is_active=False)
    other = get_user_model().objects.create_user("other", is_active=False)
    connections = credentials_of(guest), credentials_of(other)
    assert reasons(*connections) == [Reason.DEACTIVATED] * 2
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "tests.access.test_check.Guests",
    ]
    assert reasons(*connections) == [None, Reason.DEACTIVATED]
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    assert reasons(*connections) == [None, None]
