"""What the sync and the async consumer of TCP share: the framing of a connection, and ASGI's messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from channels import telemetry
from channels.core.private import PrivateField
from channels.protocols.framing.framings import new_framing
from channels.protocols.framing.interfaces import Framing, FramingError
from channels.typing import Message

logger = logging.getLogger("channels.consumer")


class Incoming:
    """What a peer's bytes are on their way to: one per connection.

    Args:
        framing: tells the messages apart.

    Attributes:
        stopped: no more messages are handled: the consumer has closed.
        broken: the peer broke the rules of the framing.
        ended: the peer sends nothing more.
    """

    __slots__ = ("broken", "ended", "framing", "stopped")

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.stopped = self.broken = self.ended = False

    @property
    def must_close(self) -> bool:
        """Whether the connection is still to be closed because of what the peer sent."""
        return self.broken and not self.stopped


#: Of each consumer, from :func:`begin` on.
incoming: PrivateField[Incoming] = PrivateField("tcp messages", None)  # type: ignore[arg-type]


def begin(consumer: Any) -> Message:
    """Make the framing of a consumer's connection, and return the message that accepts it.

    Raises:
        ValueError: there is no such framing, or an option of it is out of its range.
        TypeError: the framing is an instance, or an option is unknown.
    """
    incoming.set(consumer, Incoming(new_framing(consumer.framing, consumer.framing_options)))
    message: Message = {"type": "tcp.accept"}
    if consumer.idle_timeout is None or consumer.idle_timeout >= 0:
        message["idle_timeout"] = consumer.idle_timeout
    return message


def received(consumer: Any, data: bytes) -> Iterator[bytes]:
    """Return the messages that ``data`` completes, until one closes the connection or is malformed."""
    state = incoming.get(consumer)
    if state.stopped:
        return
    try:
        for message in state.framing.feed(data):
            yield message
            if state.stopped:
                return
    except FramingError as error:
        telemetry.count("consumer.bad_frame", reason=error.reason, consumer=type(consumer).__qualname__)
        logger.debug("A TCP peer of %s is closed: %s", type(consumer).__qualname__, error)
        state.broken = True


def send(consumer: Any, message: bytes) -> Message:
    """Return the message that sends one message of the framing.

    Raises:
        ValueError: the framing cannot pack it.
        TypeError: it is no bytes.
    """
    if not isinstance(message, bytes | bytearray | memoryview):
        raise TypeError(f"send() takes bytes, got {type(message).__name__}; encode text first.")
    return {"type": "tcp.send", "data": incoming.get(consumer).framing.pack(bytes(message))}


def end(consumer: Any) -> None:
    """The peer sends nothing more: count a message that its end has cut."""
    state = incoming.get(consumer)
    cut = getattr(state.framing, "pending", 0) and not (state.stopped or state.ended)
    state.ended = True
    if cut:
        telemetry.count("consumer.cut_frame", consumer=type(consumer).__qualname__)
