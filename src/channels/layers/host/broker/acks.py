"""Which messages the kernel has for all their receivers, so that their senders may forget them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
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
    """Collects by turn what was taken in, and says when it has been passed on."""

    def __init__(self) -> None:
        self._senders: dict[Peer, int] = {}
        self._batches: deque[Batch] = deque()

    def note(self, sender: Peer, number: int) -> None:
        """Note that frame ``number`` of ``sender`` is being passed on in this turn."""
        self._senders[sender] = number

    def end_turn(self, laggards: Iterable[Peer]) -> None:
        """Close the turn; ``laggards`` have not taken everything yet."""
        if not self._senders:
            return
        batch = Batch(self._senders, laggards)
        self._senders = {}
        if len(self._batches) >= MAX_BATCHES:
            self._batches[-1].merge(batch)
        else:
            self._batches.append(batch)

    def passed_on(self) -> Iterator[tuple[Peer, int]]:
        """Yield senders and the numbers up to which they may forget."""
        while self._batches and self._batches[0].passed_on:
            yield from self._batches.popleft().senders.items()

    def open(self) -> dict[str, int]:
        """Return by process the last number taken in, of those who might send something again."""
        numbers: dict[str, int] = {}
        for senders in (*(batch.senders for batch in self._batches), self._senders):
            numbers.update((peer.process, number) for peer, number in senders.items())
        return numbers
