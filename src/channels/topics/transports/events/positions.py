"""Where a stream is, as the id of an event: ``offset:epoch``, for several topics one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from channels.topics.stores.base import Position

#: ASCII without spaces: some clients send ids of other characters wrongly, and outer spaces are lost.
_POSITION: Final = re.compile(r"([0-9]{1,19}):([!-+\--~]{1,64})", re.ASCII)
_NONE: Final = "-"
_SEPARATOR: Final = ","


def position_text(position: Position | None) -> str:
    """Return a position as a part of an id; that of a topic without a history says so."""
    return _NONE if position is None else f"{position.offset}:{position.epoch}"


def identifier_for(positions: Sequence[Position | None]) -> str:
    """Return the id of a stream of topics that are there; "" if none of them has a history."""
    if not any(positions):
        return ""
    return _SEPARATOR.join(map(position_text, positions))


def read_identifier(text: str, topics: int) -> list[Position | None] | None:
    """Return the positions that an id says, in the order of the topics; None if it is no id of such a stream.

    Args:
        text: the id.
        topics: how many topics the stream has.
    """
    parts = text.split(_SEPARATOR)
    matches = [_POSITION.fullmatch(part) for part in parts]
    if len(parts) != topics or any(
        match is None and part != _NONE for part, match in zip(parts, matches, strict=True)
    ):
        return None
    return [None if match is None else Position(int(match[1]), match[2]) for match in matches]
