"""Who in this process wants to hear of which topic: shared by the stores."""

from __future__ import annotations

import threading

from channels.topics.stores.base import Event, Receiver


class Receivers:
    """The receivers of one process, one per event loop, and the topics each has subscribed to.

    Changes are made under a lock; whoever delivers reads tuples that are never changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attached: tuple[Receiver, ...] = ()
        self._topics: dict[str, tuple[Receiver, ...]] = {}

    def attach(self, receiver: Receiver) -> None:
        """Tell ``receiver`` of what concerns all."""
        with self._lock:
            if receiver not in self._attached:
                self._attached = (*self._attached, receiver)

    def detach(self, receiver: Receiver) -> list[str]:
        """Forget ``receiver``; returns the topics to which nobody is subscribed any more."""
        with self._lock:
            self._attached = _without(self._attached, receiver)
            return [topic for topic in tuple(self._topics) if self._remove(topic, receiver)]

    def subscribe(self, topic: str, receiver: Receiver) -> bool:
        """Add a subscription; whether it is the first to that topic."""
        with self._lock:
            receivers = self._topics.get(topic, ())
            if receiver not in receivers:
                self._topics[topic] = (*receivers, receiver)
            return not receivers

    def unsubscribe(self, topic: str, receiver: Receiver) -> bool:
        """End a subscription; whether it was the last to that topic."""
        with self._lock:
            return self._remove(topic, receiver)

    def __contains__(self, topic: str) -> bool:
        """Whether anybody has subscribed to ``topic``."""
        return topic in self._topics

    @property
    def any(self) -> bool:
        """Whether there is any receiver."""
        return bool(self._attached)

    def has(self, topic: str, receiver: Receiver) -> bool:
        """Whether ``receiver`` has subscribed to ``topic``."""
        return receiver in self._topics.get(topic, ())

    def topics(self) -> list[str]:
        """Return the topics that somebody has subscribed to."""
        return list(self._topics)

    def deliver(self, topic: str, event: Event) -> None:
        """Tell those who subscribed to ``topic``."""
        for receiver in self._topics.get(topic, ()):
            receiver.received(topic, event)

    def control(self, message: bytes) -> None:
        """Tell all of a control message."""
        for receiver in self._attached:
            receiver.controlled(message)

    def interrupt(self) -> None:
        """Tell all that something may have been lost."""
        for receiver in self._attached:
            receiver.interrupted()

    def _remove(self, topic: str, receiver: Receiver) -> bool:
        receivers = self._topics.get(topic, ())
        if receiver not in receivers:
            return False
        rest = _without(receivers, receiver)
        if rest:
            self._topics[topic] = rest
        else:
            del self._topics[topic]
        return not rest


def _without(receivers: tuple[Receiver, ...], receiver: Receiver) -> tuple[Receiver, ...]:
    return tuple(each for each in receivers if each is not receiver)
