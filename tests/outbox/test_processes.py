"""Each process that serves relays, with nothing started beside it. ``LAYER_TESTS=full``: every server."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.layers.size import FULL
from tests.outbox.relay.effects import into_the_file
from tests.outbox.relay.victim import FILE
from tests.outbox.tools import until
from tests.support.databases import Database
from tests.support.ports import free_port
from tests.support.served import BIN, environment, served

PROJECT = """
import os, sys
from pathlib import Path
sys.path.insert(0, os.environ["CHECKOUT"])
from tests.support.databases import from_environment

DATABASES = from_environment()
SECRET_KEY, USE_TZ, ALLOWED_HOSTS, ROOT_URLCONF, DEBUG = "x", True, ["*"], "project", True
INSTALLED_APPS = ["daphne", "channels", "channels.outbox"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CHANNELS_OUTBOX = {"POLL_INTERVAL": 0.1}
ASGI_APPLICATION, urlpatterns = "application.application", []
"""
APPLICATION = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project"
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from channels.routing import ProtocolTypeRouter
application = ProtocolTypeRouter({"http": get_asgi_application()})
plain = get_asgi_application()
wsgi = get_wsgi_application()
"""
WSGI = "from wsgiref.simple_server import make_server as m; import application as a, sys; "
WSGI += "m('127.0.0.1', int(sys.argv[1]), a.wsgi).serve_forever()"
CHECKOUT = str(Path(__file__).parents[2])

#: What serves, with its port for "PORT"; and whether it has to be asked for a page first.
SERVERS = {
    "daphne": (["daphne", "-p", "PORT", "application:application"], False),
    "runserver": (["django-admin", "runserver", "--noreload", "PORT"], False),
    "uvicorn": (["uvicorn", "--port", "PORT", "application:application"], True),
    "uvicorn, Django alone": (["uvicorn", "--port", "PORT", "application:plain"], True),
    "WSGI": (["python", "-c", WSGI, "PORT"], True),
}


@pytest.fixture
def project(tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A project with a hook that waits to be called; returns the environment of its processes."""
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "application.py").write_text(APPLICATION)
    with sqlite.as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        into_the_file.on_commit("called")
    here = {"DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": str(tmp_path), "CHECKOUT": CHECKOUT}
    return {**environment(**sqlite.env), **here, FILE: str(tmp_path / "effects")}


def is_called(folder: Path) -> bool:
    file = folder / "effects"
    return file.exists() and file.read_text() == "called\n"


@pytest.mark.parametrize("server", SERVERS if FULL else ["daphne", "uvicorn", "WSGI"])
def test_a_server_relays(server: str, project: dict[str, str], tmp_path: Path) -> None:
    command, has_to_be_asked = SERVERS[server]
    port = free_port()
    command = [word.replace("PORT", str(port)) for word in command]
    with served(command, port, folder=tmp_path, log=tmp_path / "log", env=project):
        if has_to_be_asked:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20).close()
        until(lambda: is_called(tmp_path), "the hook is called")


@pytest.mark.parametrize("arguments", [["runworker", "some"], ["outbox", "relay"]], ids=" ".join)
def test_a_command_relays_and_stops(arguments: list[str], project: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen([str(BIN / "django-admin"), *arguments], env=project, cwd=tmp_path)
    until(lambda: is_called(tmp_path), "the hook is called")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
