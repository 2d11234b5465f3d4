"""The names of what a layer keeps in Redis: topics to publish on, keys of queues."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

#: Those of a layer, and "stream" and "control", which a store of topics has.
Kind = Literal["group", "process", "channel", "news", "roll-call", "repair", "stream", "control"]


class Topic(NamedTuple):
    """Something processes publish on and subscribe to.

    Attributes:
        key: its name in Redis.
        kind: what it carries: the messages of a group, those for the channels of a process,
            those of one channel, the news that a queue has a message, the question which
            number each sender has reached, or what a process is asked and told of missed messages.
        name: the group, process or channel; decides the shard.
    """

    key: bytes
    kind: Kind
    name: str


class Keys(NamedTuple):
    """The keys of one queue; they share a hash tag, so a cluster keeps them together."""

    ready: str
    taken: str
    leases: str
    held: str
    seen: str


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The names under one prefix.

    Args:
        prefix: the layer's setting; layers with different prefixes do not meet.
        family: stands before the kind, so that layers that treat a name differently do not meet.
    """

    prefix: str
    family: str = ""

    def topic(self, kind: Kind, name: str) -> Topic:
        """Return the topic of a group, process or channel."""
        if kind == "news":  # published by a script that has the queue's keys: same hash tag
            return Topic(f"{self.prefix}:{self.family}queue:{{{name}}}:news".encode(), kind, name)
        family = "" if kind == "process" else self.family  # of those no two have the same name
        shown = "roll-call" if kind == "repair" else kind  # so that a user of Redis needs no other rights
        return Topic(f"{self.prefix}:{family}{shown}:{name}".encode(), kind, name)

    def queue(self, channel: str) -> Keys:
        """Return the keys of the queue of a named channel."""
        base = f"{self.prefix}:{self.family}queue:{{{channel}}}"
        return Keys(f"{base}:ready", f"{base}:taken", f"{base}:leases", f"{base}:held", f"{base}:seen")

    @property
    def pattern(self) -> str:
        """A pattern of Redis that fits the keys of all queues, and perhaps keys of others."""
        return f"{_escaped(self.prefix)}:{self.family}queue:{{*}}:*"

    def owns(self, key: str | bytes) -> bool:
        """Whether ``key`` is one of a queue under this prefix, and not of a longer prefix."""
        name = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
        return (
            re.fullmatch(_QUEUE_KEY.format(base=re.escape(f"{self.prefix}:{self.family}")), name) is not None
        )


#: What a key of a queue looks like; a channel's name has no braces.
_QUEUE_KEY: Final = r"{base}queue:\{{[^{{}}]*\}}:(?:" + "|".join(Keys._fields) + ")"


def _escaped(prefix: str) -> str:
    """Return ``prefix`` so that Redis' patterns take it literally."""
    return "".join(f"\\{c}" if c in "*?[]^\\" else c for c in prefix)
