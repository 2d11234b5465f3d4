"""What the thread that speaks with the store asks of a lane, whatever runs tasks there."""

from __future__ import annotations

from typing import Protocol

from channels.tasks.worker.attempt import Attempt


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
