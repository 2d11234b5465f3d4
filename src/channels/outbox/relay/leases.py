"""Leases: which process does what only one may do at a time.

No clock is compared with another: a lease is a number that its owner raises every second, and whoever has
seen it unchanged for :data:`SILENCE` seconds of its own monotonic clock takes it over. Clocks may jump.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

from django.db import IntegrityError
from django.db.models import F, QuerySet

from channels import telemetry
from channels.outbox.models import Lease

#: Seconds between two beats of an owner.
BEAT: Final = 1.0
#: Seconds without a beat after which an owner counts as gone.
SILENCE: Final = 4.0
#: Seconds after its last beat in which an owner may still act.
TRUST: Final = 3.0


class Leases:
    """The leases of this process in one database.

    Args:
        using: the alias.

    Attributes:
        owner: names this process; random, so that no process that comes after it is taken for it.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self.owner = secrets.token_hex(16)
        self._held: dict[str, float] = {}
        self._seen: dict[str, tuple[str, int, float]] = {}

    @property
    def any(self) -> bool:
        """Whether this process has one, and has to beat."""
        return bool(self._held)

    def holds(self, name: str) -> bool:
        """Whether this process may act: it has the lease, and has said so lately."""
        return time.monotonic() - self._held.get(name, float("-inf")) < TRUST

    def take(self, name: str) -> bool:
        """Take a lease that is free, or whose owner is gone; whether this process has it now."""
        if self.holds(name):
            return True
        now = time.monotonic()
        row = self._all().filter(name=name).first()
        if row is None:
            return self._create(name, now)
        free = row.owner in ("", self.owner)
        if not free and not self.is_silent(name, row.owner, row.beat):
            return False
        same = self._all().filter(name=name, owner=row.owner, beat=row.beat)
        if not same.update(owner=self.owner, beat=F("beat") + 1):
            return False
        if not free:
            telemetry.count("outbox.lease_taken_over", name=name)
        self._held[name] = now
        return True

    def is_silent(self, name: str, owner: str, beat: int) -> bool:
        """Whether what is seen now was seen unchanged for long enough."""
        now = time.monotonic()
        seen = self._seen.get(name)
        if seen is None or seen[:2] != (owner, beat):
            self._seen[name] = (owner, beat, now)
            return False
        return now - seen[2] >= SILENCE

    def beat(self) -> None:
        """Say that this process is there."""
        now = time.monotonic()
        for name in tuple(self._held):
            if self._all().filter(name=name, owner=self.owner).update(beat=F("beat") + 1):
                self._held[name] = now
            elif self._held.pop(name, None) is not None:
                telemetry.count("outbox.lease_lost", name=name)

    def release(self, name: str) -> None:
        """Let others have it."""
        if self._held.pop(name, None) is not None:
            self._all().filter(name=name, owner=self.owner).update(owner="")

    def remove(self, name: str) -> None:
        """Delete a lease that no other process will want."""
        if self._held.pop(name, None) is not None:
            self._all().filter(name=name, owner=self.owner).delete()

    def _create(self, name: str, now: float) -> bool:
        try:
            self._all().create(name=name, owner=self.owner, beat=1)
        except IntegrityError:
            return False
        self._held[name] = now
        return True

    def _all(self) -> QuerySet[Lease]:
        return Lease._default_manager.using(self._using)
