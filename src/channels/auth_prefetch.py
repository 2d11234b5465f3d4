"""Sessions and users of connections that are opened at the same moment, fetched by one query each.

When a server has restarted all clients reconnect at once, and the user of each is looked up
(:mod:`channels.auth`). The lookups that are queued for a thread at one time are prefetched by one
query for all sessions and one for all users. The result is what each lookup would fetch by itself;
where a session store, a backend or a manager is customised, its connections make their own queries.

The row "connects-user" of the benchmarks pays for it; docs/explanation/idle-connections.md has the figures.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, get_user_model, load_backend
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Manager, QuerySet
from django.utils import timezone

from channels.sessions import is_loaded, store_of

#: Stands for a user that was not fetched.
UNKNOWN: Final = object()
#: How Django's own store loads a session; its stubs do not know the second.
_LOADING: Final = (SessionStore.load, SessionStore._get_session_from_db)  # type: ignore[attr-defined]


class UserLookup:
    """The lookup of the user of one connection.

    Args:
        session: the session that says it.
        may_cycle: whether the session may get another key.

    Attributes:
        user: what the session's backend says, None if it knows nobody; :data:`UNKNOWN` before it was asked.
    """

    __slots__ = ("may_cycle", "session", "user")

    def __init__(self, session: Any, may_cycle: bool) -> None:
        self.session = session
        self.may_cycle = may_cycle
        self.user: Any = UNKNOWN


def get_user_session_key(session: Any) -> Any:
    """Return the primary key of the session's user, in its Python type; KeyError if there is none."""
    return get_user_model()._meta.pk.to_python(session[SESSION_KEY])


def fetch(asks: Sequence[UserLookup]) -> None:
    """Load the sessions of several connections that are in the database, then find their users.

    Called in a thread. A lookup that finds nothing here makes its own query.

    Raises:
        Exception: whatever the database raises.
    """
    _load_sessions(asks)
    by_backend: dict[str, dict[Any, list[UserLookup]]] = {}
    for ask in asks:
        if ask.user is UNKNOWN and is_loaded(ask.session) and SESSION_KEY in ask.session:
            by_key = by_backend.setdefault(ask.session.get(BACKEND_SESSION_KEY), {})
            by_key.setdefault(get_user_session_key(ask.session), []).append(ask)
    for path, by_key in by_backend.items():
        if path in settings.AUTHENTICATION_BACKENDS:
            _find_users(load_backend(path), by_key)


def _load_sessions(asks: Sequence[UserLookup]) -> None:
    by_store: dict[type[SessionStore], dict[str, list[Any]]] = {}
    for ask in asks:
        store = store_of(ask.session)
        if _is_to_be_loaded(store):
            by_store.setdefault(type(store), {}).setdefault(store.session_key, []).append(store)
    for kind, by_key in by_store.items():
        rows = _batched_queryset(kind.get_model_class().objects, by_key, session_key__in=list(by_key))
        for row in () if rows is None else rows.filter(expire_date__gt=timezone.now()):
            for store in by_key.get(row.session_key, ()):
                store._session_cache = store.decode(row.session_data)


def _is_to_be_loaded(store: Any) -> bool:
    """Whether ``store`` is a session of the database that would load itself as Django's do."""
    kind: Any = type(store)
    return (
        isinstance(store, SessionStore)
        and (kind.load, kind._get_session_from_db) == _LOADING
        and bool(store.session_key)
        and not hasattr(store, "_session_cache")
    )


def _find_users(backend: Any, by_key: dict[Any, list[UserLookup]]) -> None:
    theirs = sys.modules.get("django.contrib.auth.backends")  # it has models, so it is not imported here
    if theirs is None or type(backend).get_user is not theirs.ModelBackend.get_user:
        return
    users = _batched_queryset(get_user_model()._default_manager, by_key, pk__in=list(by_key))
    for user in () if users is None else users:
        for number, ask in enumerate(by_key.get(user.pk, ())):
            own = _clone_user(user, users) if number else user
            ask.user = own if own is UNKNOWN or backend.user_can_authenticate(own) else None


def _batched_queryset(manager: Any, by_key: dict[Any, list[Any]], **wanted: Any) -> QuerySet[Any] | None:
    """Return what ``manager.get()`` would find one by one; None if it may find something else, or for one."""
    if sum(map(len, by_key.values())) < 2:
        return None
    if type(manager).get is not Manager.get or type(manager).filter is not Manager.filter:
        return None
    rows: QuerySet[Any] = manager.filter(**wanted)
    kind = type(rows)
    # Peers (Django 6.1) fetch more for each other, and these would be in different threads.
    alone = not getattr(getattr(rows, "_fetch_mode", None), "track_peers", False)
    return rows if alone and kind.get is QuerySet.get and kind.filter is QuerySet.filter else None


def _clone_user(user: Any, users: Any) -> Any:
    """Return another object for a user: each connection has its own, as from a query of its own."""
    query, prefetched = users.query, users._prefetch_related_lookups
    if query.annotations or query.select_related or query.deferred_loading[0] or prefetched:
        return UNKNOWN  # there is more, or less, to it than its fields
    names = [field.attname for field in user._meta.concrete_fields]
    values = [copy.deepcopy(user.__dict__[name]) for name in names]
    own = type(user).from_db(user._state.db, names, values)
    if hasattr(user._state, "fetch_mode"):
        own._state.fetch_mode = user._state.fetch_mode
    return own
