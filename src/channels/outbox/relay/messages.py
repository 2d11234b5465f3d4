"""Messages of the outbox are sent by one process at a time, in the order in which they were written."""

from __future__ import annotations

import logging
import random
import re
import time
from typing import Final, NamedTuple

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from channels import telemetry
from channels.outbox.configuration import outbox_configuration
from channels.outbox.models import DurableMessage, State
from channels.outbox.relay.leases import BEAT, Leases
from channels.outbox.relay.sending import Verdict, send, verdict_on

logger = logging.getLogger("channels.outbox")

#: The name of the lease.
LEASE: Final = "messages"
#: Messages that are fetched at once, and deleted at once when they are sent.
BATCH: Final = 100
#: Seconds before the next attempt: the first wait, and the longest.
RETRY: Final = (0.1, 30.0)
AWAY: Final = (0.1, 2.0)
#: NUL, halves of characters, and what MySQL's utf8 of three bytes has not.
_UNSTORABLE: Final = re.compile("[^\x01-\ud7ff\ue000-\uffff]")
#: Groups and channels that wait for another attempt, at most; with more, all wait for the first of them.
MAX_WAITING: Final = 100


class Target(NamedTuple):
    """What has an order of its own; ``name`` None: all of a layer.

    Args:
        layer: its alias.
        kind: "group" or "channel"; "" for the layer.
        name: of the group or channel.
    """

    layer: str
    kind: str = ""
    name: str | None = None


class MessageRelay:
    """Sends what the outbox of one database holds.

    Args:
        using: the alias.
        leases: of this process.
    """

    def __init__(self, using: str, leases: Leases) -> None:
        self._using, self._leases = using, leases
        self._sent: list[int] = []
        self._waiting: dict[Target, tuple[float, int]] = {}
        self._others_until = 0.0
        self.stopping = False

    def relay(self) -> float | None:
        """Send all there is; returns in how many seconds to look again, None: when somebody says so."""
        wait = self._others_until - time.monotonic()
        if wait > 0:
            return wait
        while not self.stopping:
            self._delete_sent()
            rows = list(self._next())
            if not rows:
                return self._next_attempt()
            if not self._leases.take(LEASE):
                self._others_until = time.monotonic() + BEAT
                return BEAT
            self._send_all(rows)
        return None

    def finish(self) -> None:
        """Leave the rest to others."""
        self._delete_sent()
        self._leases.release(LEASE)

    def is_pending(self) -> bool:
        """Whether there are messages to be sent."""
        return self._all().filter(state=State.READY).exists()

    def _send_all(self, rows: list[DurableMessage]) -> None:
        for row in rows:
            if self.stopping or not self._leases.holds(LEASE):
                break
            if self._waits(row):
                continue
            try:
                send(row)
            except Exception as error:
                self._delete_sent()
                self._failed(row, error)
            else:
                self._sent.append(row.pk)
                self._waiting.pop(_target(row), None)
                self._waiting.pop(Target(row.layer), None)
        self._delete_sent()

    def _next(self) -> QuerySet[DurableMessage]:
        now = time.monotonic()
        found = self._all().filter(state=State.READY)
        waiting = [target for target, (until, _) in self._waiting.items() if until > now]
        if len(waiting) > MAX_WAITING:
            return found.none()
        for target in waiting:
            found = found.exclude(_rows_of(target))
        return found.order_by("id")[:BATCH]

    def _waits(self, row: DurableMessage) -> bool:
        """Whether a message of this batch, before this one, has to be tried again first."""
        now = time.monotonic()
        return any(
            self._waiting.get(target, (0.0, 0))[0] > now for target in (_target(row), Target(row.layer))
        )

    def _next_attempt(self) -> float | None:
        now = time.monotonic()
        if len(self._waiting) <= MAX_WAITING:  # what is due and has no rows was taken out by somebody
            self._waiting = {target: wait for target, wait in self._waiting.items() if wait[0] > now}
        return max(0.0, min((until for until, _ in self._waiting.values()), default=0) - now) or None

    def _delete_sent(self) -> None:
        """Delete what was sent; it stays known until then, so that nothing is sent twice."""
        if self._sent:
            self._all().filter(pk__in=self._sent).delete()
            self._sent.clear()

    def _failed(self, row: DurableMessage, error: Exception) -> None:
        verdict = verdict_on(error)
        most = outbox_configuration().max_attempts
        if verdict is Verdict.GIVE_UP or (verdict is Verdict.RETRY and row.attempts + 1 >= most):
            self._bury(row, error)
            return
        waits = verdict is Verdict.WAIT
        target = Target(row.layer) if waits else _target(row)
        first, longest = AWAY if waits else RETRY
        failures = self._waiting.get(target, (0.0, 0))[1] + 1
        wait = min(first * 2 ** min(failures - 1, 20), longest) * random.uniform(0.5, 1)  # noqa: S311
        self._waiting[target] = (time.monotonic() + wait, failures)
        telemetry.count("outbox.message_delayed", layer=row.layer, error=type(error).__name__)
        if failures == 1:
            logger.warning("The %s waits in the outbox: %s: %s", row, type(error).__name__, error)
        if not waits:
            self._all().filter(pk=row.pk).update(attempts=F("attempts") + 1, error=explain(error))

    def _bury(self, row: DurableMessage, error: Exception) -> None:
        telemetry.count("outbox.message_dead", layer=row.layer, error=type(error).__name__)
        logger.error("The %s is a dead letter: %s: %s", row, type(error).__name__, error)
        self._waiting.pop(_target(row), None)
        self._all().filter(pk=row.pk).update(
            attempts=F("attempts") + 1, state=State.DEAD, failed_at=timezone.now(), error=explain(error)
        )

    def _all(self) -> QuerySet[DurableMessage]:
        return DurableMessage._default_manager.using(self._using)


def explain(error: BaseException) -> str:
    """Return what a row says of an error: text that each database can store, whatever its encoding."""
    text = f"{type(error).__name__}: {error}"[:2000]
    return _UNSTORABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _target(row: DurableMessage) -> Target:
    return Target(row.layer, row.kind, row.target)


def _rows_of(target: Target) -> Q:
    if target.name is None:
        return Q(layer=target.layer)
    return Q(layer=target.layer, kind=target.kind, target=target.name)
