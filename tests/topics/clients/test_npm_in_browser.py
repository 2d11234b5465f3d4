"""npm's client in Chromium, as JSON and as Protobuf, over each transport that it has there."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.test import override_settings
from selenium.webdriver import Chrome

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import disconnect, presence_stats, unsubscribe, websocket_urlpatterns
from tests import settings
from tests.support import programs
from tests.support.browser import chromium
from tests.topics.clients.test_browser import offline, wait_for
from tests.topics.topics_for_tests import Room

pytestmark = pytest.mark.browser

WAYS = [
    ("json", "websocket"),
    ("json", "http_stream"),
    ("json", "sse"),
    ("protobuf", "websocket"),
    ("protobuf", "http_stream"),
]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def site() -> Iterator[str]:
    packages = programs.require_npm_packages("centrifuge@5.8.0", "eventsource@4.1.0", "ws@8.18.3")
    project: dict[str, Any] = {
        "ROOT_URLCONF": "tests.topics.clients.npm_pages",
        "INSTALLED_APPS": [*settings.INSTALLED_APPS, "django.contrib.staticfiles", "channels.topics"],
        "STATICFILES_DIRS": [packages / "node_modules" / "centrifuge" / "dist"],
        "STATIC_URL": "/static/",
        # Compresses each chunk of a stream by itself, of which a browser reads the first.
        "MIDDLEWARE": [*settings.MIDDLEWARE, "django.middleware.gzip.GZipMiddleware"],
    }
    with override_settings(**project):
        pages = ASGIStaticFilesHandler(get_asgi_application())
        app = ProtocolTypeRouter({"http": pages, "websocket": URLRouter(websocket_urlpatterns)})
        with ServerThread(app) as server:
            yield f"http://127.0.0.1:{server.port}/npm/"


@pytest.fixture(params=WAYS, ids="-".join)
def page(request: pytest.FixtureRequest, site: str, window: Chrome) -> Iterator[Chrome]:
    """The page of one way, subscribed; left at the end."""
    wanted, transport = request.param
    window.get(f"{site}?format={wanted}&transport={transport}")
    wait_for(window, "subscribed.length", 1)
    assert window.execute_script("return clients[0][1]") == transport
    yield window
    offline(window, False)
    window.get("about:blank")


def answer(window: Chrome, call: str) -> Any:
    """What comes of a call of the client's."""
    return window.execute_async_script(
        f"const done = arguments[0]; {call}.then(done, e => done([e.code, e.message]))"
    )


def test_it_publishes_reads_calls_and_is_refused(page: Chrome) -> None:
    Room(name="open").publish({"from": "server", "ä": "\u2028 line\nbreak"})
    assert answer(page, "room.publish(encoded({from: 'page'}))") == {}
    wait_for(page, "seen.length", 2)
    assert page.execute_script("return [seen, offsets]") == [
        [{"from": "server", "ä": "\u2028 line\nbreak"}, {"from": "page"}],
        [1, 2],
    ]
    assert answer(
        page, "room.history({limit: 1}).then(page => page.publications.map(each => decoded(each.data)))"
    ) == [{"from": "server", "ä": "\u2028 line\nbreak"}]
    assert answer(page, "client.rpc('add', encoded({numbers: [1, 2]})).then(({data}) => decoded(data))") == 3
    assert answer(page, "client.rpc('nothing', encoded({}))") == [104, "method not found"]
    nothing = "{a: 1}" if "protobuf" in page.current_url else "undefined"  # what is no bytes is left out
    code, message = answer(page, f"room.publish({nothing})")
    assert (code, "data are missing" in message) == (107, True)
    assert answer(page, "room.presenceStats()") == {"numClients": 1, "numUsers": 1}


def test_what_is_said_while_the_network_is_away_comes_once_and_in_order(page: Chrome) -> None:
    Room(name="open").publish("before")
    wait_for(page, "seen.length", 1)
    offline(page, True)
    wait_for(page, "states.at(-1)", "connecting")
    for number in range(10):
        Room(name="open").publish(number)
    offline(page, False)
    wait_for(page, "seen.length", 11)
    Room(name="open").publish("after")
    wait_for(page, "seen.length", 12)
    assert page.execute_script("return seen") == ["before", *range(10), "after"]
    assert page.execute_script("return offsets") == list(range(1, 13))
    assert page.execute_script("return subscribed") == [[False, False], [True, True]]
    assert page.execute_script("return new Set(clients.map(String)).size") == 2
    assert presence_stats("room:open").clients == 1


def test_the_server_ends_its_subscription_and_then_its_connection(page: Chrome) -> None:
    unsubscribe("", "room:open")
    wait_for(page, "room.state", "unsubscribed")
    page.execute_script("client.on('disconnected', ({code, reason}) => (window.gone = [code, reason]))")
    disconnect("")
    wait_for(page, "window.gone?.join()", "3503,force disconnect")
    assert presence_stats("room:open").clients == 0
