"""Who is measured: how each is started, what it needs, and whose side it is on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import environment
from .results import Family
from .servers import HTTP_GREETING, MQTT_GREETING

APPS = environment.HERE / "apps"
SITE = "benchsite.asgi:application"
WSGI = "benchsite.wsgi:application"
BARE = "bare:application"
SOCKET_IO_ROOM = "socketio_room:application"
BROKER = "benchsite.broker:application"


@dataclass(frozen=True)
class Contender:
    """A server with an application.

    Attributes:
        name: as the tables call it.
        family: ours, an original, another, or the ceiling.
        runs_on: whose interpreter: ours, the peers', node, or none (a program of ``peers/loop.c``, or one of
            the system).
        needs: the distribution that has to be installed for it; of the system: the program.
        command: its arguments; ``{port}`` and ``{app}`` are filled in.
        app: the application, as servers spell it.
        checkout: for ours: whose ``src`` is run.
        greeting: what it answers as soon as it serves.
        inspected: for ours: the site has the inspector.
    """

    name: str
    family: Family
    runs_on: Literal["ours", "peers", "node", "c", "system"]
    needs: str
    command: tuple[str, ...]
    app: str = SITE
    checkout: Path = environment.ROOT
    greeting: bytes = HTTP_GREETING
    inspected: bool = False

    def missing(self, installed: Mapping[str, str]) -> str:
        """Why it cannot run here; empty if it can."""
        if self.runs_on == "node" and not shutil.which("node"):
            return "node is not installed"
        if self.runs_on == "system" and not environment.system_program(self.needs):
            return f"{self.needs} is not installed (apt-get install {self.needs})"
        if self.runs_on in ("peers", "node") and self.needs not in installed:
            return f"{self.needs} is not installed"
        return ""

    def command_on(self, port: int) -> list[str]:
        """What to run for it to serve on ``port``."""
        arguments = [part.format(port=port, app=self.app) for part in self.command]
        return [*self._program(), *arguments]

    def _program(self) -> list[str]:
        if self.runs_on == "c":
            return [str(environment.compile_c(environment.HERE / "peers" / "loop.c"))]
        if self.runs_on == "node":
            return [shutil.which("node") or "node"]
        if self.runs_on == "system":
            return [environment.system_program(self.needs) or self.needs]
        return [sys.executable if self.runs_on == "ours" else str(environment.PYTHON)]

    def environment(self, **extra: str) -> dict[str, str]:
        """For ours: the checkout's packages; for the others: none of ours."""
        if self.runs_on == "ours":
            extra["PYTHONPATH"] = str(self.checkout / "src")
        if self.inspected:
            extra["BENCH_INSPECTOR"] = "1"
        return environment.variables(**extra)


# One socket sends for the whole room here, more than a browser may.
_RATE = ("--websocket-max-rate", "0")
_FAIRWAY = ("-m", "daphne", "-v", "0", *_RATE, "-b", "127.0.0.1", "-p", "{port}", "{app}")
_FAIRWAY_MQTT = ("-m", "daphne", "-v", "0", "-e", "tcp:{port}:interface=127.0.0.1:app=mqtt", "{app}")
_QUIET = ("--log-level", "warning")
#: The servers with the options that are their best: no access log, uvloop where it is theirs, one process.
_SERVERS = {
    "daphne": ("-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", "{app}"),
    "uvicorn": (
        "-m",
        "uvicorn",
        "--port",
        "{port}",
        "--no-access-log",
        *_QUIET,
        "--lifespan",
        "off",
        "{app}",
    ),
    "granian": (
        "-m",
        "granian",
        "--interface",
        "asginl",
        "--loop",
        "uvloop",
        "--port",
        "{port}",
        *_QUIET,
        "{app}",
    ),
    "hypercorn": ("-m", "hypercorn", "-b", "127.0.0.1:{port}", "-k", "uvloop", *_QUIET, "{app}"),
}
_WSGI_SERVERS = {
    "gunicorn": ("-m", "gunicorn", "-b", "127.0.0.1:{port}", *_QUIET, "{app}"),
    "gunicorn, threads": (
        "-m",
        "gunicorn",
        "-b",
        "127.0.0.1:{port}",
        "-k",
        "gthread",
        "--threads",
        "4",
        *_QUIET,
        "{app}",
    ),
    "granian": ("-m", "granian", "--interface", "wsgi", "--port", "{port}", *_QUIET, "{app}"),
}


def fairway(name: str = "Fairway", app: str = SITE, checkout: Path = environment.ROOT) -> Contender:
    """This project's server with an application."""
    return Contender(name, "ours", "ours", "", _FAIRWAY, app, checkout)


def fairway_with_metrics() -> Contender:
    """This project's server while it counts for Prometheus."""
    command = (*_FAIRWAY[:-1], "--metrics-port", "0", _FAIRWAY[-1])
    return Contender("the same, with metrics", "ours", "ours", "", command)


def fairway_mqtt() -> Contender:
    """This project's server with a broker of MQTT."""
    return Contender("Fairway", "ours", "ours", "", _FAIRWAY_MQTT, BROKER, greeting=MQTT_GREETING)


def fairway_with_inspector() -> Contender:
    """This project's server as a member of the fleet, with a log of what became of the last messages."""
    return replace(fairway("the same, with inspector"), inspected=True)


def original(server: str) -> Contender:
    """Channels 4.3.2 on one of the servers people run it on."""
    return Contender(f"channels on {server}", "original", "peers", server, _SERVERS[server])


def bare(server: str, family: Family = "other") -> Contender:
    """A server with an ASGI application that has no framework in it."""
    return Contender(f"{server}, bare ASGI", family, "peers", server, _SERVERS[server], BARE)


def chanx(what: str, server: str) -> Contender:
    """A room of chanx on one of the servers; ``what`` says which."""
    return Contender(f"chanx {what} on {server}", "other", "peers", "chanx", _SERVERS[server])


def socket_io(server: str) -> Contender:
    """A room of python-socketio on an ASGI server."""
    return Contender(
        f"python-socketio on {server}", "other", "peers", "python-socketio", _SERVERS[server], SOCKET_IO_ROOM
    )


def wsgi(server: str) -> Contender:
    """The Django site on a WSGI server."""
    package = server.partition(",")[0]
    return Contender(f"{server} (WSGI)", "other", "peers", package, _WSGI_SERVERS[server], WSGI)


def _script(name: str, runs_on: Literal["peers", "node"], needs: str, file: str) -> Contender:
    return Contender(name, "other", runs_on, needs, (str(environment.HERE / "peers" / file), "{port}"))


PICOWS = _script("picows", "peers", "picows", "picows_server.py")
SOCKETIFY = _script("uWebSockets (socketify)", "peers", "socketify", "socketify_server.py")
SOCKET_IO_AIOHTTP = _script("python-socketio on aiohttp", "peers", "python-socketio", "socketio_server.py")
NODE_WS = _script("node ws", "node", "ws", "ws_server.js")
C_LOOP = Contender("C loop", "ceiling", "c", "", ("{port}",))
_MOSQUITTO = ("-c", str(environment.HERE / "peers" / "mosquitto.conf"), "-p", "{port}")
MOSQUITTO = Contender("mosquitto", "other", "system", "mosquitto", _MOSQUITTO, greeting=MQTT_GREETING)
AMQTT = replace(_script("amqtt", "peers", "amqtt", "amqtt_broker.py"), greeting=MQTT_GREETING)
