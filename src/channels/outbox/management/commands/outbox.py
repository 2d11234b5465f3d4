"""``manage.py outbox``: what waits in the outbox, and what becomes of dead letters."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet

from channels.outbox.dead_letters import discard, retry
from channels.outbox.models import DurableMessage, Entry, HookCall, State
from channels.outbox.relay.relay import Relay

_MODELS: dict[str, type[Entry]] = {"message": DurableMessage, "hook": HookCall}
_SHOWN = 100


class Command(BaseCommand):
    """Lists, tries again and discards; or relays, where nothing serves."""

    help = "Shows what waits in the outbox, tries dead letters again, or discards them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the verbs."""
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="The alias of the database.")
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help=f"Show the oldest {_SHOWN} of each kind.")
        listing.add_argument("--dead", action="store_true", help="Dead letters only.")
        for verb, does in (("retry", "Try dead letters again."), ("discard", "Delete dead letters.")):
            chosen = verbs.add_parser(verb, help=does)
            chosen.add_argument("which", nargs="*", help="For example hook:17 message:3.")
            chosen.add_argument("--all", action="store_true", help="All there are.")
        verbs.add_parser("relay", help="Relay until SIGTERM or SIGINT, as servers do anyway.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        getattr(self, options["verb"])(options)

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each row."""
        for name, model in _MODELS.items():
            rows = model._default_manager.using(options["database"]).order_by("id")
            for row in rows.filter(state=State.DEAD) if options["dead"] else rows[:_SHOWN]:
                error = row.error.splitlines()[0] if row.error else ""
                line = f"{name}:{row.pk}  {row.state}  attempts {row.attempts}  {row}  {error}"
                self.stdout.write(line.rstrip())

    def retry(self, options: dict[str, Any]) -> None:
        """Try dead letters again."""
        self.stdout.write(f"{sum(map(retry, self._chosen(options)))} are tried again.")

    def discard(self, options: dict[str, Any]) -> None:
        """Delete dead letters."""
        self.stdout.write(f"{sum(map(discard, self._chosen(options)))} were discarded.")

    def relay(self, options: dict[str, Any]) -> None:
        """Relay until a signal comes."""
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        relay = Relay(options["database"])
        relay.start()
        self.stdout.write(f"Relaying the outbox of {options['database']!r}.")
        self.stdout.flush()
        ended.wait()
        relay.stop(timeout=10)

    def _chosen(self, options: dict[str, Any]) -> Iterator[QuerySet[Any]]:
        if not options["which"] and not options["all"]:
            raise CommandError("Say which (hook:17 message:3), or --all.")
        for name, model in _MODELS.items():
            rows = model._default_manager.using(options["database"])
            yield rows if options["all"] else rows.filter(pk__in=list(_keys(options["which"], name)))


def _keys(which: list[str], name: str) -> Iterator[int]:
    for each in which:
        kind, _, key = each.partition(":")
        if kind not in _MODELS or not key.isdecimal():
            raise CommandError(f"{each!r} is no row of the outbox. `manage.py outbox list` shows them.")
        if kind == name:
            yield int(key)
