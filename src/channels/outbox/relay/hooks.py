"""Hook calls are claimed by any process that has a free thread, and run there."""

from __future__ import annotations

import logging
import random
import threading
import time
from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from channels import telemetry
from channels.core.database import close_what_is_broken
from channels.outbox.hooks import MAX_BACKOFF, Hook, UnknownHook, find_hook
from channels.outbox.models import HookCall, Lease, State
from channels.outbox.relay.leases import Leases
from channels.outbox.relay.messages import explain
from channels.outbox.relay.threads import LINGER, DatabaseGuard, Threads

logger = logging.getLogger("channels.outbox")

_PREFIX: Final = "hooks:"
#: Seconds before another process is asked for a hook that this one does not know.
UNKNOWN: Final = 5.0


class LostClaim(Exception):
    """Another process has taken the row over: what was done is not to be recorded."""


class HookRelay:
    """Runs the hook calls of one database.

    Args:
        using: the alias.
        leases: of this process.
        threads: where they run.

    Attributes:
        others: whether other processes had claimed something when it was looked at.
    """

    def __init__(self, using: str, leases: Leases, threads: Threads) -> None:
        self._using, self._leases, self._threads = using, leases, threads
        self._lease = f"{_PREFIX}{leases.owner}"
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self._soonest: list[float] = []
        self._idle_since = 0.0
        self.others = False

    def run_due(self) -> float | None:
        """Run what is due, as far as there are threads; returns in how many seconds something else is."""
        self._claim()
        now = time.monotonic()
        if self._running:
            self._idle_since = now
        elif self._leases.holds(self._lease) and now - self._idle_since > LINGER:
            self._leases.remove(self._lease)
        with self._lock:
            self._soonest = [due for due in self._soonest if due > now]
            return min(self._soonest) - now if self._soonest else None

    def finish(self) -> None:
        """Have no lease any more, unless something still runs."""
        if not self._running:
            self._leases.remove(self._lease)

    def _claim(self) -> None:
        free = self._threads.free
        if free <= 0:
            return
        now = timezone.now()
        # A clock that was set back must not put off what was to be tried again within a day at most.
        due = Q(run_at__lte=now) | Q(run_at__gt=now + timedelta(seconds=MAX_BACKOFF + 60))
        found = self._all().filter(state=State.READY, owner="").filter(due).order_by("run_at", "id")
        keys = list(found.values_list("pk", flat=True)[:free])
        if not keys or not self._leases.take(self._lease):
            return
        self._all().filter(pk__in=keys, owner="", state=State.READY).update(
            owner=self._leases.owner, attempts=F("attempts") + 1
        )
        with self._lock:
            running = set(self._running)
        for row in self._all().filter(owner=self._leases.owner, state=State.READY).exclude(pk__in=running):
            with self._lock:
                self._running.add(row.pk)
            self._threads.submit(partial(self._run, row))

    def release_abandoned(self) -> None:
        """Free what processes that were killed have claimed."""
        beats = {
            lease.owner: lease.beat
            for lease in Lease._default_manager.using(self._using).filter(name__startswith=_PREFIX)
        }
        claimed = self._all().filter(state=State.READY).exclude(owner="").values_list("owner", flat=True)
        owners = (set(beats) | set(claimed.distinct())) - {self._leases.owner}
        for owner in owners:
            if self._leases.is_silent(f"{_PREFIX}{owner}", owner, beats.get(owner, -1)):
                self._release(owner, beats.get(owner))
        self.others = bool(owners)

    def _release(self, owner: str, beat: int | None) -> None:
        with transaction.atomic(using=self._using):
            lease = Lease._default_manager.using(self._using).filter(name=f"{_PREFIX}{owner}")
            if beat is not None and not lease.filter(beat=beat).delete()[0]:
                return  # it is there after all
            freed = self._all().filter(owner=owner).update(owner="")
        if freed:
            telemetry.count("outbox.lease_taken_over", freed, name="hooks")
            logger.warning("%d hook calls are run again: the process that ran them has gone.", freed)

    # In a thread of the hooks

    def _run(self, row: HookCall) -> None:
        guard = DatabaseGuard(self._using)
        try:
            close_what_is_broken()
            record = self._outcome(row)
            while record is not None and (wait := guard.call(partial(_done, record))) is not None:
                time.sleep(wait)
        except LostClaim:
            telemetry.count("outbox.lease_lost", name="hooks")
        finally:
            with self._lock:
                self._running.discard(row.pk)

    def _outcome(self, row: HookCall) -> Any:
        """Run the hook; returns what records its outcome in the database."""
        try:
            hook = find_hook(row.hook)
        except UnknownHook as error:
            return partial(self._put_off, row, error)
        if row.attempts > hook.options.attempts:
            return partial(self._bury, row, "The process ended while it ran, each time.")
        try:
            if hook.options.atomic:
                self._run_atomic(row, hook)
                return None
            hook.run(row.arguments)
        except LostClaim:
            raise
        except BaseException as error:
            return partial(self._failed, row, hook, error)
        return partial(self._succeeded, row)

    def _run_atomic(self, row: HookCall, hook: Hook[..., Any]) -> None:
        with transaction.atomic(using=self._using):
            hook.run(row.arguments)
            if not self._claimed(row).delete()[0]:
                raise LostClaim

    def _succeeded(self, row: HookCall) -> None:
        if not self._claimed(row).delete()[0]:
            telemetry.count("outbox.lease_lost", name="hooks")

    def _failed(self, row: HookCall, hook: Hook[..., Any], error: BaseException) -> None:
        options = hook.options
        if row.attempts >= options.attempts:
            self._bury(row, explain(error), error)
            return
        longest = min(options.backoff * 2.0 ** min(row.attempts - 1, 60), options.max_backoff)
        wait = longest * random.uniform(0.5, 1)  # noqa: S311
        text = "The %s failed, attempt %d of %d; the next one is in %.1f s."
        logger.warning(text, row, row.attempts, options.attempts, wait, exc_info=error)
        telemetry.count("outbox.hook_failed", hook=row.hook, error=type(error).__name__)
        self._again(row, wait, explain(error))

    def _put_off(self, row: HookCall, error: UnknownHook) -> None:
        telemetry.count("outbox.hook_unknown", hook=row.hook)
        if row.error != explain(error):
            logger.warning("The %s waits for a release that has it: %s", row, error)
        self._again(row, UNKNOWN, explain(error), attempts=row.attempts - 1)

    def _again(self, row: HookCall, wait: float, error: str, **values: Any) -> None:
        run_at = timezone.now() + timedelta(seconds=wait)
        self._claimed(row).update(owner="", run_at=run_at, error=error, **values)
        with self._lock:
            self._soonest.append(time.monotonic() + wait)

    def _bury(self, row: HookCall, text: str, error: BaseException | None = None) -> None:
        telemetry.count("outbox.hook_dead", hook=row.hook)
        logger.error("The %s is a dead letter: %s", row, text, exc_info=error)
        self._claimed(row).update(owner="", state=State.DEAD, failed_at=timezone.now(), error=text)

    def _claimed(self, row: HookCall) -> QuerySet[HookCall]:
        return self._all().filter(pk=row.pk, owner=self._leases.owner)

    def _all(self) -> QuerySet[HookCall]:
        return HookCall._default_manager.using(self._using)


def _done(record: Any) -> None:
    record()
