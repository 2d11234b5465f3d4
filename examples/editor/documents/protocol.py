"""The messages of y-websocket: the y-protocols ``sync`` and ``awareness``, as bytes.

Numbers are of variable length, seven bits a byte, the lowest first; arrays have their length before them.
Documented in github.com/yjs/y-protocols, PROTOCOL.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = range(4)
STEP_1, STEP_2, UPDATE = range(3)
_DENIED: Final = 0


class Malformed(Exception):
    """These bytes are no message."""


@dataclass(slots=True)
class Reader:
    """Reads a message from its beginning."""

    data: bytes
    at: int = 0

    def number(self) -> int:
        """Return the next number; raises Malformed if there is none."""
        value = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                raise Malformed("a number is missing")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def array(self) -> bytes:
        """Return the next bytes; raises Malformed if there are fewer."""
        length = self.number()
        found = self.data[self.at : self.at + length]
        if len(found) != length:
            raise Malformed("bytes are missing")
        self.at += length
        return found


def number(value: int) -> bytes:
    """Return a number as bytes."""
    found = bytearray()
    while value > 127:
        found.append(128 | (value & 127))
        value >>= 7
    found.append(value)
    return bytes(found)


def array(data: bytes) -> bytes:
    """Return bytes with their length before them."""
    return number(len(data)) + data


def sync(step: int, data: bytes) -> bytes:
    """Return a message of the protocol ``sync``: a state vector (STEP_1) or an update (STEP_2, UPDATE)."""
    return bytes((SYNC, step)) + array(data)


def denied(reason: str) -> bytes:
    """Return the message that somebody may not do this."""
    return bytes((AUTH, _DENIED)) + array(reason.encode())


def query_awareness() -> bytes:
    """Return the question who is there, which clients answer."""
    return bytes((QUERY_AWARENESS,))


def read_awareness(data: bytes) -> dict[int, tuple[int, bytes]]:
    """Return the states of clients, as JSON, each with the number of its news; raises Malformed."""
    reader = Reader(data)
    return {reader.number(): (reader.number(), reader.array()) for _ in range(reader.number())}


def awareness(states: Mapping[int, tuple[int, bytes]]) -> bytes:
    """Return the message with the states of clients."""
    entries = b"".join(
        number(client) + number(clock) + array(data) for client, (clock, data) in states.items()
    )
    return bytes((AWARENESS,)) + array(number(len(states)) + entries)


def left(clocks: dict[int, int]) -> bytes:
    """Return the message that these clients have left: of one that was heard since, nobody believes it."""
    return awareness({client: (clock, b"null") for client, clock in clocks.items()})
