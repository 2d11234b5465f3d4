"""The names of what a store keeps in Redis."""

from __future__ import annotations

from typing import Final

from channels.layers.redis.wire.keys import Topic

#: What would end a hash tag, and what escapes it.
_ESCAPES: Final = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})
_SPECIAL: Final = frozenset("%{}")


class TopicKeys:
    """The names under one prefix; bytes, so that no option of a host encodes them in another way.

    Args:
        prefix: begins all of them; stores with different prefixes do not meet.

    Attributes:
        control: where messages to all are published.
        leases: the key of the topics whose presence has to be looked at, by when that is due.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.control = Topic(f"{prefix}:control".encode(), "control", "")
        self.leases = f"{prefix}:leases".encode()

    def base(self, topic: str) -> bytes:
        """Return how the keys of a topic begin; the name in it is their hash tag."""
        tag = topic if _SPECIAL.isdisjoint(topic) else topic.translate(_ESCAPES)
        return f"{self._prefix}:{{{tag}}}".encode()

    def channel(self, topic: str) -> Topic:
        """Return what a process subscribes to for a topic."""
        return Topic(self.base(topic) + b":s", "stream", topic)

    def stream(self, topic: str) -> tuple[bytes, ...]:
        """Return the keys of a stream and its facts."""
        base = self.base(topic)
        return base + b":s", base + b":m"

    def idempotent(self, topic: str, key: str) -> tuple[bytes, ...]:
        """Return the keys of a stream, its facts and what an idempotency key led to."""
        base = self.base(topic)
        return base + b":s", base + b":m", base + b":i:" + key.encode()

    def value(self, key: str) -> bytes:
        """Return the key of a value beside the topics."""
        return self.base(key) + b":v"

    def presence(self, topic: str) -> tuple[bytes, ...]:
        """Return the key of the stream, and those of who is present."""
        base = self.base(topic)
        return base + b":s", base + b":p", base + b":l", base + b":u"
