"""``manage.py runworker``: run consumers for named channels, or background tasks."""

from __future__ import annotations

import logging
from argparse import Action, ArgumentParser, _StoreTrueAction
from typing import Any, cast

from django.core.management import BaseCommand, CommandError

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers.manager import get_channel_layer
from channels.layers.reach import warn_worker
from channels.process.platforms import HAS_WORKERS
from channels.routing import get_default_application
from channels.worker import Worker

logger = logging.getLogger("django.channels.worker")


class Command(BaseCommand):
    """Runs a :class:`channels.worker.Worker`, or one of tasks, until it is told to stop."""

    help = (
        "Handles the messages of named channels with the consumers of ASGI_APPLICATION; "
        "with --tasks, background tasks."
    )
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
        channels = parser.add_argument("channels", nargs="+", help="Channels to listen on.")
        add_task_arguments(parser, channels)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the worker.

        Raises:
            CommandError: there is no such channel layer, or no such backend of tasks.
        """
        if options.get("tasks"):
            run_tasks(options)
            return
        self.verbosity = options.get("verbosity", 1)
        alias = options["layer"]
        layer = get_channel_layer(alias)
        if layer is None:
            raise CommandError(
                "You do not have any CHANNEL_LAYERS configured."
                if alias == DEFAULT_CHANNEL_LAYER
                else f"There is no channel layer {alias!r}: add it to the setting CHANNEL_LAYERS."
            )
        warn_worker(alias)
        logger.info("Running worker for channels %s", options["channels"])
        logger.info("Its layer is %r", layer)  # to be compared with the one that senders name in their log
        worker = self.worker_class(
            application=get_default_application(),
            channels=options["channels"],
            channel_layer=layer,
        )
        worker.run()


class _InsteadOfChannels(_StoreTrueAction):
    """``--tasks``: with it no channel is required."""

    channels: Action

    def __call__(self, *args: Any) -> None:
        super().__call__(*args)
        self.channels.required = False


def add_task_arguments(parser: ArgumentParser, channels: Action) -> None:
    """Declare ``--tasks`` and what goes with it."""
    group = parser.add_argument_group("tasks")
    tasks = group.add_argument("--tasks", action=_InsteadOfChannels, help="Run background tasks instead.")
    cast(_InsteadOfChannels, tasks).channels = channels
    group.add_argument("--backend", default="default", help="Alias in the setting TASKS [default].")
    group.add_argument("--queues", default="", metavar="A,B", help="Queues to take tasks of [all].")
    group.add_argument("--threads", type=int, default=4, metavar="N", help="Threads for sync tasks [4].")
    group.add_argument("--concurrency", type=int, default=100, metavar="N", help="Async tasks at once [100].")
    group.add_argument("--processes", type=int, default=1, metavar="N", help="Processes that do so [1].")
    group.add_argument(
        "--drain", type=float, default=30.0, metavar="SECONDS", help="Seconds to end in after SIGTERM [30]."
    )


def run_tasks(options: dict[str, Any]) -> None:
    """Run a worker of tasks.

    Raises:
        CommandError: there is no such backend, or it is none of ours.
    """
    from channels.tasks.definition.contract import InvalidTaskBackend
    from channels.tasks.worker.main import run_worker
    from channels.tasks.worker.worker import TaskWorker, WorkerConfig

    queues = tuple(name.strip() for name in options["queues"].split(",") if name.strip())
    numbers = {name: options[name] for name in ("threads", "concurrency", "drain")}
    config = WorkerConfig(backend=options["backend"], queues=queues, **numbers)
    try:
        if options["processes"] == 1:
            run_worker(config)
            return
        TaskWorker(config)  # to say here what is wrong
    except InvalidTaskBackend as error:
        raise CommandError(str(error)) from error
    if not HAS_WORKERS:
        raise CommandError("This system has not what --processes needs. Start several workers instead.")
    from channels.tasks.worker.processes import run_processes

    if run_processes(options["processes"], config):
        raise CommandError("No worker could start.")
