"""Sending one message by its layer, from a thread without an event loop."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from typing import Any, Final

from asgiref.sync import async_to_sync

from channels.exceptions import ChannelLayerUnavailable, InvalidChannelLayerError, MessageTooLarge
from channels.layers.manager import get_channel_layer
from channels.outbox.messages import restore
from channels.outbox.models import DurableMessage, Kind

_OURS: Final = "channels.layers."
_METHODS: Final = {Kind.GROUP.value: "group_send", Kind.CHANNEL.value: "send"}


class UnknownLayer(Exception):
    """The settings of this process have no layer of that alias."""


class Verdict(Enum):
    """What becomes of a message that could not be sent."""

    WAIT = "the layer is away: nothing is sent by it for a while, and nothing is given up"
    RETRY = "this group or channel is tried again a few times"
    GIVE_UP = "no attempt will ever succeed"


#: By the class of the error; the first that fits. What fits none is tried again.
_VERDICTS: Final[tuple[tuple[type[Exception], Verdict], ...]] = (
    (UnknownLayer, Verdict.WAIT),
    (ChannelLayerUnavailable, Verdict.WAIT),
    (ConnectionError, Verdict.WAIT),
    (TimeoutError, Verdict.WAIT),
    (MessageTooLarge, Verdict.GIVE_UP),
    (TypeError, Verdict.GIVE_UP),
)


def verdict_on(error: Exception) -> Verdict:
    """Return what an error of :func:`send` means for its message."""
    return next((verdict for kind, verdict in _VERDICTS if isinstance(error, kind)), Verdict.RETRY)


def send(row: DurableMessage) -> None:
    """Send a message; returns when the layer has taken it, and raises what the layer raises."""
    layer = get_channel_layer(row.layer)
    if layer is None:
        raise UnknownLayer(f"There is no channel layer {row.layer!r} in CHANNEL_LAYERS.")
    name, message = _METHODS[row.kind], restore(bytes(row.payload))
    method = getattr(layer, name)
    # A project's class may have a method of its own, which is meant.
    door = _sync_layer(layer) if getattr(method, "__module__", "").startswith(_OURS) else None
    if door is not None:
        # Connections to Redis of a class that sync code cannot use are no reason to send nothing.
        with suppress(InvalidChannelLayerError):
            getattr(door, name)(row.target, message)
            return
    async_to_sync(method)(row.target, message)


def _sync_layer(layer: Any) -> Any:
    """Return ``layer.sync`` as our class made it: a subclass may use the name for something else."""
    for kind in type(layer).__mro__:
        if kind.__module__.startswith(_OURS) and "sync" in vars(kind):
            return vars(kind)["sync"].func(layer)
    return None
