"""Users with sessions, for tests of what ends with them."""

from importlib import import_module
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

#: The sessions of Django.
ENGINES = ("db", "cached_db", "cache", "file", "signed_cookies")


def session_for(user: Any, engine: str = "db") -> Any:
    """A session in which a user is logged in."""
    session = import_module(f"django.contrib.sessions.backends.{engine}").SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session


def cookie_of(session: Any) -> list[tuple[str, str]]:
    return [("Cookie", f"sessionid={session.session_key}")]
