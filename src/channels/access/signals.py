"""Django's signals about users, sessions and permissions, announced when they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from channels.access.announcements import Change, announce
from channels.access.credentials import digest_of

#: Fields whose change takes no right away, saved at each login.
_HARMLESS: Final = frozenset({"last_login"})
_CHANGES: Final = frozenset({"post_add", "post_remove", "post_clear"})


@cache
def connect_signals() -> None:
    """Announce from now on; a second call changes nothing. Called when Django's apps are ready."""
    if not apps.is_installed("django.contrib.auth"):
        return
    users = get_user_model()
    _connect(user_logged_out, _logged_out)
    _connect(post_save, _user_saved, users)
    _connect(post_delete, _user_deleted, users)
    for field in ("groups", "user_permissions"):
        relation: Any = getattr(users, field, None)
        if relation is not None:
            _connect(m2m_changed, _permissions_of_users_changed, relation.through)
    group: Any = apps.get_model("auth", "Group")
    _connect(m2m_changed, _permissions_of_a_group_changed, group.permissions.through)
    _connect(post_delete, _group_deleted, group)


def _connect(signal: Any, receiver: Callable[..., None], sender: Any = None) -> None:
    signal.connect(receiver, sender=sender, dispatch_uid=f"channels.access.{receiver.__name__}.{sender}")


def _when_committed(change: Change, using: str | None = None) -> None:
    connection = transaction.get_connection(using)
    if connection.in_atomic_block:
        connection.on_commit(partial(announce, change))
    else:  # a project without a database may log people out, too
        announce(change)


def _logged_out(sender: Any, request: Any = None, **kwargs: Any) -> None:
    session_ended(getattr(getattr(request, "session", None), "session_key", None))


def session_ended(session_key: str | None) -> None:
    """Announce that a session is flushed, or about to be."""
    if session_key:
        _when_committed(Change(session=digest_of(session_key)))


def _user_saved(
    sender: Any, instance: Any, created: bool, using: str, update_fields: Iterable[str] | None, **kwargs: Any
) -> None:
    if not created and (update_fields is None or not _HARMLESS.issuperset(update_fields)):
        _when_committed(Change(user=str(instance.pk)), using)


def _user_deleted(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    _when_committed(Change(user=str(instance.pk)), using)


def _permissions_of_users_changed(
    sender: Any, instance: Any, action: str, pk_set: set[Any] | None, using: str, **kwargs: Any
) -> None:
    if action in _CHANGES:
        users = [instance.pk] if isinstance(instance, get_user_model()) else pk_set
        for key in [""] if users is None else users:  # who had it is not said
            _when_committed(Change(user=str(key), permissions=True), using)


def _permissions_of_a_group_changed(sender: Any, action: str, using: str, **kwargs: Any) -> None:
    if action in _CHANGES:
        _when_committed(Change(permissions=True), using)


def _group_deleted(sender: Any, using: str, **kwargs: Any) -> None:
    _when_committed(Change(permissions=True), using)
