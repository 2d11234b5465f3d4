"""The relay of one database in one process."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils import timezone

from channels import telemetry
from channels.outbox.configuration import outbox_configuration
from channels.outbox.models import DurableMessage, Entry, HookCall, State
from channels.outbox.relay.hooks import HookRelay
from channels.outbox.relay.leases import BEAT, Leases
from channels.outbox.relay.messages import MessageRelay
from channels.outbox.relay.threads import OnDemandThread, Threads
from channels.wakeups import Listener, listen

logger = logging.getLogger("channels.outbox")

#: Seconds between two deletions of dead letters that are too old, and how many are deleted at once.
PRUNE: Final = 3600.0
PRUNED: Final = 1000


class Relay:
    """Relays what the outbox of a database holds, beside other processes that do the same.

    Args:
        using: the alias.
    """

    def __init__(self, using: str) -> None:
        self.using = using
        self._leases = Leases(using)
        self._messages = MessageRelay(using, self._leases)
        self._poller = OnDemandThread(f"outbox-{using}", using, self._look, self._finish)
        most = outbox_configuration().hook_threads
        self._threads = Threads(f"outbox-hook-{using}", most, self._poller.wake)
        self._hooks = HookRelay(using, self._leases, self._threads)
        self._sender = OnDemandThread(
            f"outbox-messages-{using}", using, self._messages.relay, self._messages.finish
        )
        self._listeners: list[Listener] | None = None
        self._surveyed_at = self._prune_at = float("-inf")

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._poller.wake()

    def stop(self, timeout: float) -> None:
        """End: what is being sent is sent; hooks get ``timeout`` seconds to finish, and else run again."""
        end = time.monotonic() + timeout
        for listener in self._listeners or ():
            listener.close()
        self._messages.stopping = True
        self._sender.stop(timeout)
        self._threads.wait(max(0.0, end - time.monotonic()))
        self._poller.stop(max(0.1, end - time.monotonic()))

    def _look(self) -> float:
        """Do what nobody has told of; returns in how many seconds to look again."""
        if self._listeners is None:
            self._listeners = self._listen()
        now = time.monotonic()
        if now - self._surveyed_at > 0.9 * BEAT:  # not at each wake-up: there may be many in a second
            self._surveyed_at = now
            self._survey()
        wait = self._hooks.run_due()
        longest = BEAT if self._leases.any or self._hooks.others else outbox_configuration().poll_interval
        return longest if wait is None else min(wait, longest)

    def _listen(self) -> list[Listener]:
        try:
            return [
                listen(DurableMessage.WAKEUP, self.using, self._sender.wake),
                listen(HookCall.WAKEUP, self.using, self._poller.wake),
            ]
        except ImproperlyConfigured as error:
            logger.error("Nothing wakes the relay of the outbox, it looks every few seconds: %s", error)
            return []

    def _survey(self) -> None:
        self._leases.beat()
        if self._messages.is_pending():
            self._sender.wake()
        self._hooks.release_abandoned()
        self._prune()

    def _finish(self) -> None:
        self._hooks.finish()

    def _prune(self) -> None:
        keep = outbox_configuration().keep_dead
        if keep is None or time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE
        for model in (DurableMessage, HookCall):
            pruned = prune(model._default_manager.using(self.using), keep)
            if pruned:
                telemetry.count("outbox.pruned", pruned, model=model.__name__)


def prune(rows: QuerySet[Entry], keep: float) -> int:
    """Delete dead letters that are older than ``keep`` seconds; returns how many."""
    old = rows.filter(state=State.DEAD, failed_at__lt=timezone.now() - timedelta(seconds=keep))
    pruned = 0
    while keys := list(old.values_list("pk", flat=True)[:PRUNED]):
        pruned += rows.filter(pk__in=keys).delete()[0]
    return pruned
