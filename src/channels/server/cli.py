"""The command line, derived from :class:`channels.server.config.Config`.

Every field of Config that has flags is an option by itself. What takes several flags to
say (where to listen, proxies, the access log) is added here.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from channels.diagnostics.tracebacks import place_of
from channels.process.platforms import HAS_WORKERS
from channels.server.config import Config
from channels.server.lifecycle.deadline import stop_limit
from channels.server.processes.child import Companion
from channels.server.processes.reload import Reloader
from channels.server.processes.supervisor import Supervisor
from channels.server.reports.access_log import FORMATS
from channels.server.reports.health import side_config
from channels.typing import ASGIApp

#: Where the server listens if the command line does not say.
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000


class ApplicationError(ImportError):
    """The application cannot be imported; the text is one line that says why and what to do."""


def config_options() -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of Config that the command line can set, by name."""
    return {spec.name: spec for spec in dataclasses.fields(Config) if spec.metadata.get("flags", ()) != ()}


def build_parser(prog: str | None, description: str) -> argparse.ArgumentParser:
    """Build the parser.

    Args:
        prog: the program's name; None for the name it was called by.
        description: its first sentence in ``--help``.

    Returns:
        A parser whose namespace has an attribute for each of :func:`config_options`, and
        ``application``, ``host``, ``port``, ``unix_socket``, ``file_descriptor``,
        ``socket_strings``, ``workers``, ``task_workers``, ``worker_start_timeout``, ``reload``,
        ``reload_dirs``, ``verbosity``, ``access_log``, ``access_log_format``, ``log_fmt``, ``proxy_headers``,
        ``proxy_headers_host``, ``proxy_headers_port``, ``check_exposure`` and ``json``.
    """
    parser = _Parser(prog=prog or _called(), description=description, usage="%(prog)s [options] application")
    _add_listening(parser.add_argument_group("listening"))
    _add_processes(parser.add_argument_group("processes"))
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, spec in config_options().items():
        heading = spec.metadata["group"]
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _add_option(groups[heading], name, spec)
    serving = groups["serving"]
    serving.add_argument(
        "--no-server-name", dest="server_name", action="store_const", const="", help="Send no Server header."
    )
    _add_proxies(groups["proxies"])
    _add_logging(groups["logging"])
    _add_questions(parser.add_argument_group("instead of serving"))
    parser.add_argument("application", help="The application to serve, as path.to.module:instance.path.")
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line: with so many options the usage would push it off the screen."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(
            2, f"{self.prog}: error: {message.rstrip('.')}.{self._guess(message)} See {self.prog} --help.\n"
        )

    def _guess(self, message: str) -> str:
        unknown = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        if unknown is None:
            return ""
        known = [flag for action in self._actions for flag in action.option_strings]
        near = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.75)
        return f" Did you mean {near[0]}?" if near else ""


def _called() -> str | None:
    """Return the name that this program was called by, where argparse would say ``__main__.py``."""
    return "python -m daphne" if os.path.basename(sys.argv[0]) == "__main__.py" else None


#: ``--name`` and ``--no-name``.
_OnOrOff = argparse.BooleanOptionalAction


def _add_option(group: argparse._ArgumentGroup, name: str, spec: dataclasses.Field[Any]) -> None:
    about = spec.metadata
    metavar = about["metavar"] or about["unit"].upper() or ("N" if about["kind"] is int else None)
    unit = f" ({about['unit']})" if about["unit"] and about["metavar"] else ""
    shown = "none" if spec.default in (None, "") else spec.default
    shown = ",".join(shown) if isinstance(shown, tuple) else shown
    text = f"{about['doc']}{unit} [{shown}]".replace("%", "%%")
    flags = about["flags"] or (f"--{name.replace('_', '-')}",)
    if about["kind"] is bool:
        text = f"{about['doc']} [{'on' if spec.default else 'off'}]"
        group.add_argument(*flags, dest=name, action=_OnOrOff, default=spec.default, help=text)
        return
    more = {"choices": about["choices"]} if about["choices"] else {"metavar": metavar}
    group.add_argument(*flags, dest=name, type=about["kind"], default=spec.default, help=text, **more)


def _add_listening(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-p", "--port", type=int, default=None, help=f"Port number to listen on [{DEFAULT_PORT}]."
    )
    group.add_argument(
        "-b", "--bind", dest="host", metavar="HOST", help=f"The host or address to bind to [{DEFAULT_HOST}]."
    )
    group.add_argument(
        "-u",
        "--unix-socket",
        dest="unix_socket",
        help="Listen on a Unix socket, given by its path (mode 666; another one by -e unix:PATH:mode=660).",
    )
    group.add_argument(
        "--fd", type=int, dest="file_descriptor", help="Listen on a socket that this process inherited."
    )
    group.add_argument(
        "-e",
        "--endpoint",
        dest="socket_strings",
        metavar="SOCKET_STRINGS",
        action="append",
        default=[],
        help="Listen on an endpoint, as tcp:port=80:interface=0.0.0.0, unix:/path, fd:fileno=3, "
        "ssl:443:privateKey=key.pem:certKey=cert.pem or systemd:name=web; repeatable.",
    )


def _add_processes(group: argparse._ArgumentGroup) -> None:
    kind = group.add_mutually_exclusive_group()
    kind.add_argument(
        "--workers",
        type=_at_least_one,
        metavar="N",
        help="Serve with N processes behind the same sockets, under a supervisor: SIGHUP replaces them one "
        "by one by new ones that import the code anew, SIGTERM lets them drain [none: this process serves].",
    )
    group.add_argument(
        "--task-workers",
        type=_at_least_one,
        default=0,
        metavar="N",
        help="Run background tasks (channels.tasks) in N more processes, under the supervisor as well [0].",
    )
    kind.add_argument(
        "--reload", action="store_true", help="For development: start again when a Python file changes."
    )
    group.add_argument(
        "--reload-dir",
        dest="reload_dirs",
        metavar="FOLDER",
        action="append",
        default=[],
        help="Watch this folder instead of the current one; repeatable.",
    )
    group.add_argument(
        "--worker-start-timeout",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="How long a new process may take until it serves; negative for no limit. [120.0]",
    )


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; at least one has to serve.")
    return int(text)


def build_supervisor(
    options: argparse.Namespace,
    endpoints: Sequence[str],
    args: Sequence[str],
    metrics_app: ASGIApp | None = None,
    companions: Sequence[Companion] = (),
) -> Supervisor | None:
    """Build what serves with processes of its own, if the command line asks for it.

    Args:
        options: the namespace of :func:`build_parser`.
        endpoints: where to listen; the workers take theirs in the same order.
        args: the command line, for the workers.
        metrics_app: answers on the metrics port, if there is one.
        companions: processes beside the workers.

    Returns:
        None if this process is to serve itself.
    """
    drain, shutdown = (
        None if limit is None or limit < 0 else limit
        for limit in (options.drain_timeout, options.lifespan_shutdown_timeout)
    )
    start = options.worker_start_timeout
    more: dict[str, Any] = {
        "backlog": options.backlog,
        # A worker keeps these limits itself; what is killed is one that does not.
        "drain_limit": stop_limit(drain, shutdown),
        "start_limit": None if start < 0 else start,
        "health": None if options.health_port is None else (options.health_bind, options.health_port),
    }
    if metrics_app is not None and options.metrics_port is not None:
        more["metrics"] = side_config(options.metrics_bind, options.metrics_port, metrics_app)
    if (options.reload or options.workers or companions) and not HAS_WORKERS:
        raise SystemExit(
            "This system has not what --workers, --task-workers and --reload need. Leave them out."
        )
    supervisor: Supervisor
    if options.reload:
        supervisor = Reloader(worker_command(args), endpoints, folders=options.reload_dirs, **more)
    elif options.workers or companions:
        supervisor = Supervisor(worker_command(args), endpoints, workers=options.workers or 1, **more)
    else:
        return None
    supervisor.companions = companions
    return supervisor


def worker_command(args: Sequence[str]) -> list[str]:
    """Return the command that starts a worker: the one that started this process.

    Args:
        args: the command line after the program's name. Where this process was not started
            with it, but by a program that calls ours, it is given to ``python -m daphne``.
    """
    started = sys.orig_argv
    if len(args) < len(started) and started[len(started) - len(args) :] == list(args):
        return [sys.executable, *started[1:]]
    return [sys.executable, "-m", "daphne", *args]


def _add_proxies(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--proxy-headers",
        action="store_true",
        help="Believe X-Forwarded-For, -Port and -Proto; only behind a proxy that sets them. "
        "Whoever connects is believed, unless --trusted-proxies says who is a proxy.",
    )
    group.add_argument(
        "--proxy-headers-host",
        help="Another header for the client's address: X-Real-IP, or Forwarded (with --trusted-proxies).",
    )
    group.add_argument("--proxy-headers-port", help="Another header for the client's port.")


def _add_questions(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--check-exposure",
        action="store_true",
        help="Say what these options open on each endpoint, whom they believe and what they limit.",
    )
    group.add_argument("--json", action="store_true", help="Say it as JSON.")


def _add_logging(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-v",
        "--verbosity",
        type=int,
        default=1,
        help="0: warnings; 1: information and an access log; 2: debugging [1].",
    )
    group.add_argument(
        "--access-log", help="Where to write the access log; - for stdout, the default for verbosity 1."
    )
    group.add_argument(
        "--access-log-format",
        choices=FORMATS,
        default=FORMATS[0],
        help=f"How the access log is written [{FORMATS[0]}].",
    )
    group.add_argument(
        "--log-fmt",
        default="%(asctime)-15s %(levelname)-8s %(message)s",
        help="The format of log lines, as logging.Formatter takes it.",
    )


def import_from_here() -> None:
    """Have imports search the current directory first: the script that was started lies elsewhere."""
    if (here := os.getcwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def import_application(path: str) -> Any:
    """Import an application.

    Args:
        path: ``package.module:attribute``, the attribute with dots if need be. The
            current directory is searched first.

    Raises:
        ApplicationError: the text is no such path, or names nothing that is there.
    """
    module_name, _, attributes = path.partition(":")
    if not module_name or not attributes:
        raise ApplicationError(
            f"{path!r} names no application: write module:attribute, as in myproject.asgi:application."
        )
    import_from_here()
    found = _import_module(module_name, path)
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise ApplicationError(
                f"{path!r}: {module_name} has no attribute {attribute!r}. Look for a misspelt name."
            ) from None
    return found


def judge_application(path: str, app: Any) -> None:
    """Refuse what no request could call.

    Args:
        path: how the command line named it.
        app: what :func:`import_application` found there.

    Raises:
        ApplicationError: it takes neither (scope, receive, send) nor, as in ASGI 2, (scope).
    """
    if not callable(app):
        raise ApplicationError(
            f"{path!r} is no application but a value of type {type(app).__name__}: name the callable, "
            "such as get_asgi_application() returns."
        )
    if inspect.isclass(app) and hasattr(app, "as_asgi"):
        raise ApplicationError(f"{path!r} is a class: name what {app.__name__}.as_asgi() returns.")
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return  # of what is not written in Python it may not be known
    if not _takes(signature, 3) and not _takes(signature, 1):
        hint = " This is a WSGI application: name the one in asgi.py." if _takes(signature, 2) else ""
        raise ApplicationError(
            f"{path!r} is no ASGI application: it takes {signature}, not (scope, receive, send).{hint}"
        )


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _import_module(name: str, path: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing != name and not name.startswith(f"{missing}."):
            raise _broken(path, error) from error
        raise ApplicationError(
            f"{path!r}: there is no module {missing!r} in {os.getcwd()} or on the Python path. "
            "Start from the project's folder, the one with manage.py."
        ) from None
    except Exception as error:
        raise _broken(path, error) from error


#: What to do about errors that a newcomer meets, by the names of their classes: Django's are not known here.
_REMEDIES = {
    "AppRegistryNotReady": "That line needs Django's models, and they are not loaded yet: call "
    "get_asgi_application() first in asgi.py, and import consumers and routing below it.",
    "ImproperlyConfigured": "If it is about settings: at the top of asgi.py set DJANGO_SETTINGS_MODULE with "
    "os.environ.setdefault(), then call get_asgi_application(), and import consumers, models and routing "
    "below both; -v 2 shows the whole traceback.",
}


def _broken(path: str, error: Exception) -> ApplicationError:
    """Make the error for a module that cannot be imported: what went wrong, and in which line."""
    name = type(error).__name__
    remedy = _REMEDIES.get(name, "-v 2 shows the whole traceback.")
    said = str(error).removesuffix(".")
    return ApplicationError(f"{path!r} cannot be imported: {name}: {said} ({place_of(error)}). {remedy}")
