"""A project of three server processes that all see each other, and what a test does with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.served import environment, served

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
SECRET_KEY = "only for tests, and long enough for what signs"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEBUG = False
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
INSTALLED_APPS = {apps!r}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "fleet_project.strict_policy",
]
TEMPLATES = [{{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {{"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]}},
}}]
ROOT_URLCONF = "fleet_project"
STATIC_URL = "/static/"
CHANNEL_LAYERS = {layers!r}
TASKS = {{"default": {{"BACKEND": "channels.tasks.TaskBackend", "QUEUES": []}}}}
APPEND_SLASH = True
CHANNELS_INSPECTOR = {{"CONTENTS": True}}
"""
APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "channels.topics",
    "channels.inspector",
]
PROJECT = '''
import django
django.setup()

import time
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.urls import include, path
from urllib.parse import parse_qs
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.topics import History, Topic, websocket_urlpatterns
from datetime import timedelta
from opentelemetry.sdk.trace import TracerProvider
from channels.observability.tracing.setup import instrument

instrument(TracerProvider())  # spans go nowhere; messages have their traces


class Room(Topic):
    pattern = "room:<str:name>"
    history = History(size=10, ttl=timedelta(hours=1))
    tags_filter = True

    def may_subscribe(self, user):
        return True

    def may_publish(self, user, data):
        return True


class Chat(AsyncWebsocketConsumer):
    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "hold the loop":
            time.sleep(3)
        await self.channel_layer.group_send(self.room, {"type": "chat", "text": text_data})

    async def chat(self, event):
        await self.send(event["text"])


class ByName:
    """Logs in whoever says who it is: only for tests."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        name = parse_qs(scope["query_string"].decode()).get("user", [""])[0]
        if name:
            scope = {**scope, "user": get_user_model()(pk=7, username=name)}
        return await self.app(scope, receive, send)


def strict_policy(get_response):
    def respond(request):
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response
    return respond


urlpatterns = [
    path("", include("channels.topics.urls")),
    path("admin/", admin.site.urls),
    path("inspector/", include("channels.inspector.urls")),
]
sockets = URLRouter([path("chat/<room>/", Chat.as_asgi()), *websocket_urlpatterns])
application = ProtocolTypeRouter({
    "http": ASGIStaticFilesHandler(get_asgi_application()),
    "websocket": AuthMiddlewareStack(ByName(sockets)),
})
'''


class Fleet:
    """Server processes, and the command that looks at them.

    Args:
        folder: of the project.
        env: of its processes.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env
        self.ports: list[int] = []
        self.servers: list[subprocess.Popen[bytes]] = []

    def run(self, code: str) -> str:
        """Run some lines in a process of their own; returns what they print."""
        command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, text=True, capture_output=True, timeout=50, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def fleet(
    layer: dict[str, Any], servers: int = 3, apps: tuple[str, ...] = (), tasks: str = ""
) -> Iterator[Fleet]:
    """Run some servers of one project until the block ends.

    Args:
        layer: the channel layer; its paths begin with "{folder}".
        servers: how many.
        apps: more than :data:`APPS`.
        tasks: what the module of tasks of an app ``fleet_jobs`` has.
    """
    folder = Path(tempfile.mkdtemp(prefix="fleet"))  # pytest's own are too long for a Unix socket
    if tasks:
        (folder / "fleet_jobs").mkdir()
        (folder / "fleet_jobs" / "__init__.py").touch()
        (folder / "fleet_jobs" / "tasks.py").write_text(tasks)
        apps = (*apps, "fleet_jobs")
    layers = json.loads(json.dumps({"default": layer}).replace("{folder}", str(folder)))
    text = SETTINGS.format(apps=[*APPS, *apps], layers=layers, database=str(folder / "db.sqlite3"))
    (folder / "fleet_settings.py").write_text(text)
    (folder / "fleet_project.py").write_text(PROJECT)
    paths = f"{folder}{os.pathsep}{ROOT}"
    found = Fleet(folder, environment(DJANGO_SETTINGS_MODULE="fleet_settings", PYTHONPATH=paths))
    with ExitStack() as stack:
        for _ in range(servers):
            port = free_port()
            command = ["daphne", "-b", "127.0.0.1", "-p", str(port), "fleet_project:application"]
            log = folder / f"{port}.log"
            found.ports.append(port)
            found.servers.append(
                stack.enter_context(served(command, port, folder=folder, log=log, env=found.env))
            )
        yield found
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a process while the block runs."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
