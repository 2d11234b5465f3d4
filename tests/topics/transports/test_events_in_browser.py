"""What browsers do with plain event streams when a server restarts: EventSource, htmx, Datastar."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.topics import disconnect, presence
from channels.topics.stores.manager import set_store
from tests.support import programs
from tests.support.browser import chromium
from tests.support.ports import free_port
from tests.topics.topics_for_tests import Patched, Room, Shown
from tests.topics.transports import event_pages

pytestmark = pytest.mark.browser


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile") as window:
        yield window


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def serving(port: int) -> Iterator[None]:
    with override_settings(ROOT_URLCONF=event_pages.__name__):
        app = ProtocolTypeRouter({"http": get_asgi_application()})
        with ServerThread(app, host="127.0.0.1", port=port):
            yield


def wait_for(window: Chrome, script: str, value: Any) -> None:
    """Wait until a JavaScript expression has a value."""
    try:
        WebDriverWait(window, 20, poll_frequency=0.05).until(
            lambda _: window.execute_script(f"return {script}") == value
        )
    except Exception as error:
        found = window.execute_script(f"return {script}")
        raise AssertionError(f"{script} is {found!r}, not {value!r}; {window.get_log('browser')}") from error


def test_eventsource_comes_back_after_a_restart_and_has_missed_nothing(port: int, window: Chrome) -> None:
    with serving(port):
        window.get(f"http://127.0.0.1:{port}/page/eventsource")
        wait_for(window, "window.seen", ["ready"])
        Room(name="lobby").publish(1)
        wait_for(window, "window.seen", ["ready", 1])
    Room(name="lobby").publish(2)
    Room(name="lobby").publish(3)
    with serving(port):
        wait_for(window, "window.seen", ["ready", 1, "ready", 2, 3])
        Room(name="lobby").publish(4)
        wait_for(window, "window.seen.at(-1)", 4)
    set_store("default", None)  # what was kept is lost
    with serving(port):
        wait_for(window, "window.seen.slice(-2)", ["ready", "gap"])


def test_the_polyfill_comes_back_where_it_was_though_its_page_named_an_earlier_id(
    port: int, window: Chrome
) -> None:
    event_pages.packages = programs.require_npm_packages("event-source-polyfill@1.0.31")
    with serving(port):
        first, _ = (Room(name="lobby").publish(number) for number in range(2))
        assert first is not None
        since = f"{first.position.offset}:{first.position.epoch}"
        window.get(f"http://127.0.0.1:{port}/page/polyfill?last_event_id={since}")
        wait_for(window, "window.seen", ["ready", 1])
    Room(name="lobby").publish(2)
    with serving(port):
        wait_for(window, "window.seen", ["ready", 1, "ready", 2])


def test_eventsource_is_cut_off_and_comes_back_or_is_told_to_stay_away(port: int, window: Chrome) -> None:
    with serving(port):
        window.get(f"http://127.0.0.1:{port}/page/eventsource")
        wait_for(window, "window.seen", ["ready"])
        disconnect("", code=3011)
        wait_for(window, "window.seen", ["ready", "ready"])
        disconnect("")
        wait_for(window, "window.seen", ["ready", "ready", "close"])
        WebDriverWait(window, 10).until(lambda _: not presence("room:lobby"))


def test_eventsource_listens_to_what_it_wants_of_a_one_way_stream(port: int, window: Chrome) -> None:
    with serving(port):
        window.get(f"http://127.0.0.1:{port}/page/oneway")
        wait_for(window, "window.seen", ["open", ["room:lobby"]])
        Room(name="lobby").publish({"n": 1})
        wait_for(window, "window.seen.at(-1)", {"n": 1})
    with serving(port):
        wait_for(window, "window.seen.slice(-2)", ["open", ["room:lobby"]])
        Room(name="lobby").publish({"n": 2})
        wait_for(window, "window.seen.at(-1)", {"n": 2})


def test_htmx_swaps_in_what_it_missed_after_a_restart(port: int, window: Chrome) -> None:
    event_pages.packages = programs.require_npm_packages("htmx.org@4.0.1")
    lines = "[...document.querySelectorAll('#lines p:first-child, #lines p')].map(p => p.textContent)"
    text = f"{lines}.filter(text => text != 'all')"
    with serving(port):
        window.get(f"http://127.0.0.1:{port}/page/htmx")
        wait_for(window, "window.seen", ["ready"])
        Shown(kind="shared").publish(1)
        wait_for(window, text, ["1"])
    Shown(kind="shared").publish(2)
    with serving(port):
        wait_for(window, text, ["1", "2"])
        assert window.execute_script("return window.seen") == ["ready", "ready"]
    set_store("default", None)
    with serving(port):
        wait_for(window, "window.seen.slice(-2)", ["ready", "gap"])
        disconnect("")
        wait_for(window, "document.getElementById('lines')._htmx.sse === undefined", True)


def test_datastar_patches_what_it_missed_after_a_cut(port: int, window: Chrome) -> None:
    event_pages.packages = programs.require_npm_packages("@starfederation/datastar@1.0.0-beta.11")
    card = "document.getElementById('card').textContent"
    with serving(port):
        window.get(f"http://127.0.0.1:{port}/page/datastar")
        WebDriverWait(window, 20).until(lambda _: presence("patched:1"))
        Patched(number=1).publish("one")
        wait_for(window, card, "one")
    Patched(number=1).publish("two")
    with serving(port):
        wait_for(window, card, "two")
        Patched(number=1).publish("three")
        wait_for(window, card, "three")
