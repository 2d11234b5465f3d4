"""What travels with a message of a channel layer and is none of its content: where its trace goes on.

Between processes it is a key of the serialized message, under a name that no code can use as a keyword. A
receiver takes it out again, whether it traces or not; receivers of releases before this one leave it in.
"""

from __future__ import annotations

from typing import Any, Final

from channels.typing import Message

#: The key of a serialized message.
KEY: Final = "channels: trace"


class CarriedMessage(dict[str, Any]):
    """A message with what travels beside it.

    Args:
        message: the content.
        beside: names and values, as headers of W3C's Trace Context have them.

    Attributes:
        beside: see above.
    """

    __slots__ = ("beside",)

    def __init__(self, message: Message, beside: dict[str, str]) -> None:
        super().__init__(message)
        self.beside = beside


def on_wire(message: Message) -> Message:
    """Return a message as it is serialized."""
    return {**message, KEY: message.beside} if isinstance(message, CarriedMessage) else message


def arrived(message: Any) -> Any:
    """Return a message that was serialized as its receivers get it."""
    if not isinstance(message, dict) or KEY not in message:
        return message
    beside = message.pop(KEY)
    return CarriedMessage(message, beside) if isinstance(beside, dict) else message
