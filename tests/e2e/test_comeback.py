"""Everybody comes back at once, as after a restart, and each is who they were."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone
from websockets.asyncio.client import connect

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread

DISK = "disk"
PEOPLE = 60
BACKEND = "django.contrib.auth.backends.ModelBackend"


class Greeting(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.send(self.scope["user"].get_username() or "nobody")


class ToDisk:
    """The users of these tests are in a database that threads share."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return DISK

    db_for_write = db_for_read

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True


@pytest.fixture(params=["db", "signed_cookies"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[str]:
    """A session engine of Django; with ``CONN_MAX_AGE`` 0, as is Django's default."""
    engine = f"django.contrib.sessions.backends.{request.param}"
    connections.settings[DISK] = {
        **connections.settings["default"],
        "NAME": str(tmp_path / "db.sqlite3"),
        "CONN_MAX_AGE": 0,
    }
    routers = [f"{__name__}.ToDisk"]
    with django_db_blocker.unblock(), override_settings(SESSION_ENGINE=engine, DATABASE_ROUTERS=routers):
        call_command("migrate", database=DISK, verbosity=0)
        yield engine
        connections[DISK].close()
    del connections[DISK]
    del connections.settings[DISK]


def cookie_of(engine: str, user: User, *, expired: bool = False) -> str:
    session = importlib.import_module(engine).SessionStore()
    hashed = "of an old password" if expired else user.get_session_auth_hash()
    session.update({SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: BACKEND, HASH_SESSION_KEY: hashed})
    session.save()
    return f"sessionid={session.session_key}"


async def greeted(port: int, cookie: str | None) -> str:
    headers = {} if cookie is None else {"Cookie": cookie}
    async with connect(f"ws://127.0.0.1:{port}/", additional_headers=headers, open_timeout=60) as websocket:
        return str(await websocket.recv())


def test_each_is_who_they_were(engine: str) -> None:
    users = [User.objects.create(username=f"person{number}") for number in range(PEOPLE)]
    cookies: list[str | None] = [cookie_of(engine, user) for user in users]
    names = [user.username for user in users]
    # Some in two windows, some without a right to be anybody.
    cookies += [*cookies[:10], None, "sessionid=unknown", cookie_of(engine, users[0], expired=True)]
    names += [*names[:10], "nobody", "nobody", "nobody"]
    User.objects.filter(pk=users[20].pk).update(is_active=False)
    users[21].delete()
    names[20] = names[21] = "nobody"
    if engine.endswith(".db"):
        past = timezone.now() - timedelta(seconds=1)
        key = str(cookies[22]).removeprefix("sessionid=")
        Session.objects.filter(session_key=key).update(expire_date=past)
        names[22] = "nobody"
    application = ProtocolTypeRouter({"websocket": AuthMiddlewareStack(Greeting.as_asgi())})

    async def come(port: int) -> list[str]:
        return await asyncio.gather(*(greeted(port, cookie) for cookie in cookies))

    with ServerThread(application, drain_timeout=0.1) as server:
        for _ in range(2):
            assert asyncio.run(come(server.port)) == names
