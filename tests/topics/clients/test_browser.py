"""Our own client in Chromium: one connection for all tabs, without a network, without WebSockets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.test import override_settings
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import presence_stats, websocket_urlpatterns
from tests import settings
from tests.support.browser import chromium
from tests.support.browsers.network import Network, network
from tests.topics.topics_for_tests import Document, Room, go_on

pytestmark = pytest.mark.browser

PROJECT: dict[str, Any] = {
    "ROOT_URLCONF": "tests.topics.urls",
    "INSTALLED_APPS": [*settings.INSTALLED_APPS, "django.contrib.staticfiles", "channels.topics"],
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
}


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile") as window:
        yield window


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[str]:
    wanted = getattr(request, "param", "")
    with override_settings(**PROJECT, DEBUG=wanted == "debug"):
        websocket = [] if wanted == "no websocket" else websocket_urlpatterns
        pages = ASGIStaticFilesHandler(get_asgi_application())
        app = ProtocolTypeRouter({"http": pages, "websocket": URLRouter(websocket)})
        with ServerThread(app) as server:
            yield f"http://127.0.0.1:{server.port}/page/"


def wait_for(window: Chrome, script: str, value: Any = True) -> None:
    """Wait until a JavaScript expression has a value."""
    waiting = WebDriverWait(window, 20, poll_frequency=0.05)
    try:
        waiting.until(lambda _: window.execute_script(f"return {script}") == value)
    except Exception as error:
        found = window.execute_script(f"return {script}")
        raise AssertionError(
            f"{script} is {found!r}, not {value!r}; log {window.get_log('browser')}"
        ) from error


def seen(window: Chrome) -> list[Any]:
    texts = window.execute_script("return [...document.querySelectorAll('li')].map(each => each.textContent)")
    return [json.loads(text) for text in texts]


def live(window: Chrome, address: str) -> None:
    window.get(address)
    wait_for(window, "document.getElementById('state').textContent", "live")
    wait_for(window, "room.state", "subscribed")


def test_two_tabs_share_one_connection_and_both_hear(site: str, window: Chrome) -> None:
    live(window, site)
    first = window.current_window_handle
    window.switch_to.new_window("tab")
    live(window, site)
    assert presence_stats("room:open").clients == 1
    window.execute_script("room.publish({from: 'second'})")
    wait_for(window, "document.querySelectorAll('li').length", 1)
    window.close()
    window.switch_to.window(first)
    wait_for(window, "document.querySelectorAll('li').length", 1)
    Room(name="open").publish("still there")
    wait_for(window, "document.querySelectorAll('li').length", 2)
    assert seen(window) == [{"from": "second"}, "still there"]


@pytest.mark.parametrize("shared", ["no"])
def test_what_is_said_while_the_network_is_away_arrives_on_return(
    site: str, window: Chrome, shared: str
) -> None:
    live(window, f"{site}?shared={shared}")
    offline(window, True)
    wait_for(window, "document.getElementById('state').textContent", "offline")
    for number in range(5):
        Room(name="open").publish(number)
    offline(window, False)
    wait_for(window, "document.querySelectorAll('li').length", 5)
    assert seen(window) == list(range(5))
    assert window.execute_script("return recovered") is True


def offline(window: Chrome, away: bool) -> None:
    window.execute_cdp_cmd("Network.enable", {})
    conditions = {"offline": away, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    window.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


@pytest.fixture
def between(site: str) -> Iterator[Network]:
    with network(urlparse(site).port or 0) as between:
        yield between


SEEN_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"
NOT_ANSWERED = "room.publish('on its way').catch(() => {})"


def assert_noticed(window: Chrome, between: Network, happened: str) -> None:
    """The network carries nothing: the page says so long before a ping is missed, and comes back."""
    between.hold()
    window.execute_script(happened)
    wait_for(window, "client.state", "offline")
    between.on()
    wait_for(window, "client.state", "live")
    Room(name="open").publish("back")
    wait_for(window, "[...document.querySelectorAll('li')].some(each => each.textContent === '\"back\"')")


# Five seconds, and some fifteen: the times after which the client asks, and gives up, are its own.


def test_a_lost_network_is_noticed_when_the_page_is_seen_again(window: Chrome, between: Network) -> None:
    live(window, f"{between.url}/page/")
    assert_noticed(window, between, SEEN_AGAIN)


ASKED = "performance.getEntriesByType('resource').filter(({name}) => name.endsWith('/emulation')).length"


def test_a_lost_network_is_noticed_by_a_command_and_a_slow_answer_is_none(
    window: Chrome, between: Network
) -> None:
    live(window, f"{between.url}/page/?shared=no")
    window.execute_script(SEEN_AGAIN)
    assert window.execute_async_script(COUNTED) == {"clients": 1, "users": 1}  # and so was the probe before
    go_on.clear()
    window.execute_script("room.rpc('wait').catch(() => {})")
    wait_for(window, ASKED, 1)
    go_on.set()
    assert window.execute_async_script(COUNTED) == {"clients": 1, "users": 1}
    assert window.execute_script("return [client.state, ...states].includes('offline')") is False
    assert_noticed(window, between, NOT_ANSWERED)


@pytest.mark.parametrize("site", ["no websocket"], indirect=True)
def test_where_no_websocket_gets_through_an_event_stream_does(site: str, window: Chrome) -> None:
    live(window, f"{site}?shared=no")
    window.execute_script("room.publish({over: 'sse'})")
    wait_for(window, "document.querySelectorAll('li').length", 1)
    assert seen(window) == [{"over": "sse"}]


COUNTED = "const done = arguments[0]; room.presenceStats().then(done)"
PUBLISHED = """
const done = arguments[0], pad = "x".repeat(6000);
const sent = [...Array(30).keys()].map((n) => room.publish({ n, pad }));
Promise.all(sent).then(() => done("all"), (error) => done(error.message));
"""


@pytest.mark.parametrize("site", ["no websocket"], indirect=True)
def test_much_at_once_goes_up_in_several_requests_in_order(site: str, window: Chrome) -> None:
    live(window, f"{site}?shared=no")
    assert window.execute_async_script(PUBLISHED) == "all"
    wait_for(window, "document.querySelectorAll('li').length", 30)
    assert [each["n"] for each in seen(window)] == list(range(30))


@pytest.mark.parametrize("site", ["no websocket"], indirect=True)
def test_one_that_is_too_large_is_refused_at_once_as_over_a_websocket(site: str, window: Chrome) -> None:
    live(window, f"{site}?shared=no")
    refused = "const done = arguments[0]; room.publish('x'.repeat(70000)).catch(({message}) => done(message))"
    assert window.execute_async_script(refused) == "The connection was lost."
    wait_for(window, "client.state", "closed")


@pytest.mark.parametrize("site", ["minified", "debug"], indirect=True)
def test_calls_presence_history_and_errors(site: str, window: Chrome) -> None:
    live(window, site)
    answer = "const done = arguments[0]; "
    result = window.execute_async_script(answer + "client.rpc('add', {numbers: [1, 2]}).then(done)")
    assert result == 3
    result = window.execute_async_script(answer + "room.presenceStats().then(done)")
    assert result == {"clients": 1, "users": 1}
    Room(name="open").publish("kept")
    result = window.execute_async_script(answer + "room.history({limit: 1}).then(done)")
    assert result["publications"][0]["data"] == "kept"
    result = window.execute_async_script(
        answer + "client.rpc('nothing').catch(e => done([e.code, e.message]))"
    )
    assert result == [104, "method not found"]
    window.execute_script("window.secret = client.subscribe('room:secret')")
    wait_for(window, "secret.state", "unsubscribed")
    told = [each["message"] for each in window.get_log("browser")]
    assert any("room:secret: permission denied (103)" in message for message in told)


def test_patches_become_documents_again(site: str, window: Chrome) -> None:
    live(window, site)
    window.execute_script(
        "window.documents = []; window.doc = client.subscribe('document:3', {delta: true, on: {"
        "publication: ({data}) => documents.push(data)}})"
    )
    wait_for(window, "doc.state", "subscribed")
    documents = [{"text": "lorem ipsum dolor sit amet " * 30, "ä": number} for number in range(3)]
    for amount, document in enumerate(documents, 1):
        Document(number=3).publish(document)
        wait_for(window, "documents.length", amount)
    assert window.execute_script("return documents") == documents


@pytest.mark.timeout(150)
def test_a_page_that_is_left_closes_its_connection_and_is_live_when_it_comes_back(
    site: str, window: Chrome
) -> None:
    live(window, site)
    window.get("about:blank")
    # At once, though the browser freezes its worker before that hears of it: not when a ping is not answered.
    WebDriverWait(window, 15).until(lambda _: presence_stats("room:open").clients == 0)
    Room(name="open").publish("meanwhile")
    window.back()
    wait_for(window, "document.getElementById('state').textContent", "live")
    WebDriverWait(window, 20).until(lambda _: presence_stats("room:open").clients == 1)
    Room(name="open").publish("back")
    wait_for(window, "[...document.querySelectorAll('li')].at(-1)?.textContent", '"back"')
