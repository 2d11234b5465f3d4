"""``manage.py feed``: publish prices until it is stopped."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from channels.topics import publish_batch
from market.models import Instrument
from market.prices import Market
from market.topics import Quote, Tick

TURN = 0.05  # seconds between two bursts
REPORT = 5.0  # seconds between two lines


class Command(BaseCommand):
    help = "Publishes random prices of all instruments."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=int, default=5000, help="prices a second, of all together")
        parser.add_argument(
            "--seconds", type=float, default=float("inf"), help="how long; until it is stopped"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        market = Market(Instrument.objects.values_list("symbol", "opening"))
        if not Instrument.objects.exists():
            raise CommandError("There are no instruments: run 'manage.py migrate' first.")
        begin = reported = time.monotonic()
        published = counted = 0
        while (now := time.monotonic()) < begin + options["seconds"]:
            due = min(int((now - begin) * options["rate"]) - published, options["rate"])
            self.publish(market, max(due, 0))
            published, counted = published + due, counted + due
            if now - reported > REPORT:
                self.stdout.write(f"{counted / (now - reported):,.0f} prices a second")
                reported, counted = now, 0
            time.sleep(TURN)

    def publish(self, market: Market, count: int) -> None:
        """Publish so many prices at once, each to the topic of its instrument."""
        at = time.time_ns() // 1_000_000
        publish_batch((Quote(symbol=symbol), Tick(price, at)) for symbol, price in market.move(count))
