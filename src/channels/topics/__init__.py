"""Topics: named streams that clients subscribe to and server code publishes to.

A project describes its topics in ``topics.py`` of its apps, by subclasses of
:class:`~channels.topics.topic.Topic`. Clients speak the Centrifuge protocol, which
``channels.protocols.centrifuge`` reads and writes.

The way of a publication: ``topic.py`` turns data into JSON of the topic's type, ``publishing.py`` waits for
the commit, ``stores/`` number it and carry it to each process, ``delivery/`` brings it to the subscribers of
a loop, encoded once. The way of a command: ``transports/`` give frames to ``session/``, which decides what a
client may have and subscribes it.

Imports go down: transports, session, delivery, topic, registry, stores. What to keep in mind when this is
changed: users subclass Topic, so that machinery of ours stands outside of it.
"""

from typing import Any

from channels.topics.actions import (
    HistoryPage,
    adisconnect,
    ahistory,
    anotify,
    apresence,
    apresence_stats,
    apublish_batch,
    apublish_many,
    aremove_history,
    aunsubscribe,
    disconnect,
    history,
    notify,
    presence,
    presence_stats,
    publish_batch,
    publish_many,
    remove_history,
    unsubscribe,
)
from channels.topics.calls import RPCError, rpc
from channels.topics.payloads import InvalidData
from channels.topics.registry import UnknownTopic
from channels.topics.stores.base import Position, StoreUnavailable
from channels.topics.topic import Entry, History, Topic
from channels.topics.user import User

__all__ = [
    "Entry",
    "History",
    "HistoryPage",
    "InvalidData",
    "Position",
    "RPCError",
    "StoreUnavailable",
    "Topic",
    "UnknownTopic",
    "User",
    "adisconnect",
    "ahistory",
    "anotify",
    "apresence",
    "apresence_stats",
    "apublish_batch",
    "apublish_many",
    "aremove_history",
    "aunsubscribe",
    "disconnect",
    "history",
    "notify",
    "presence",
    "presence_stats",
    "publish_batch",
    "publish_many",
    "remove_history",
    "rpc",
    "unsubscribe",
    "websocket_urlpatterns",
]


def __getattr__(name: str) -> Any:
    """Import the routes when they are asked for: they need Django's apps, which import this module first."""
    if name != "websocket_urlpatterns":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from channels.topics.routing import websocket_urlpatterns

    return websocket_urlpatterns
