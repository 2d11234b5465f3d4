"""The time after a broker has died, in which its processes find the next one."""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeAlias

from channels.layers.host.broker.peer import Peer
from channels.layers.host.wire import frames as wire

#: Bytes kept for processes that are not back yet; more than that ends the time early.
MAX_BYTES: Final = 16 * 1024 * 1024
#: Groups whose messages are counted for processes that come later.
MAX_GROUPS: Final = 10_000

Kept: TypeAlias = wire.Publish | wire.Direct | wire.GroupChange


class FailoverBuffer:
    """Keeps what processes that are not back yet may have to get; later only counts it.

    Attributes:
        is_open: whether things are still kept.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._kept: list[tuple[Peer, Kept]] = []
        self._bytes = 0
        self._missed: Counter[str] = Counter()

    def keep(self, sender: Peer, frame: Kept) -> bool:
        """Keep ``frame``, or count it; True if that is more than may be kept."""
        if self.is_open:
            self._kept.append((sender, frame))
            self._bytes += wire.OVERHEAD if isinstance(frame, wire.GroupChange) else len(frame.payload)
        elif isinstance(frame, wire.Publish) and (
            frame.group in self._missed or len(self._missed) < MAX_GROUPS
        ):
            self._missed[frame.group] += 1
        return self.is_open and self._bytes > MAX_BYTES

    def take_all(self) -> list[tuple[Peer, Kept]]:
        """Return what is kept, in order, and keep nothing of it."""
        kept, self._kept, self._bytes = self._kept, [], 0
        return kept

    def close(self) -> list[tuple[Peer, Kept]]:
        """Keep no more; returns what was kept."""
        self.is_open = False
        kept = self.take_all()
        self._missed.update(frame.group for _, frame in kept if isinstance(frame, wire.Publish))
        return kept

    def missed(self, groups: list[str]) -> int:
        """Count the messages that a process with members in ``groups``, back too late, did not get."""
        return 0 if self.is_open else sum(self._missed[group] for group in groups)
