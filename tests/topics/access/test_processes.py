"""Server processes, and another one that changes something: what clients are told, and how soon."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.ports import free_port
from tests.support.served import environment, served
from tests.topics.raw_client import RawClient, raw_client

SETTINGS = """
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others take long, on purpose
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "people.sqlite3"}}}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "channels", "channels.topics",
]
CHANNEL_LAYERS = {{"default": {layer!r}}}
CHANNELS_ACCESS_INTERVAL = 3600  # nothing is found but what is announced
CHANNELS_ACCESS_FOR_LIFE = True
"""
ASGI = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project_settings")
import django
django.setup()
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.topics import websocket_urlpatterns
from django.urls import path

class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data)

routes = [*websocket_urlpatterns, path("echo", AuthMiddlewareStack(Echo.as_asgi()))]
application = ProtocolTypeRouter({"websocket": URLRouter(routes)})
"""
PRELUDE = """
import sys
import django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
User = get_user_model()
"""
SET_UP = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
for name in sys.argv[1:]:
    client = Client()
    client.force_login(User.objects.create_user(name))
    print(client.cookies["sessionid"].value)
"""
LOG_OUT = """
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
request = HttpRequest()
request.session, request.user = SessionStore(sys.argv[2]), user
logout(request)
"""
BEGIN = """
import time
user = User.objects.get(username=sys.argv[1])
begun = time.time()
"""
CHANGE_PASSWORD = "user.set_password('another'); user.save()"
DEACTIVATE = "user.is_active = False; user.save()"
#: What is done to a user, each to one of its own, and the code that clients of topics are told.
ACTS = {"logout": (LOG_OUT, 3005), "password": (CHANGE_PASSWORD, 3005), "active": (DEACTIVATE, 3507)}
#: An hour lies between two looks at who may stay, so whoever is closed within this was told. It takes some
#: hundredths of a second; the rest is for a machine that has other things to do.
SOON = 30.0


class Project(NamedTuple):
    folder: Path
    ports: list[int]
    sessions: dict[str, str]

    async def run(self, code: str, *arguments: str) -> str:
        """Run code in a process of its own; returns what it prints."""
        env = environment(DJANGO_SETTINGS_MODULE="project_settings", PYTHONPATH=str(self.folder))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PRELUDE + code,
            *arguments,
            cwd=self.folder,
            env=env,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            printed, _ = await process.communicate()
        assert process.returncode == 0
        return printed.decode().strip()


@pytest.fixture(scope="module", params=["redis", "host"])
def project(request: pytest.FixtureRequest) -> Iterator[Project]:
    """Three server processes over one layer, and a user for each act."""
    folder = Path(tempfile.mkdtemp(prefix="access"))  # pytest's own are too long for a Unix socket
    layer: dict[str, Any] = {
        "BACKEND": "channels.layers.host.HostChannelLayer",
        "CONFIG": {"path": str(folder / "host")},
    }
    if request.param == "redis":
        server = request.getfixturevalue("server")
        layer = {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [server.address], "prefix": folder.name},
        }
    (folder / "project_settings.py").write_text(SETTINGS.format(layer=layer))
    (folder / "asgi.py").write_text(ASGI)
    env = environment(DJANGO_SETTINGS_MODULE="project_settings", PYTHONPATH=str(folder))
    ports = [free_port() for _ in range(3)]
    project = Project(folder, ports, {})
    sessions = asyncio.run(project.run(SET_UP, *ACTS)).split()
    with ExitStack() as stack:
        for port in ports:
            command = ["daphne", "-b", "127.0.0.1", "-p", str(port), "asgi:application"]
            log = folder / f"{port}.log"
            stack.enter_context(served(command, port, folder=folder, log=log, env=env))
        yield project._replace(sessions=dict(zip(ACTS, sessions, strict=True)))
    shutil.rmtree(folder, ignore_errors=True)


async def ends(client: RawClient) -> tuple[int, float]:
    """The code with which a client is closed, and when."""
    async with asyncio.timeout(60 + SOON):
        await client.socket.wait_closed()
    return client.socket.close_code or 0, time.time()


@pytest.mark.parametrize("name", ACTS)
async def test_every_process_hears_of_it_soon(project: Project, name: str) -> None:
    act, code = ACTS[name]
    session = project.sessions[name]
    cookie = [("Cookie", f"sessionid={session}")]
    first, second, third = project.ports
    async with (
        raw_client(first, cookie) as one,
        raw_client(second, cookie) as two,
        raw_client(second, cookie, "/echo") as consumer,
        raw_client(third, cookie, "/echo") as alone,  # nobody uses topics there
    ):
        for client in (one, two):
            assert (await client.connect())["subs"]
        ended = [asyncio.create_task(ends(client)) for client in (one, two, consumer, alone)]
        # What counts is when the process acts, not how long Python takes to start.
        begun = float(await project.run(BEGIN + act + "\nprint(begun)", name, session))
        for closed, expected in zip(await asyncio.gather(*ended), [code, code, 4401, 4401], strict=True):
            assert closed[0] == expected
            assert closed[1] - begun < SOON
