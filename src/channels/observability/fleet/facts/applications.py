"""Which application serves a connection, and for whom: read from its task's frames, which note nothing."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from django.utils.functional import empty

from channels.consumer import AsyncConsumer
from channels.core.lazy import get_if_loaded
from channels.topics.session.session import Session

#: A user that nobody has looked up yet: whoever only looks does not do it either.
NOT_LOOKED_UP = "?"


class Application(NamedTuple):
    """What runs for a connection.

    Attributes:
        scope: the innermost that is known; empty if none is.
        consumer: the consumer, if it is one.
        session: of a client of topics, if it is one.
    """

    scope: Any
    consumer: Any
    session: Session | None


def application_of(task: asyncio.Task[Any] | None) -> Application:
    """Return what runs in a task that is suspended."""
    scope: Any = {}
    here: Any = None if task is None else task.get_coro()
    while (frame := _frame(here)) is not None:
        names = frame.f_locals
        owner, session = names.get("self"), names.get("session")
        if isinstance(owner, AsyncConsumer):
            return Application(getattr(owner, "scope", scope), owner, None)
        scope = names.get("scope") or scope
        if isinstance(session, Session):
            return Application(session.scope, None, session)
        here = getattr(here, "cr_await", None) or getattr(here, "gi_yieldfrom", None)
    return Application(scope, None, None)


def _frame(here: Any) -> Any:
    return getattr(here, "cr_frame", None) or getattr(here, "gi_frame", None)


def user_of(application: Application) -> tuple[str, str]:
    """Return the name and the primary key of a user, as text; see :class:`ConnectionRow`."""
    session = application.session
    if session is not None and session.identity is not None:
        return _named(session.identity.user, session.user_id)
    if not hasattr(application.scope, "get"):
        return "", ""
    return _named(application.scope.get("user"), "")


def _named(user: Any, pk: str) -> tuple[str, str]:
    known = get_if_loaded(user)
    if known is empty:
        return NOT_LOOKED_UP, pk
    if known is None or getattr(known, "is_anonymous", False):
        return "", pk
    name = known.get_username() if hasattr(known, "get_username") else ""
    return str(name)[:150], pk or str(getattr(known, "pk", "") or "")[:150]


def handler_of(application: Application) -> str:
    """Return what to call the application."""
    if application.session is not None:
        return "topics"
    if application.consumer is None:
        return ""
    kind = type(application.consumer)
    return f"{kind.__module__}.{kind.__qualname__}"
