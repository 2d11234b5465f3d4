"""``manage.py runworker``: run consumers for named channels."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers.manager import get_channel_layer
from channels.routing import get_default_application
from channels.worker import Worker

logger = logging.getLogger("django.channels.worker")


class Command(BaseCommand):
    """Runs a :class:`channels.worker.Worker` until it is told to stop."""

    help = "Handles the messages of named channels with the consumers of ASGI_APPLICATION."
    leave_locale_alone = True
    worker_class: type[Worker] = Worker

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare ``--layer`` and the channels."""
        parser.add_argument(
            "--layer",
            action="store",
            dest="layer",
            default=DEFAULT_CHANNEL_LAYER,
            help="Channel layer alias to use, if not the default.",
        )
        parser.add_argument("channels", nargs="+", help="Channels to listen on.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the worker.

        Raises:
            CommandError: there is no such channel layer.
        """
        self.verbosity = options.get("verbosity", 1)
        alias = options["layer"]
        layer = get_channel_layer(alias)
        if layer is None:
            raise CommandError(
                "You do not have any CHANNEL_LAYERS configured."
                if alias == DEFAULT_CHANNEL_LAYER
                else f"There is no channel layer {alias!r}: add it to the setting CHANNEL_LAYERS."
            )
        logger.info("Running worker for channels %s", options["channels"])
        worker = self.worker_class(
            application=get_default_application(),
            channels=options["channels"],
            channel_layer=layer,
        )
        worker.run()
