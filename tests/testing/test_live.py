"""The live server: real sockets, the test's data, databases in memory, static files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest
import warnings
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import override_settings
from websockets.sync.client import connect
from websockets.typing import Origin

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.process import serving
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.testing import ChannelsLiveServerTestCase, live
from channels.testing.database import _handler, _Lender
from tests.support.served import environment

PATIENCE = 30
HERE = Path(__file__)


class SyncNames(WebsocketConsumer):
    """Adds a user, and sends the names of all."""

    def connect(self) -> None:
        self.accept()
        User.objects.create(username="sync")
        self.send(json.dumps(names()))


class AsyncNames(AsyncWebsocketConsumer):
    """Adds a user both ways, and sends the names of all."""

    async def connect(self) -> None:
        await self.accept()
        await User.objects.acreate(username="async")
        await self.send(json.dumps(await database_sync_to_async(names)()))


def names() -> list[str]:
    return sorted(User.objects.values_list("username", flat=True))


def routes() -> Any:
    from django.urls import path

    return URLRouter([path("sync/", SyncNames.as_asgi()), path("async/", AsyncNames.as_asgi())])


application = ProtocolTypeRouter({"websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(routes()))})


@override_settings(
    ASGI_APPLICATION=f"{__name__}.application", ALLOWED_HOSTS=[], STATICFILES_DIRS=[str(HERE.parent)]
)
class LiveTests(ChannelsLiveServerTestCase):
    def talk(self, path: str) -> list[str]:
        with connect(
            self.live_server_ws_url + path, origin=Origin(self.live_server_url), open_timeout=PATIENCE
        ) as socket:
            answer: list[str] = json.loads(socket.recv(timeout=PATIENCE))
            return answer

    def test_sync_consumers_share_the_database(self) -> None:
        User.objects.create(username="test")
        assert self.talk("/sync/") == ["sync", "test"]
        assert names() == ["sync", "test"]

    def test_async_consumers_share_the_database(self) -> None:
        User.objects.create(username="test")
        assert self.talk("/async/") == ["async", "test"]
        assert names() == ["async", "test"]

    def test_the_database_is_empty_again(self) -> None:
        assert names() == []
        assert not Session.objects.exists()

    @unittest.skipIf("FAIRWAY_OTHER_RUNNER" in os.environ, "runs on a file then")
    def test_the_database_is_in_memory(self) -> None:
        assert connection.is_in_memory_db()  # type: ignore[attr-defined]

    async def test_async_tests_too(self) -> None:
        await User.objects.acreate(username="test")
        assert await database_sync_to_async(self.talk)("/async/") == ["async", "test"]

    def test_static_files(self) -> None:
        with urlopen(f"{self.live_server_url}/static/{HERE.name}", timeout=PATIENCE) as response:
            assert response.read() == HERE.read_bytes()


def run(case: type[ChannelsLiveServerTestCase]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


class Wrapped:
    """A middleware in the place of the static files."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.application({**scope, "path": "/wrapped"}, receive, send)


def fetches(expected: bytes, **attributes: Any) -> type[ChannelsLiveServerTestCase]:
    """Make a case with one test, that the server answers ``expected``."""

    def test(self: ChannelsLiveServerTestCase) -> None:
        with urlopen(self.live_server_url + "/static/x", timeout=PATIENCE) as response:
            assert response.read() == expected

    case = type("Case", (ChannelsLiveServerTestCase,), {"test": test, **attributes})
    return override_settings(ASGI_APPLICATION=f"{__name__}.hello")(case)


@pytest.mark.django_db(transaction=True)
class TestTheCase:
    def passes(self, case: type[ChannelsLiveServerTestCase]) -> None:
        result = run(case)
        assert (result.testsRun, result.errors, result.failures) == (1, [], [])

    def test_static_files_are_optional(self) -> None:
        self.passes(fetches(b"/static/x", serve_static=False))

    def test_another_wrapper(self) -> None:
        self.passes(fetches(b"/wrapped", static_wrapper=Wrapped))

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_another_host(self, host: str) -> None:
        self.passes(fetches(b"/static/x", serve_static=False, host=host))

    def test_a_process_class_is_not_silently_ignored(self) -> None:
        with pytest.warns(RuntimeWarning, match="ProtocolServerProcess is not used"):
            self.passes(fetches(b"/static/x", serve_static=False, ProtocolServerProcess=object))

    def test_what_runs_while_a_process_serves_ends_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As relays do, which have connections to a database that gets dropped."""
        seen: list[str] = []
        monkeypatch.setattr(serving, "_watchers", [])
        monkeypatch.setattr(serving, "announced", False)
        serving.when_serving(lambda: seen.append("start"), lambda: seen.append("stop"))
        self.passes(fetches(b"/static/x", serve_static=False))
        assert (seen, serving.announced) == (["start", "stop"], False)

    def test_what_keeps_it_from_starting_is_the_error(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = run(fetches(b"", host="256.0.0.1"))
        ((_, text),) = result.errors
        assert "256.0.0.1" in text
        assert not isinstance(_handler._connections, _Lender)


#: A program beside the tests, as one that serves for them in a process of its own.
OTHER_PROCESS = """
from django.conf import settings

sqlite = {"ENGINE": "django.db.backends.sqlite3"}
settings.configure(DATABASES={
    "default": {**sqlite, "NAME": "site"},
    "told": {**sqlite, "NAME": "other", "TEST": {"NAME": "chosen"}},
    "made": {**sqlite, "NAME": "test_made"},
    "memory": {**sqlite, "NAME": ":memory:"},
})
import django
django.setup()
from django.db import connections
from channels.testing.live import set_database_connection
set_database_connection()
for connection in connections.all():
    assert settings.DATABASES[connection.alias]["NAME"] == connection.settings_dict["NAME"]
    print(connection.settings_dict["NAME"])
"""


def test_another_process_finds_the_databases_of_the_tests(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER_PROCESS]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["test_site", "chosen", "test_made", ":memory:"]


@override_settings(ASGI_APPLICATION="tests.testing.test_live.routes")
def test_what_is_served_is_the_application_and_what_is_put_in_front_of_it() -> None:
    assert live.make_application(static_wrapper=None) is routes
    assert live.make_application(static_wrapper=lambda inside: (inside, "wrapped")) == (routes, "wrapped")


def test_the_process_that_serves_is_daphnes_and_nothing_else_is_there() -> None:
    assert live.DaphneProcess is ChannelsLiveServerTestCase.ProtocolServerProcess
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        live.nothing  # noqa: B018
