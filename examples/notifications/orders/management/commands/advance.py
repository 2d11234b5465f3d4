"""``manage.py advance``: let orders go one step on their way, as a nightly job would."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import transaction

from orders.models import Order, advance


class Command(BaseCommand):
    help = "Lets orders go one step on their way; without numbers, all that are not delivered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("numbers", nargs="*", type=int)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Change all of them or none: pages hear of it when the transaction is committed."""
        orders = Order.objects.exclude(status=Order.Status.DELIVERED)
        for number in options["numbers"]:
            if not orders.filter(pk=number).exists():
                raise CommandError(f"There is no order {number} on its way.")
        for order in orders.filter(pk__in=options["numbers"]) if options["numbers"] else orders:
            advance(order)
            self.stdout.write(f"{order} is {order.get_status_display().lower()}")
