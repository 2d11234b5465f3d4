"""Who is here, as pages tell each other: of that, what a connection may say of itself.

A page draws names, colours and cursors as they come. So name and colour are the server's, and a place is one
in the text: nobody appears as somebody else, and no page gets what it cannot draw.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Annotated, Literal

import msgspec

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
GONE = b"null"


class Letter(msgspec.Struct):
    client: Number
    clock: Number


class Place(msgspec.Struct):
    """A place in the text: before or behind a letter, or at one of its ends. Pages need all four names."""

    type: None = None
    item: Letter | None = None
    tname: Literal["content"] | None = None
    assoc: int = 0

    def __post_init__(self) -> None:
        if self.item is None and self.tname is None:
            raise ValueError("no place")


class Cursor(msgspec.Struct):
    anchor: Place
    head: Place


class State(msgspec.Struct, omit_defaults=True):
    """What is known of a client."""

    user: dict[str, str] | None = None
    cursor: Cursor | None = None


_read = msgspec.json.Decoder(State).decode


def shown_as(name: str) -> dict[str, str]:
    """Return what pages show of somebody."""
    hue = 0
    for letter in name:
        hue = (hue * 31 + ord(letter)) % 360
    return {"name": name, "color": f"hsl({hue} 70% 40%)", "colorLight": f"hsl({hue} 70% 50% / 30%)"}


def own_states(
    states: Mapping[int, tuple[int, bytes]], shown: dict[str, str], known: Container[int]
) -> dict[int, tuple[int, bytes]]:
    """Return those of the states that somebody may tell.

    A page that is asked who is there tells what it has heard of others, too: they tell it themselves.

    Args:
        states: by client, each with its number and JSON.
        shown: what pages show of whoever tells.
        known: clients that this connection has told of.
    """
    found = {}
    for client, (clock, data) in states.items():
        if data == GONE and client in known:
            found[client] = clock, GONE
            continue
        try:
            state = _read(data)
        except (msgspec.DecodeError, RecursionError):
            continue
        if state.user is None or state.user.get("name") == shown["name"]:
            state.user = state.user and shown
            found[client] = clock, msgspec.json.encode(state)
    return found
