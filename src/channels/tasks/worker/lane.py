"""What the thread that speaks with the store asks of a lane, whatever runs tasks there."""

from __future__ import annotations

from typing import Final, Protocol

from channels.tasks.stores.records import Outcome
from channels.tasks.worker.attempt import Attempt

#: Seconds after which what waits is given back: what runs takes longer than was expected.
PATIENCE: Final = 0.25


class Lane(Protocol):
    """Runs attempts; its methods may be called in any thread."""

    def room(self) -> int:
        """Return how many more tasks it would take."""

    def free(self) -> int:
        """Return how many tasks it would start at once."""

    def put(self, attempts: list[Attempt]) -> None:
        """Run attempts, the first of them first."""

    def stop(self, task_id: str) -> None:
        """Tell a task that it is to end."""

    def held(self) -> set[str]:
        """Return the ids of the tasks that it has."""

    def deadline(self) -> float | None:
        """Return when the first of those that run has to have ended, by ``time.monotonic()``."""

    def cut_off(self, now: float) -> list[Outcome]:
        """Give up what has run for too long; returns what becomes of it."""

    def waits_since(self) -> float | None:
        """Return since when the oldest of those that are not started waits."""

    def take_back(self) -> list[Attempt]:
        """Return what was not started, and forget it."""
