"""What ``runserver`` says of sockets, topics and tasks: a line each, and why a handshake was refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.daphne.management.commands.test_runserver import Site, running

PROJECT = """
from django.conf import settings
SECRET_KEY = "x"
DEBUG = True
ALLOWED_HOSTS = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "daphne", "channels", "channels.topics", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
ROOT_URLCONF = "runserver_project"
ASGI_APPLICATION = "runserver_asgi.application"
urlpatterns = []
"""
ASGI = """
import channels.topics
from django.urls import path
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.topics import Topic, rpc

class Board(Topic):
    pattern = "board:<slug:name>"
    name: str

    def may_subscribe(self, user):
        return self.name != "secret"

    @rpc
    def post(self, user, text: str) -> None:
        self.publish(text)

class Members(AsyncWebsocketConsumer):
    async def connect(self):
        if self.scope["user"].is_authenticated:
            await self.accept()
        else:
            await self.close()

class Full(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()

routes = [
    *channels.topics.websocket_urlpatterns,
    path("members/<int:number>/", Members.as_asgi()),
    path("full/", Full.as_asgi()),
]
application = ProtocolTypeRouter(
    {"websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes)))}
)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("site")
    (folder / "runserver_project.py").write_text(PROJECT)
    (folder / "runserver_asgi.py").write_text(ASGI)
    with running(folder, "--noreload", "--skip-checks") as site:
        yield site


def knock(site: Site, path: str, origin: str | None = None, **headers: str) -> int:
    """Ask for a WebSocket that is refused; returns the status."""
    page: Any = origin or f"http://127.0.0.1:{site.port}"
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://127.0.0.1:{site.port}{path}",
            origin=page,
            additional_headers=headers,
        ).close()
    return refused.value.response.status_code


@pytest.mark.parametrize(
    ("path", "options", "status", "said"),
    [
        (
            "/connection/websocket",
            {"origin": "http://evil.example"},
            403,
            "'http://evil.example' is not allow",
        ),
        ("/member/7/", {}, 404, "'member/7/'. Did you mean 'members/<int:number>/'? Known routes:"),
        ("/members/7/", {}, 403, "The user is not logged in, and no cookie came: log in first, and open"),
        (
            "/members/8/",
            {"Cookie": "sessionid=x"},
            403,
            "not logged in: the cookies that came name no session",
        ),
        (
            "/full/",
            {"Cookie": "sessionid=y"},
            403,
            "connect() of runserver_asgi.Full closed it before it accepted it.",
        ),
    ],
)
def test_a_refusal_is_explained_in_one_line_and_once(
    site: Site, path: str, options: dict[str, str], status: int, said: str
) -> None:
    assert [knock(site, path, **options) for _ in range(2)] == [status, status]
    for _ in range(2):
        site.wait_for(f"WebSocket REJECT {path}")
    explained = [line for line in site.lines if said in line]
    assert len(explained) == 1
    assert path.strip("/") in explained[0]


def say(link: ClientConnection, **command: Any) -> None:
    link.send(json.dumps({"id": 1, **command}))
    link.recv(timeout=20)


def lines_of_publications(site: Site, number: int) -> int:
    """Read lines until they speak of so many publications; returns how many lines these were."""
    told, lines = 0, 0
    while told < number:
        site.wait_for("Topic PUBLISH board:main ")
        found = re.search(r"main (\d+) publications? \[1 subscriber\]", site.lines[-1])
        assert found is not None
        told, lines = told + int(found[1]), lines + 1
    assert told == number
    return lines


def test_what_topics_do_has_a_line_each_and_a_burst_shares_one(site: Site) -> None:
    origin: Any = f"http://127.0.0.1:{site.port}"
    with connect(f"ws://127.0.0.1:{site.port}/connection/websocket", origin=origin) as link:
        say(link, connect={})
        say(link, subscribe={"channel": "board:secret"})
        site.wait_for("Topic REFUSE board:secret [may_subscribe() says no to anonymous]")
        say(link, rpc={"method": "board:empty/post", "data": {"text": "hi"}})
        site.wait_for("Topic PUBLISH board:empty 1 publication [nobody is subscribed in this process]")
        say(link, subscribe={"channel": "board:main"})
        site.wait_for("Topic SUBSCRIBE board:main [anonymous, 1 subscriber now]")
        burst = [{"id": 2, "rpc": {"method": "board:main/post", "data": {"text": "hi"}}}] * 20
        link.send("\n".join(map(json.dumps, burst)))
        shared = lines_of_publications(site, 20)
    site.wait_for("Topic UNSUBSCRIBE board:main [1 client, 0 left]")
    assert shared < 20
    assert not [line for line in site.lines if "channels.topics/" in line or "channels-reload" in line]
