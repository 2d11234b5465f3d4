"""The names of what a store keeps in Redis."""

from __future__ import annotations

from typing import Final

from channels.layers.redis.wire.keys import Topic

#: What would end a hash tag, and what escapes it.
_ESCAPES: Final = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})
_SPECIAL: Final = frozenset("%{}")


class TopicKeys:
    """The names under one prefix.

    Args:
        prefix: begins all of them; stores with different prefixes do not meet.

    Attributes:
        control: where messages to all are published.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.control = Topic(f"{prefix}:control".encode(), "control", "")

    def base(self, topic: str) -> str:
        """Return how the keys of a topic begin; the name in it is their hash tag."""
        tag = topic if _SPECIAL.isdisjoint(topic) else topic.translate(_ESCAPES)
        return f"{self._prefix}:{{{tag}}}"

    def channel(self, topic: str) -> Topic:
        """Return what a process subscribes to for a topic."""
        return Topic(f"{self.base(topic)}:s".encode(), "stream", topic)

    def stream(self, topic: str) -> tuple[str, ...]:
        """Return the keys of a stream and its facts."""
        base = self.base(topic)
        return f"{base}:s", f"{base}:m"

    def idempotent(self, topic: str, key: str) -> tuple[str, ...]:
        """Return the keys of a stream, its facts and what an idempotency key led to."""
        base = self.base(topic)
        return f"{base}:s", f"{base}:m", f"{base}:i:{key}"

    def presence(self, topic: str) -> tuple[str, ...]:
        """Return the key of the stream, and those of who is present."""
        base = self.base(topic)
        return f"{base}:s", f"{base}:p", f"{base}:l", f"{base}:u"
