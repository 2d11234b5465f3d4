"""Sending one message by its layer, from a thread without an event loop."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from asgiref.sync import async_to_sync

from channels.exceptions import ChannelLayerUnavailable, MessageTooLarge
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
    _sender(row.layer, _METHODS[row.kind])(row.target, restore(bytes(row.payload)))


def _sender(alias: str, name: str) -> Callable[[str, Any], None]:
    """Return the method of the layer for sync code, unless the project has one of its own for async code."""
    layer = get_channel_layer(alias)
    if layer is None:
        raise UnknownLayer(f"There is no channel layer {alias!r} in CHANNEL_LAYERS.")
    method = getattr(layer, name)
    if getattr(method, "__module__", "").startswith(_OURS):
        door = _sync_layer(layer)
        if door is not None:
            found: Callable[[str, Any], None] = getattr(door, name)
            return found
    return async_to_sync(method)


def _sync_layer(layer: Any) -> Any:
    """Return ``layer.sync`` as our class made it: a subclass may use the name for something else."""
    for kind in type(layer).__mro__:
        if kind.__module__.startswith(_OURS) and "sync" in vars(kind):
            return vars(kind)["sync"].func(layer)
    return None
