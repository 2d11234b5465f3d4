"""Who is in a group: the answer of all processes, and how many of them did not answer in time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final

from channels import telemetry

#: Seconds that processes have to answer, unless the caller says otherwise.
ANSWER_TIMEOUT: Final = 1.0


class GroupChannels(list[str]):
    """The channels of a group, sorted.

    Args:
        channels: their names; each counts once.
        unanswered: how many processes with members did not answer in time: their channels are missing.

    Attributes:
        unanswered: see above; 0 if nothing is missing.
    """

    def __init__(self, channels: Iterable[str] = (), unanswered: int = 0) -> None:
        super().__init__(sorted(set(channels)))
        self.unanswered = unanswered
        if unanswered:
            telemetry.count("layer.group_unanswered", unanswered)

    @property
    def count(self) -> GroupCount:  # type: ignore[override]  # of a list's items each is there once
        """How many there are."""
        return GroupCount(len(self), self.unanswered)


class GroupCount(int):
    """How many channels a group has; ``unanswered`` as in :class:`GroupChannels`."""

    unanswered: int

    def __new__(cls, number: int, unanswered: int = 0) -> GroupCount:
        """Return the number, with what is known of its completeness."""
        count = super().__new__(cls, number)
        count.unanswered = unanswered
        return count


class Answers:
    """Collects what processes answer to one question, from any thread.

    Attributes:
        done: settled when as many processes have answered as were asked.
    """

    def __init__(self) -> None:
        self.done: Future[None] = Future()
        self._channels: set[str] = set()
        self._answered = 0
        self._asked: int | None = None
        self._lock = threading.Lock()

    def expect(self, processes: int) -> None:
        """Note how many processes were asked; some may have answered already."""
        with self._lock:
            self._asked = processes
            self._settle()

    def add(self, channels: Iterable[str], last: bool = True) -> None:
        """Take a part of one process's answer; ``last`` says that nothing more comes from it."""
        with self._lock:
            self._channels.update(channels)
            self._answered += last
            self._settle()

    def _settle(self) -> None:
        if self._asked is not None and self._answered >= self._asked and not self.done.done():
            self.done.set_result(None)

    def result(self, own: Iterable[str]) -> GroupChannels:
        """Return what is known now, with the channels of this process."""
        with self._lock:
            return GroupChannels({*own, *self._channels}, max(0, (self._asked or 0) - self._answered))
