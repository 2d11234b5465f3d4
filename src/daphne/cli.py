"""The command line of ``daphne``."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import traceback
from argparse import ArgumentError, Namespace
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TextIO

from asgiref.compatibility import guarantee_single_callable

from channels.conf import METRICS_DIRECTORY
from channels.diagnostics.loggers import enable_loggers
from channels.diagnostics.version import release
from channels.process.exit import exit_in_time
from channels.server.cli import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    ApplicationError,
    build_parser,
    build_supervisor,
    config_options,
    import_from_here,
    judge_application,
)
from channels.server.config import ConfigError
from channels.server.control_channel import SupervisorLink
from channels.server.endpoints.endpoints import EndpointError, ListenError
from channels.server.limits.fd_limits import occupy_standard_streams, raise_descriptor_limit
from channels.server.processes.child import Companion
from channels.server.reports.exposure import as_text, exposure
from channels.typing import ASGIApp, Receive, Scope, Send
from daphne import __version__
from daphne.access import AccessLogGenerator
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, limit
from daphne.utils import import_by_path

logger = logging.getLogger(__name__)

#: Options whose keyword is the same for every server class; the others are handed on if they were given.
_DAPHNE_KEYWORDS = (
    "http_timeout",
    "ping_interval",
    "ping_timeout",
    "websocket_timeout",
    "websocket_connect_timeout",
    "websocket_max_message_size",
    "websocket_max_frame_size",
    "application_close_timeout",
    "root_path",
    "server_name",
)


async def _unasked(scope: Scope, receive: Receive, send: Send) -> None:
    """The application of a server that is not run."""


class CommandLineInterface:
    """Reads the command line and runs a server.

    Attributes:
        description: what ``--help`` says first.
        prog: the program's name; None for the name it was called by.
        server_class: what is run; it is called with keywords only and needs a ``run()``.
        server: the instance, once :meth:`run` has made it.
    """

    description = "Django HTTP/WebSocket server"
    prog: str | None = None
    server_class: type[Any] = Server

    def __init__(self) -> None:
        # A subclass may use this name, which Daphne does not have, for something else.
        prog = self.prog if isinstance(self.prog, str) else None
        self.parser = build_parser(prog, self.description)
        self.server: Any = None

    @classmethod
    def entrypoint(cls) -> None:
        """The console script: run with the process's arguments; an error is one line and exit code 1 or 2."""
        interface = cls()
        code = 1
        try:
            interface.run(sys.argv[1:])
            code = 0
        except ArgumentError as error:
            interface.parser.error(str(error))
        except (ApplicationError, ConfigError, EndpointError, ListenError) as error:
            give_up(error)
        finally:
            exit_in_time(code)

    def run(self, args: Sequence[str]) -> None:
        """Run with ``args``; returns when the server has stopped.

        Raises:
            argparse.ArgumentError: flags that do not go together.
            ApplicationError: the application cannot be imported.
            ConfigError, EndpointError: a value cannot be used.
            ListenError: an address that workers are to share cannot be listened on.
            SystemExit: an unknown flag (2), or the server could not start (1).
        """
        occupy_standard_streams()
        raise_descriptor_limit()
        supervisor_link = SupervisorLink.take()
        options = self.parser.parse_args(args)
        keywords = server_keywords(self, options)
        set_up_logging(self.parser, options)
        if options.metrics_port is not None:
            import_from_here()  # of a supervisor: it reads the settings, which may have the token
            keywords["metrics_app"] = metrics_application()
        if options.check_exposure:
            check_exposure(keywords, as_json=options.json)
            return
        if supervisor_link is None:
            logger.info("This is Fairway %s, which stands for Daphne %s", release(), __version__)
        supervisor = None
        if supervisor_link is None:
            metrics, companions = keywords.get("metrics_app"), task_workers(options)
            supervisor = build_supervisor(options, keywords["endpoints"], args, metrics, companions)
        with figures_shared(options, supervisor_link):
            if supervisor is not None:
                failed = supervisor.run() != 0
            else:
                keywords["application"] = self.load_asgi_app(options.application)
                if (
                    supervisor_link is not None and supervisor_link.number == 2
                ):  # there are several: one of them says so
                    warn_of_layers()
                failed = serve(self, keywords, supervisor_link)
        if failed:
            sys.exit(1)

    def load_asgi_app(self, asgi_app_path: str) -> ASGIApp:
        """Import the application, one of ASGI 2 as well as of ASGI 3."""
        found = import_by_path(asgi_app_path)
        enable_loggers()
        if issubclass(self.server_class, Server):  # a stand-in, as tests have, need not be able to call it
            judge_application(asgi_app_path, found)
        application: ASGIApp = guarantee_single_callable(found)  # type: ignore[no-untyped-call]
        return application

    def _check_proxy_headers_passed(self, argument: str, options: Namespace) -> None:
        if not options.proxy_headers:
            action = next(action for action in self.parser._actions if argument in action.option_strings)
            raise argparse.ArgumentError(action, "--proxy-headers has to be passed for this parameter.")

    def _get_forwarded_host(self, options: Namespace) -> str | None:
        if options.proxy_headers_host is not None:
            self._check_proxy_headers_passed("--proxy-headers-host", options)
            return str(options.proxy_headers_host)
        return "X-Forwarded-For" if options.proxy_headers else None

    def _get_forwarded_port(self, options: Namespace) -> str | None:
        if options.proxy_headers_port is not None:
            self._check_proxy_headers_passed("--proxy-headers-port", options)
            return str(options.proxy_headers_port)
        return "X-Forwarded-Port" if options.proxy_headers else None


def metrics_application() -> ASGIApp:
    """Return what shows metrics; raises ConfigError where the library that it needs is not installed."""
    from channels.observability.metrics.directory import MetricsUnavailable

    try:
        from channels.observability.metrics.endpoint import MetricsApplication
    except MetricsUnavailable as error:
        raise ConfigError(f"--metrics-port: {error}") from error
    return MetricsApplication(guarded=False)


@contextlib.contextmanager
def figures_shared(options: Namespace, supervisor_link: SupervisorLink | None) -> Iterator[None]:
    """Have all processes of this program leave their figures in one place, if metrics are on."""
    inherited = METRICS_DIRECTORY in os.environ
    if options.metrics_port is None and not inherited:
        yield
        return
    from channels.observability.metrics.activation import arm, shared_directory

    arm()
    with shared_directory() if not inherited else contextlib.nullcontext():
        yield


def task_workers(options: Namespace) -> list[Companion]:
    """Return the workers of tasks that the command line asks for."""
    if not options.task_workers:
        return []
    from channels.tasks.worker.processes import task_companion
    from channels.tasks.worker.worker import WorkerConfig

    limit = options.drain_timeout
    config = WorkerConfig() if limit is None or limit < 0 else WorkerConfig(drain=limit)
    return [task_companion(options.task_workers, config, options.application)]


def warn_of_layers() -> None:
    """Say which layers do not reach the other workers, if the application has to do with layers at all."""
    if "channels.layers.manager" in sys.modules:
        from channels.layers.reach import warn_of_several_processes

        warn_of_several_processes()


def give_up(error: Exception) -> NoReturn:
    """Say what is wrong in one line, and exit."""
    if error.__cause__ is not None and logging.getLogger().isEnabledFor(logging.DEBUG):
        traceback.print_exception(error.__cause__)
    print(f"daphne: {error}", file=sys.stderr)
    sys.exit(1)


def serve(
    interface: CommandLineInterface, keywords: dict[str, Any], supervisor_link: SupervisorLink | None
) -> bool:
    """Serve in this process, and return whether it could not start."""
    if supervisor_link is None:
        logger.info("Starting server at %s", ", ".join(keywords["endpoints"]))
    else:
        keywords["supervisor_link"] = supervisor_link
    interface.server = interface.server_class(**keywords)
    interface.server.run()
    return bool(getattr(interface.server, "abort_start", False))


def server_keywords(interface: CommandLineInterface, options: Namespace) -> dict[str, Any]:
    """Return what the command line says, as keywords of the server class."""
    keywords = {name: getattr(options, name) for name in _DAPHNE_KEYWORDS}
    keywords |= {
        "endpoints": endpoints_of(options),
        "websocket_handshake_timeout": options.websocket_connect_timeout,
        "action_logger": action_logger(options),
        "verbosity": options.verbosity,
        "proxy_forwarded_address_header": interface._get_forwarded_host(options),
        "proxy_forwarded_port_header": interface._get_forwarded_port(options),
        "proxy_forwarded_proto_header": "X-Forwarded-Proto" if options.proxy_headers else None,
    }
    for name, spec in config_options().items():
        value = getattr(options, name)
        if name not in keywords and value != spec.default:
            keywords[name] = limit(value) if spec.metadata["unit"] == "seconds" else value
    if options.reload:
        keywords.setdefault("drain_idle_timeout", 0.0)
    return keywords


def endpoints_of(options: Namespace) -> list[str]:
    """All places to listen, sorted; the default only where nothing else is said."""
    host, port = options.host, options.port
    elsewhere = options.unix_socket or options.file_descriptor is not None or options.socket_strings
    if host is not None or port is not None or not elsewhere:
        host = DEFAULT_HOST if host is None else host
        port = DEFAULT_PORT if port is None else port
    told = build_endpoint_description_strings(host, port, options.unix_socket, options.file_descriptor)
    return sorted([*options.socket_strings, *told])


def action_logger(options: Namespace) -> AccessLogGenerator | None:
    """Return what writes the access log; None if nobody asked for one."""
    stream: TextIO | None = sys.stdout  # None in a process that was started without one
    if options.access_log not in (None, "", "-"):
        stream = open_access_log(options.access_log)
    elif not options.access_log and options.verbosity < 1:
        stream = None
    return None if stream is None else AccessLogGenerator(stream, options.access_log_format)


def open_access_log(path: str) -> TextIO:
    """Open the file of the access log; raises ConfigError if it cannot be written."""
    try:
        return open(path, "a", buffering=1)
    except OSError as error:
        raise ConfigError(
            f"--access-log: {path} cannot be written: {error.strerror}. Name a file "
            "in a folder that exists and that this user may write to."
        ) from error


def set_up_logging(parser: argparse.ArgumentParser, options: Namespace) -> None:
    """Log to stderr, as much as ``-v`` says; raises ConfigError for a format that is none."""
    levels = {0: logging.WARNING, 1: logging.INFO}
    layout = options.log_fmt
    if options.workers and layout == parser.get_default("log_fmt"):
        # Lines of several processes in one stream: say whose they are.
        layout = "%(asctime)-15s %(levelname)-8s [%(process)d] %(message)s"
    try:
        logging.basicConfig(level=levels.get(options.verbosity, logging.DEBUG), format=layout)
    except ValueError as error:
        raise ConfigError(
            f"--log-fmt: {layout!r} is no format of logging.Formatter. "
            "Write one such as '%(levelname)s %(message)s'."
        ) from error


def check_exposure(keywords: dict[str, Any], *, as_json: bool) -> None:
    """Say what the server would open. It opens nothing, and imports no application."""
    found = exposure(Server(application=_unasked, **keywords).config())
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if as_json else as_text(found))
