"""Which messages the kernel has for all their receivers, so that their senders may forget them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from channels.layers.host.broker.peer import Peer

#: Turns that wait for a slow receiver and are looked at one by one; later ones wait together.
MAX_BATCHES: Final = 64


class Batch:
    """The messages of one turn: their senders' last numbers, and who has to take them yet."""

    def __init__(self, senders: dict[Peer, int], laggards: Iterable[Peer]) -> None:
        self.senders = senders
        self._laggards = {peer: peer.queue.queued for peer in laggards}

    @property
    def passed_on(self) -> bool:
        """Whether every receiver has them, or has gone."""
        return all(peer.sock is None or peer.queue.written >= end for peer, end in self._laggards.items())

    def merge(self, later: Batch) -> None:
        """Take in a later turn."""
        self.senders.update(later.senders)
        self._laggards.update(later._laggards)


class AckTracker:
    """Says of each turn of the broker when the messages that were taken in have been passed on."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()

    def end_turn(
        self, senders: dict[Peer, int], laggards: Collection[Peer], held: bool = False
    ) -> Iterable[tuple[Peer, int]]:
        """Close a turn.

        Args:
            senders: who has sent messages in it, with the number of the last one.
            laggards: who has not taken everything yet.
            held: whether nobody may forget anything yet.

        Returns:
            Senders, and the numbers up to which they may forget.
        """
        if not (self._batches or laggards or held):
            return senders.items()
        if senders and len(self._batches) >= MAX_BATCHES:
            self._batches[-1].merge(Batch(senders, laggards))
        elif senders:
            self._batches.append(Batch(senders, laggards))
        passed_on: list[tuple[Peer, int]] = []
        while not held and self._batches and self._batches[0].passed_on:
            passed_on += self._batches.popleft().senders.items()
        return passed_on

    def open(self, senders: dict[Peer, int]) -> dict[str, int]:
        """Return by process the last number taken in, of those who might send something again.

        Args:
            senders: those of the turn that has not ended yet.
        """
        numbers: dict[str, int] = {}
        for taken_in in (*(batch.senders for batch in self._batches), senders):
            numbers.update((peer.process, number) for peer, number in taken_in.items())
        return numbers
