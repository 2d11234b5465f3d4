"""manage.py runserver with the app daphne."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels.diagnostics.version import release
from daphne.management.commands.runserver import Command
from daphne.server import Server
from tests.server.helpers import LONG, echo
from tests.support.ports import free_port

application = echo
PATH = "tests.daphne.management.commands.test_runserver.application"
BASE = ["django.contrib.auth", "django.contrib.contenttypes"]
APPS = ["daphne", "django.contrib.staticfiles", *BASE]
PLAIN = ["daphne", *BASE]


class FakeServer:
    """Keeps its keywords and is ready at once."""

    made: list[dict[str, Any]] = []

    def __init__(self, **kwargs: Any) -> None:
        FakeServer.made.append(kwargs)

    def run(self) -> None:
        FakeServer.made[-1]["ready_callable"]()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Run the command with a fake server; returns the keywords and what was printed."""
    monkeypatch.setattr(Command, "server_cls", FakeServer)
    monkeypatch.setattr(Command, "check_migrations", lambda self: None)
    FakeServer.made.clear()

    def call(*args: str, skip_checks: bool = True, **options: Any) -> tuple[dict[str, Any], str]:
        out = io.StringIO()
        with override_settings(
            **{"INSTALLED_APPS": APPS, "ASGI_APPLICATION": PATH, "DEBUG": True, **options}
        ):
            call_command(Command(), "--noreload", *args, stdout=out, skip_checks=skip_checks)
        return FakeServer.made[-1], out.getvalue()

    return call


def test_the_server_gets_what_the_flags_say(run: Any) -> None:
    keywords, text = run(
        "8765", "--http_timeout", "7", "--websocket_handshake_timeout", "8", "--nothreading",
        "--websocket-max-frame-size", "9", skip_checks=False,
    )  # fmt: skip
    assert keywords["endpoints"] == ["tcp:port=8765:interface=127.0.0.1"]
    assert (keywords["http_timeout"], keywords["websocket_handshake_timeout"]) == (7, 8)
    assert (keywords["websocket_max_frame_size"], keywords["websocket_max_message_size"]) == (9, 1048576)
    assert keywords["signal_handlers"] is True
    assert isinstance(keywords["application"], ASGIStaticFilesHandler)
    assert "Performing system checks" in text
    assert "Starting ASGI/Daphne version 4.2.3 development server at http://127.0.0.1:8765/" in text
    assert f"Fairway version {release()} serves it." in text


def test_sizes_of_messages_come_from_the_settings(run: Any) -> None:
    sizes = {"DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE": 7, "DAPHNE_WEBSOCKET_MAX_FRAME_SIZE": 8}
    names = ("websocket_max_message_size", "websocket_max_frame_size")
    keywords, _ = run(**sizes)
    assert [keywords[name] for name in names] == [7, 8]
    keywords, _ = run("--websocket-max-frame-size", "9", **sizes)
    assert [keywords[name] for name in names] == [7, 9]


def test_ipv6_is_shown_in_brackets(run: Any) -> None:
    keywords, text = run("-6")
    assert keywords["endpoints"] == ["tcp:port=8000:interface=\\:\\:1"]
    assert "http://[::1]:8000/" in text
    assert "system checks" not in text


@pytest.mark.parametrize(
    ("args", "options"), [(["--nostatic"], {}), ([], {"DEBUG": False}), ([], {"INSTALLED_APPS": PLAIN})]
)
def test_static_files_are_not_always_served(run: Any, args: list[str], options: dict[str, Any]) -> None:
    assert run(*args, **options)[0]["application"] is echo


def test_insecure_serves_them_without_debug(run: Any) -> None:
    assert isinstance(run("--insecure", DEBUG=False)[0]["application"], ASGIStaticFilesHandler)


def test_without_asgi_application_it_says_what_to_set(run: Any) -> None:
    with pytest.raises(CommandError, match="ASGI_APPLICATION is not set"):
        run(ASGI_APPLICATION=None)


def test_an_application_that_cannot_be_imported(run: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"nowhere\.at\.all"):
        run(ASGI_APPLICATION="nowhere.at.all")


@pytest.mark.parametrize("installed", [APPS, PLAIN])
def test_noasgi_is_djangos_own(run: Any, installed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr(
        "django.core.management.commands.runserver.run", lambda *args, **kwargs: served.append((args, kwargs))
    )
    with override_settings(INSTALLED_APPS=installed, DEBUG=True, WSGI_APPLICATION=None, MIDDLEWARE=[]):
        call_command(Command(), "--noreload", "--noasgi", stdout=io.StringIO())
    ((args, kwargs),) = served
    assert type(args[2]).__name__ == ("StaticFilesHandler" if installed is APPS else "WSGIHandler")
    assert kwargs["server_cls"].__name__ == "WSGIServer"


def test_a_server_that_could_not_start_ends_the_process(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("daphne.management.commands.runserver.os._exit", ended.append)
    monkeypatch.setattr(FakeServer, "abort_start", True, raising=False)
    run()
    assert ended == [1]


@pytest.mark.parametrize(
    ("protocol", "action", "status", "line", "level"),
    [
        ("http", "complete", 200, "HTTP GET /x 200 [0.50, a:1]", logging.INFO),
        ("http", "complete", 404, "HTTP GET /x 404 [0.50, a:1]", logging.WARNING),
        ("http", "complete", 500, "HTTP GET /x 500 [0.50, a:1]", logging.ERROR),
        ("websocket", "connecting", None, "WebSocket HANDSHAKING /x [a:1]", logging.INFO),
        ("websocket", "connected", None, "WebSocket CONNECT /x [a:1]", logging.INFO),
        ("websocket", "rejected", None, "WebSocket REJECT /x [a:1]", logging.INFO),
        ("websocket", "rejected", 403, "WebSocket REJECT /x [a:1]", logging.WARNING),
        ("websocket", "disconnected", None, "WebSocket DISCONNECT /x [a:1]", logging.INFO),
        ("websocket", "other", None, None, None),
    ],
)
def test_the_log(
    protocol: str,
    action: str,
    status: int | None,
    line: str | None,
    level: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "django.channels.server")
    details = {"method": "GET", "path": "/x", "client": "a:1", "time_taken": 0.5}
    if status is not None:
        details["status"] = status
    Command().log_action(protocol, action, details)
    assert [(record.getMessage(), record.levelno) for record in caplog.records] == (
        [(line, level)] if line else []
    )


def test_a_peer_cannot_end_the_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "django.channels.server")
    details = {"method": "GET", "path": '/x"\n', "client": "a\x1b[2K:1", "time_taken": 0.5, "status": 200}
    Command().log_action("http", "complete", details)
    assert caplog.messages == ["HTTP GET /x\\x22\\x0a 200 [0.50, a\\x1b[2K:1]"]


SETTINGS = """
SECRET_KEY = "test"
DEBUG = True
INSTALLED_APPS = ["daphne", "django.contrib.staticfiles"]
STATIC_URL = "/static/"
STATICFILES_DIRS = [{static!r}]
ROOT_URLCONF = "runserver_project"
ASGI_APPLICATION = "runserver_project.application"
urlpatterns = []
"""
APPLICATION = """
async def application(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"Hello"})
"""


@pytest.mark.parametrize("reload", [[], ["--noreload"]])
def test_the_command_serves_a_project(tmp_path: Path, reload: list[str]) -> None:
    static = tmp_path / "static"
    static.mkdir()
    (static / "style.css").write_text("body {}")
    (tmp_path / "runserver_project.py").write_text(SETTINGS.format(static=str(static)) + APPLICATION)
    with running(tmp_path, *reload) as site:
        assert [site.get(path) for path in ("/", "/static/style.css")] == [b"Hello", b"body {}"]


#: How often a test looks whether something was printed, within its time.
LOOKS = 100


class Site:
    """A project that ``manage.py runserver`` serves."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.lines: list[str] = []
        self._printed: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._printed.put(line)
        self._printed.put("")

    def wait_for(self, text: str, changed: Path | None = None) -> None:
        """Read what it prints until ``text`` comes.

        The reloader knows only changes since its first look, of which it says nothing: ``changed`` is
        touched again while nothing happens.
        """
        for _ in range(LOOKS):
            try:
                line = self._printed.get(timeout=LONG / LOOKS)
            except queue.Empty:
                if changed is not None:
                    changed.touch()
                continue
            self.lines.append(line)
            if text in line:
                return
            if not line:
                break
        pytest.fail(f"{text!r} did not come:\n{''.join(self.lines)}")

    def get(self, path: str = "/") -> bytes:
        body: bytes = urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=LONG).read()
        return body


@contextlib.contextmanager
def running(folder: Path, *args: str, until: str = "Quit the server") -> Iterator[Site]:
    """Run the command for the project in ``folder``; the block begins when it has printed ``until``."""
    port = free_port()
    command = [sys.executable, "-u", "-m", "django", "runserver", str(port), *args]
    settings = {"DJANGO_SETTINGS_MODULE": "runserver_project", "PYTHONPATH": path_with(folder)}
    # The reloader does not hand -u to its child; Python trusts its cache by whole seconds and sizes.
    settings |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    with process:
        site = Site(process, port)
        try:
            site.wait_for(until)
            yield site
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=LONG)


def path_with(folder: Path) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize(
    ("apps", "mistake", "said"),
    [
        # The app channels has a check that imports the application too.
        ('"daphne", "channels"', "y = undefined", "consumers.py:1: NameError: name 'undefined'"),
        ('"daphne"', "x = 1\ny = undefined", "consumers.py:2: NameError: name 'undefined' is not defined"),
        ('"daphne"', "x = 1\n\nx = (", "consumers.py:3: SyntaxError: "),
        (
            '"daphne"',
            "from channels.generic.websocket import Nothing",
            "consumers.py:1: ImportError: cannot import name",
        ),
        (
            '"daphne"',
            "import nowhere.at_all",
            "consumers.py:1: ModuleNotFoundError: No module named 'nowhere'",
        ),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_can_be_mended(
    apps: str, mistake: str, said: str, tmp_path: Path
) -> None:
    settings = SETTINGS.format(static=str(tmp_path)).replace('"daphne"', apps)
    (tmp_path / "runserver_project.py").write_text(
        settings.replace("runserver_project.application", "site_asgi.application")
    )
    (tmp_path / "site_asgi.py").write_text(f"import consumers\n{APPLICATION}")
    (tmp_path / "consumers.py").write_text(mistake)
    with running(tmp_path, "--nostatic", until="Waiting for a change of the code") as site:
        printed = "".join(site.lines)
        assert printed.index(said) < printed.index("Traceback")
        (tmp_path / "consumers.py").write_text("x = 1\n")
        site.wait_for("Quit the server", tmp_path / "consumers.py")
        assert site.get() == b"Hello"


SOCKET = """
async def application(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
"""


def test_websockets_are_told_of_a_reload(tmp_path: Path) -> None:
    project = tmp_path / "runserver_project.py"
    project.write_text(SETTINGS.format(static=str(tmp_path)) + SOCKET)
    with running(tmp_path, "--nostatic") as site, connect(f"ws://127.0.0.1:{site.port}/") as link:
        project.write_text(f"{project.read_text()}\n# changed")
        site.wait_for("Quit the server", project)
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=LONG)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


def test_the_server_is_ours() -> None:
    assert Command.server_cls is Server
