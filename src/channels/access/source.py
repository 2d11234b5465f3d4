"""A consumer's source of messages about its user, for as long as the consumer listens."""

from __future__ import annotations

from typing import Any

from channels.access.credentials import Credentials, Reason, credentials_of
from channels.access.signals import connect_signals
from channels.access.watch import running_watcher
from channels.core.lazy import LazyRef, get_if_loaded
from channels.mailbox import ACCESS_SOURCE, AuthChanged
from channels.typing import Message, Scope, Wakeup

_PRIVILEGES = ("is_staff", "is_superuser")


class AccessSource:
    """An :class:`~channels.typing.EventSource` that has at most one message.

    Args:
        scope: with the user.
        credentials: what the right to the connection rests on.
    """

    __slots__ = ("_message", "_wakeup", "credentials", "scope")

    def __init__(self, scope: Scope, credentials: Credentials) -> None:
        self.scope, self.credentials = scope, credentials
        self._message: Message | None = None
        self._wakeup: Wakeup | None = None

    def receive_nowait(self) -> Message | None:
        """See :class:`~channels.typing.EventSource`."""
        message, self._message = self._message, None
        return message

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """Watch the connection from now on, or, without ``wakeup``, no more."""
        self._wakeup = wakeup
        if wakeup is None:
            running_watcher().discard(self)
        else:
            running_watcher().add(self)

    def access_ended(self, reason: Reason) -> None:
        """See :class:`~channels.access.watch.Watched`."""
        from django.contrib.auth.models import AnonymousUser  # has models: not before the apps are ready

        self._tell(reason, AnonymousUser())

    def user_changed(self, user: Any, permissions: bool) -> None:
        """See :class:`~channels.access.watch.Watched`."""
        before = self.credentials.user
        changed = any(getattr(before, name, None) != getattr(user, name, None) for name in _PRIVILEGES)
        if permissions or changed:
            self._tell(Reason.PERMISSIONS_CHANGED, user)
        self.credentials = self.credentials._replace(user=user)

    def _tell(self, reason: Reason, user: Any) -> None:
        """Put the user into the scope and tell, unless the consumer has put another one there itself."""
        lazy = self.scope.get("user")
        if get_if_loaded(lazy) is not self.credentials.user:
            return
        if isinstance(lazy, LazyRef):
            lazy._wrapped = user  # type: ignore[misc]  # as AuthMiddleware does it
        else:
            self.scope["user"] = user
        self._message = AuthChanged(reason.value)
        if self._wakeup is not None:
            self._wakeup()


def watch_for_life(scope: Scope) -> None:
    """Have the consumer that this scope is for told when its user loses the right to the connection."""
    credentials = credentials_of(scope.get("user"), scope.get("session"))
    if credentials is not None:
        connect_signals()
        scope[ACCESS_SOURCE] = AccessSource(scope, credentials)
