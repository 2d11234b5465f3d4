"""Which workers are dead, by what is seen of them: nobody's clock is compared with another's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Seen:
    beats: int
    since: float


class Observer:
    """Watches the beats of workers that run tasks.

    Who could not look for a while sees all workers anew: it was perhaps the database that was away, for
    them as well.

    Args:
        lease: seconds after which one that has not beaten is dead.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[str, _Seen] = {}
        self._looked_at = 0.0

    def silent(self, beats: Mapping[str, int], now: float) -> list[tuple[str, int]]:
        """Return those that are dead, each with its last beat.

        Args:
            beats: of each worker that has tasks at the moment.
            now: by a clock that never jumps, in seconds.
        """
        if now - self._looked_at > self._lease / 2:
            self._seen.clear()
        self._looked_at = now
        for gone in self._seen.keys() - beats.keys():
            del self._seen[gone]
        return [(owner, count) for owner, count in beats.items() if self._is_silent(owner, count, now)]

    def forget(self) -> None:
        """See all workers anew."""
        self._seen.clear()

    def _is_silent(self, owner: str, count: int, now: float) -> bool:
        seen = self._seen.get(owner)
        if seen is None or seen.beats != count:
            self._seen[owner] = _Seen(count, now)
            return False
        return now - seen.since >= self._lease
