"""``layer.durable``: messages that are written in the caller's transaction and sent after its commit.

The layers know nothing of databases. The app ``channels.outbox`` says here what writes for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured

from channels.typing import Message


class DurableLayer(Protocol):
    """The same layer for messages that must not be lost between a commit and their way."""

    def group_send(self, group: str, message: Message, using: str | None = None) -> None:
        """Write ``message`` in the open transaction; it is sent to ``group`` after the commit."""

    def send(self, channel: str, message: Message, using: str | None = None) -> None:
        """Write ``message`` in the open transaction; it is sent to ``channel`` after the commit."""

    async def agroup_send(self, group: str, message: Message, using: str | None = None) -> None:
        """As :meth:`group_send`, for async code, which has no transaction open."""

    async def asend(self, channel: str, message: Message, using: str | None = None) -> None:
        """As :meth:`send`, for async code, which has no transaction open."""


_makers: list[Callable[[Any], DurableLayer]] = []


def provide(make: Callable[[Any], DurableLayer]) -> None:
    """Have ``make`` called with a layer whose ``durable`` is asked for."""
    _makers[:] = [make]


def durable_layer(layer: Any) -> DurableLayer:
    """Return what writes durable messages of ``layer``.

    Raises:
        ImproperlyConfigured: the app that does it is not installed.
    """
    if not _makers:
        raise ImproperlyConfigured(
            "layer.durable needs the app 'channels.outbox': add it to INSTALLED_APPS, then run "
            "`manage.py migrate`."
        )
    return _makers[0](layer)
