"""manage.py runserver with the app daphne."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from daphne.management.commands.runserver import Command
from daphne.server import Server
from tests.ports import free_port
from tests.server.helpers import LONG, echo

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
    port = free_port()
    command = [sys.executable, "-u", "-m", "django", "runserver", str(port), *reload]
    settings = {"DJANGO_SETTINGS_MODULE": "runserver_project", "PYTHONPATH": str(tmp_path)}
    # The reloader does not hand -u to its child.
    environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            if not any("Quit the server" in line for line in process.stdout):
                pytest.fail(process.stderr.read())
            answers = [
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=LONG).read()
                for path in ("/", "/static/style.css")
            ]
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=LONG)
    assert answers == [b"Hello", b"body {}"]


def test_the_server_is_ours() -> None:
    assert Command.server_cls is Server
