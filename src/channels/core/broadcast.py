"""A message for many sockets, past their consumers: what layers and servers agree on.

A group message of type ``websocket.send`` means the same to every member: write this. The
layer hands it to the sockets of idle members directly, and the first writer keeps what
the protocol makes of it, so that the frame is built once per process.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeAlias

from channels.typing import Message

#: The type of such messages: ASGI's for what a server is to write on a WebSocket.
BROADCAST_TYPE: Final = "websocket.send"


class Broadcast:
    """Messages of type ``websocket.send``, to be written in this order.

    Attributes:
        messages: see the ASGI specification; they must not be changed.
        encoded: the bytes of all of them, by how a socket wants them (its compression, say);
            None if there are none, as one of them is not valid. Writers put them there, so
            that each form is made once.
    """

    __slots__ = ("encoded", "messages")

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.encoded: dict[Hashable, bytes | None] = {}


#: Writes a broadcast to one socket at once and returns True, or does nothing and returns False:
#: the socket is not open or not writable, or its consumer is busy and order would suffer.
FastlaneWrite: TypeAlias = Callable[[Broadcast], bool]
