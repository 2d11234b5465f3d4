"""Durable messages: what ``layer.durable`` is."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.asyncio import async_unsafe

from channels import DEFAULT_CHANNEL_LAYER, telemetry
from channels.db import database_sync_to_async
from channels.layers.base import BaseChannelLayer
from channels.layers.local.carried import arrived, on_wire
from channels.layers.local.values import require_message
from channels.layers.manager import channel_layers, get_channel_layer
from channels.layers.serializers import MsgPackSerializer
from channels.outbox.models import DurableMessage, Kind
from channels.outbox.writing import insert, require_size
from channels.typing import Message

_serializer = MsgPackSerializer()


class DurableMessages:
    """Writes messages of a layer in the transaction that is open; they are sent after its commit.

    They are sent at least once, and those to one group or channel in the order in which they were
    written. What is sent takes the way of any message of the layer from then on.

    Args:
        alias: of the layer.
        layer: whose names apply.
    """

    def __init__(self, alias: str, layer: Any) -> None:
        self._alias, self._layer = alias, layer

    @async_unsafe("In async code: await layer.durable.agroup_send(group, message).")
    def group_send(self, group: str, message: Message, using: str | None = None) -> None:
        """Send ``message`` to the members of ``group`` after the commit.

        Args:
            group: its name.
            message: a dict with a ``type``, of values that layers carry.
            using: the alias of the database; None: as the routers of the project say.

        Raises:
            TypeError: the name is invalid, or a value cannot travel, which is named.
            MessageTooLarge: it is over ``CHANNELS_OUTBOX["MAX_SIZE"]``.
            ImproperlyConfigured: the outbox of this database is relayed by nobody.
            DatabaseError: it cannot be written.
        """
        _names_of(self._layer).require_valid_group_name(group)
        self._write(Kind.GROUP, group, message, using)

    @async_unsafe("In async code: await layer.durable.asend(channel, message).")
    def send(self, channel: str, message: Message, using: str | None = None) -> None:
        """Send ``message`` to ``channel`` after the commit; raises what :meth:`group_send` raises.

        A channel that is full is tried again later.
        """
        _names_of(self._layer).require_valid_channel_name(channel)
        self._write(Kind.CHANNEL, channel, message, using)

    async def agroup_send(self, group: str, message: Message, using: str | None = None) -> None:
        """As :meth:`group_send`, in a transaction of its own: async code has none open."""
        await database_sync_to_async(self.group_send)(group, message, using)

    async def asend(self, channel: str, message: Message, using: str | None = None) -> None:
        """As :meth:`send`, in a transaction of its own: async code has none open."""
        await database_sync_to_async(self.send)(channel, message, using)

    def _write(self, kind: Kind, target: str, message: Message, using: str | None) -> None:
        require_message(message)
        if telemetry.carry is not None:
            message = on_wire(telemetry.carry(target, message))
        payload = _serializer.as_bytes(message)
        require_size(payload, "The message")
        insert(DurableMessage(layer=self._alias, kind=kind, target=target, payload=payload), using)


def durable(alias: str = DEFAULT_CHANNEL_LAYER) -> DurableMessages:
    """Return what ``layer.durable`` is, for any layer, also one of somebody else's.

    Args:
        alias: of the layer in ``CHANNEL_LAYERS``.

    Raises:
        ImproperlyConfigured: there is no such layer.
    """
    layer = get_channel_layer(alias)
    if layer is None:
        raise ImproperlyConfigured(
            f"There is no channel layer {alias!r}: add it to the setting CHANNEL_LAYERS."
        )
    return DurableMessages(alias, layer)


def durable_messages_of(layer: Any) -> DurableMessages:
    """Return ``layer.durable``.

    Raises:
        ImproperlyConfigured: it is no layer of the settings, so no other process could send for it.
    """
    for alias, known in channel_layers.backends.items():
        if known is layer:
            return DurableMessages(alias, layer)
    raise ImproperlyConfigured(
        f"{layer!r} is no layer of the setting CHANNEL_LAYERS, which any process could send by. "
        "Take it from get_channel_layer()."
    )


def _names_of(layer: Any) -> Any:
    """A layer of somebody else's need not check names as we do; then ours is the grammar."""
    return layer if hasattr(layer, "require_valid_group_name") else BaseChannelLayer()


def restore(payload: bytes) -> Any:
    """Return the message of a row, with what travels beside it."""
    return arrived(_serializer.from_bytes(payload))
