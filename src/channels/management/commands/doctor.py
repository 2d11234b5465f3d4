"""``manage.py doctor``: whether what runs works, step by step, and what to do if not."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.core.management import BaseCommand, CommandError

from channels.observability.doctor.local import examination as local
from channels.observability.doctor.site import examination as site
from channels.observability.doctor.site.target import Target
from channels.observability.doctor.steps import as_data, as_text, exit_code


class Command(BaseCommand):
    """Looks at settings, layers, stores, databases and tasks; with ``--url``, at the site from outside."""

    help = "Looks at what runs, in the order in which a request travels. Exits with 1 if something is wrong."
    requires_system_checks = ()  # they are its first step

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is looked at, and how it is said."""
        parser.add_argument("--url", help="Look at the site from outside, too: https://example.org")
        parser.add_argument("--json", action="store_true", help="Say it as JSON.")
        parser.add_argument(
            "--ca", default="", help=("A file with the authority of the site's certificate (PEM).")
        )
        parser.add_argument(
            "--idle",
            type=float,
            default=30.0,
            metavar="SECONDS",
            help="For how long a silent WebSocket is watched. [30]",
        )
        parser.add_argument(
            "--body", type=int, default=2_500_000, metavar="BYTES", help="The body that is sent. [2500000]"
        )
        parser.add_argument(
            "--message",
            type=int,
            default=1_000_000,
            metavar="BYTES",
            help="The largest WebSocket message that is sent. [1000000]",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Take all steps, and say what they have found.

        Raises:
            CommandError: the URL is none.
        """
        steps = list(local.examine())
        if options["url"]:
            address = urlsplit(options["url"])
            if address.scheme not in ("http", "https") or not address.hostname:
                raise CommandError(f"--url {options['url']} is no address: write https://example.org.")
            names = ("url", "ca", "idle", "body", "message")
            steps += site.examine(Target(**{name: options[name] for name in names}))
        self.stdout.write(json.dumps(as_data(steps), indent=2) if options["json"] else as_text(steps))
        if exit_code(steps):
            sys.exit(1)
