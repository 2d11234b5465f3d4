"""The rules of the game, and nothing else: no Django, no clock, no network.

Ships fly in a square field and collect gems. A ship flies at one speed into one of eight directions, or not.
``static/arena/rules.js`` has the same rule of motion, so that a page can show its own ship without waiting.
"""

from __future__ import annotations

import math
import random
import struct
from dataclasses import asdict, dataclass, field
from typing import Any

TICKS = 20  # a second
FIELD = 1000.0  # the length of a side
SPEED = 240.0  # of a ship, a second
REACH = 30.0  # between the middles of a ship and a gem that it gets
GEMS = 12
MOST_PLAYERS = 8
LENGTH = 120 * TICKS  # of a match

# A snapshot: tick, number of ships, number of gems; then each ship, then each gem.
_HEAD = struct.Struct("!IBB")
_SHIP = struct.Struct("!IHHbbHH")  # user, x and y in tenths, direction, score, last input
_GEM = struct.Struct("!HH")


class Refused(Exception):
    """Somebody may not do this. Its argument says why."""


@dataclass(slots=True)
class Ship:
    """One player's ship.

    Attributes:
        user: the primary key of the player.
        x, y: its place.
        dx, dy: its direction, each -1, 0 or 1.
        score: gems.
        seq: the number of the last input that counts.
    """

    user: int
    x: float
    y: float
    dx: int = 0
    dy: int = 0
    score: int = 0
    seq: int = 0

    def move(self) -> None:
        """Fly for a tick; the field ends at its sides."""
        way = SPEED / TICKS / (math.hypot(self.dx, self.dy) or 1)
        self.x = min(max(self.x + self.dx * way, 0), FIELD)
        self.y = min(max(self.y + self.dy * way, 0), FIELD)


@dataclass(slots=True)
class World:
    """A match: its ships, its gems and its time."""

    tick: int = 0
    ships: dict[int, Ship] = field(default_factory=dict)
    gems: list[tuple[float, float]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether its time has come."""
        return self.tick >= LENGTH

    def join(self, user: int) -> None:
        """Give a player a ship, or the one that is there already.

        Raises:
            Refused: there are as many as may play, or the match is over.
        """
        if user in self.ships:
            return
        if self.over:
            raise Refused("The match is over.")
        if len(self.ships) >= MOST_PLAYERS:
            raise Refused("The match is full.")
        self.ships[user] = Ship(user, *_somewhere())

    def steer(self, user: int, seq: int, dx: int, dy: int) -> None:
        """Turn a ship. What is older than the last input, or of nobody, is passed over."""
        ship = self.ships.get(user)
        if ship is not None and (seq - ship.seq) % 65536 < 32768:
            ship.seq, ship.dx, ship.dy = seq % 65536, max(-1, min(dx, 1)), max(-1, min(dy, 1))

    def advance(self) -> None:
        """Let a tick pass."""
        self.tick += 1
        while len(self.gems) < GEMS:
            self.gems.append(_somewhere())
        for ship in self.ships.values():
            ship.move()
            left = [(x, y) for x, y in self.gems if math.hypot(x - ship.x, y - ship.y) > REACH]
            ship.score += len(self.gems) - len(left)
            self.gems = left

    def snapshot(self) -> bytes:
        """Return what pages draw. Ships and gems keep their order, so that differences are small."""
        ships = (
            _SHIP.pack(
                ship.user, round(ship.x * 10), round(ship.y * 10), ship.dx, ship.dy, ship.score, ship.seq
            )
            for ship in self.ships.values()
        )
        gems = (_GEM.pack(round(x * 10), round(y * 10)) for x, y in self.gems)
        return b"".join((_HEAD.pack(self.tick, len(self.ships), len(self.gems)), *ships, *gems))

    def dump(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return asdict(self)

    @classmethod
    def load(cls, state: dict[str, Any]) -> World:
        """Return a match as :meth:`dump` has left it."""
        ships = {int(user): Ship(**ship) for user, ship in state.get("ships", {}).items()}
        return cls(state.get("tick", 0), ships, [(x, y) for x, y in state.get("gems", [])])


def _somewhere() -> tuple[float, float]:
    return random.uniform(REACH, FIELD - REACH), random.uniform(REACH, FIELD - REACH)  # noqa: S311
