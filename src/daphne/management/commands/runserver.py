"""``manage.py runserver`` on our server: WebSockets, autoreload, static files, Django's own flags."""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.runserver import Command as RunserverCommand
from django.utils import autoreload

from channels.diagnostics.loggers import escaped
from channels.diagnostics.repeats import refusals_once_a_minute
from channels.diagnostics.version import release
from channels.management.activity import lines_of_activity
from channels.process.exit import exit_in_time
from channels.routing import get_default_application
from channels.typing import ASGIApp
from daphne import __version__
from daphne.endpoints import build_endpoint_description_strings
from daphne.reloading import explain_and_watch, headline, stopped_at_exit
from daphne.server import Server

logger = logging.getLogger("django.channels.server")

_ACTIONS = {
    ("http", "complete"): "HTTP %(method)s %(path)s %(status)s [%(time_taken).2f, %(client)s]",
    ("websocket", "connected"): "WebSocket CONNECT %(path)s [%(client)s]",
    ("websocket", "disconnected"): "WebSocket DISCONNECT %(path)s [%(client)s]",
    ("websocket", "connecting"): "WebSocket HANDSHAKING %(path)s [%(client)s]",
    ("websocket", "rejected"): "WebSocket REJECT %(path)s [%(client)s]",
}
_WORKER = "Task worker READY for the backend %r [%d threads, %d async tasks at once, in this process]"
#: Whoever edits code does not wait for clients; WebSockets are closed with 1012 all the same. Lines for a
#: developer show query strings, as Django's do; masked, as the access log's.
_OURS: dict[str, Any] = {"drain_timeout": 1.0, "drain_idle_timeout": 0.0, "access_log_query": True}


class Command(RunserverCommand):
    """Django's runserver, speaking ASGI."""

    protocol = "http"
    server_cls: Any = Server

    # Set by Django's handle(), which its stubs do not say.
    addr: str
    port: str
    _raw_ipv6: bool

    def add_arguments(self, parser: CommandParser) -> None:
        """Add Daphne's flags, and those of staticfiles' runserver that this one stands before."""
        super().add_arguments(parser)
        parser.add_argument(
            "--noasgi",
            action="store_false",
            dest="use_asgi",
            default=True,
            help="Run Django's own WSGI server instead; it knows no WebSockets.",
        )
        parser.add_argument(
            "--http_timeout",
            type=int,
            default=None,
            help="Seconds the application may take to answer a request (default: no limit).",
        )
        parser.add_argument(
            "--websocket_handshake_timeout",
            type=int,
            default=5,
            help="Seconds the application may take to accept a WebSocket (default: 5).",
        )
        for what in ("message", "frame"):
            parser.add_argument(
                f"--websocket-max-{what}-size",
                type=int,
                default=getattr(settings, f"DAPHNE_WEBSOCKET_MAX_{what.upper()}_SIZE", 1048576),
                help=f"Largest WebSocket {what} taken, in bytes; 0 for no limit (not recommended). "
                f"The default is the setting DAPHNE_WEBSOCKET_MAX_{what.upper()}_SIZE, or 1048576.",
            )
        if apps.is_installed("django.contrib.staticfiles"):
            add_static_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Take note of the limits, then do as Django's own command does."""
        self.http_timeout = options.get("http_timeout")
        self.websocket_handshake_timeout = options.get("websocket_handshake_timeout", 5)
        self.websocket_max_message_size = options.get("websocket_max_message_size", 1048576)
        self.websocket_max_frame_size = options.get("websocket_max_frame_size", 1048576)
        if options.get("use_asgi", True) and not getattr(settings, "ASGI_APPLICATION", None):
            raise CommandError(
                "ASGI_APPLICATION is not set. Name your application in the settings, as in "
                "ASGI_APPLICATION = 'myproject.asgi.application', or run with --noasgi."
            )
        super().handle(*args, **options)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Run the server once; the autoreloader calls it again."""
        if not options.get("use_asgi", True):
            serve_static_over_wsgi(self, options)
            self.server_cls = RunserverCommand.server_cls
            RunserverCommand.inner_run(self, *args, **options)
            return
        autoreload.raise_last_exception()
        try:
            application = self.get_application(options)
        except Exception as error:
            self.stderr.write(headline(error))
            if not options["use_reloader"]:
                raise
            self.stderr.write(explain_and_watch(error))
            return  # the reloader goes on, and runs this again when a file has changed
        if not options.get("skip_checks", False):
            self.stdout.write("Performing system checks...\n\n")
            self.check(display_num_errors=True)
        self.check_migrations()
        server = make_server(self, application, options)
        with contextlib.ExitStack() as serving:
            serving.enter_context(contextlib.suppress(KeyboardInterrupt))
            serving.enter_context(refusals_once_a_minute())
            serving.enter_context(lines_of_activity(logger.info, tasks=bool(task_backends())))
            serving.enter_context(tasks_run_here())
            serving.enter_context(stopped_at_exit(server))
            server.run()
        exit_in_time(0)
        if getattr(server, "abort_start", False):
            # It has said why. The reloader runs this in a thread, and sys.exit() would end only that.
            os._exit(1)
        self.stdout.write(options.get("shutdown_message", ""))

    def get_application(self, options: dict[str, Any]) -> ASGIApp:
        """Import ASGI_APPLICATION, with static files in front of it where they are to be served.

        Raises:
            ImproperlyConfigured: it cannot be imported.
        """
        application: ASGIApp = get_default_application()
        static = options.get("use_static_handler", False)
        if static and (settings.DEBUG or options.get("insecure_serving", False)):
            return cast(ASGIApp, ASGIStaticFilesHandler(cast(Any, application)))
        return application

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Log a request or a change of a WebSocket, in the manner of Django's runserver."""
        line = _ACTIONS.get((protocol, action))
        if line is None:
            return
        status = details.get("status", 200)
        level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
        safe = {name: escaped(said) if isinstance(said, str) else said for name, said in details.items()}
        logger.log(level, line, safe, extra={"status_code": status})


def add_static_arguments(parser: CommandParser) -> None:
    """Add the flags of staticfiles' runserver."""
    parser.add_argument(
        "--nostatic",
        action="store_false",
        dest="use_static_handler",
        default=True,
        help="Do not serve static files at STATIC_URL.",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        dest="insecure_serving",
        default=False,
        help="Serve static files even if DEBUG is False.",
    )


def make_server(command: Command, application: ASGIApp, options: dict[str, Any]) -> Any:
    """Return the server, with what the command line and the settings say."""
    ours = isinstance(command.server_cls, type) and issubclass(command.server_cls, Server)
    return command.server_cls(
        application=application,
        endpoints=build_endpoint_description_strings(host=command.addr, port=int(command.port)),
        signal_handlers=not options["use_reloader"],
        action_logger=command.log_action,
        http_timeout=command.http_timeout,
        root_path=getattr(settings, "FORCE_SCRIPT_NAME", "") or "",
        websocket_handshake_timeout=command.websocket_handshake_timeout,
        websocket_max_message_size=command.websocket_max_message_size,
        websocket_max_frame_size=command.websocket_max_frame_size,
        ready_callable=functools.partial(announce, command),
        **(_OURS if ours else {}),
    )


def task_backends() -> list[str]:
    """Return the aliases of the project's backends of tasks that are ours."""
    backends = getattr(settings, "TASKS", None) or {}
    ours = "channels.tasks.TaskBackend"
    return [alias for alias, backend in backends.items() if backend.get("BACKEND") == ours]


@contextlib.contextmanager
def tasks_run_here() -> Iterator[None]:
    """Run background tasks in this process, too, if the project has them in a backend of ours."""
    with contextlib.ExitStack() as running:
        for alias in task_backends():
            from channels.tasks.worker.main import worker_in_thread
            from channels.tasks.worker.worker import WorkerConfig

            config = WorkerConfig(backend=alias, drain=1.0)
            running.enter_context(worker_in_thread(config))
            logger.info(_WORKER, alias, config.threads, config.concurrency)
        yield


def announce(command: Command) -> None:
    """The banner, once it listens."""
    quit_command = "CTRL-BREAK" if sys.platform == "win32" else "CONTROL-C"
    host = f"[{command.addr}]" if command._raw_ipv6 else command.addr
    now = datetime.datetime.now().strftime("%B %d, %Y - %X")
    command.stdout.write(
        f"{now}\n"
        f"Django version {command.get_version()}, using settings {settings.SETTINGS_MODULE!r}\n"
        f"Starting ASGI/Daphne version {__version__} development server at "
        f"{command.protocol}://{host}:{command.port}/\n"
        f"Fairway version {release()} serves it.\n"
        f"Quit the server with {quit_command}."
    )


def serve_static_over_wsgi(command: Command, options: dict[str, Any]) -> None:
    """With --noasgi the flags of staticfiles' runserver still hold."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return
    from django.contrib.staticfiles.handlers import StaticFilesHandler

    if options.get("use_static_handler", False) and (
        settings.DEBUG or options.get("insecure_serving", False)
    ):
        inner = functools.partial(type(command).get_handler, command)
        command.get_handler = lambda *args, **kwargs: StaticFilesHandler(inner(*args, **kwargs))  # type: ignore[method-assign]
