"""The notifications example: its own tests, and windows that are told without JavaScript of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.e2e.example import Example, until
from tests.support.browser import PHONE, chromium, picture
from tests.support.browsers.announced import announced, listen
from tests.support.browsers.network import Network, network
from tests.support.browsers.readable import assert_readable

STATE = "document.querySelector('#status').dataset.state"
LIST = "document.querySelector('#orders').innerText"
NEWS = "document.querySelector('#news').textContent"
BADGE = "Number(document.querySelector('#badge').textContent)"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Example]:
    example = Example("notifications", tmp_path)
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(shop: Example) -> None:
    shop.assert_own_tests_pass(11)


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_open_pages_show_what_was_committed_elsewhere(shop: Example, tmp_path: Path) -> None:
    shop.vendor()
    shop.start()
    with (
        network(shop.port) as mobile,
        chromium(tmp_path / "ada") as ada,
        chromium(tmp_path / "ben", PHONE) as ben,
    ):
        shop.assert_pages_readable(ada)
        shop.url = mobile.url
        for window, name in ((ada, "ada"), (ben, "ben")):
            shop.join(window, name)
            until(window, f"{STATE} === 'live'")  # before that nothing can come by the stream
            window.find_element(By.CSS_SELECTOR, "main form button").click()
            until(window, f"{LIST}.includes('A kettle')")  # it came by the stream
        until(ada, f"{NEWS} === 'A kettle, no. 1: Placed'")
        listen(ada)
        ada.execute_script("window.line = document.querySelector('#order-1')")
        shop.command("advance", "1")
        until(ada, f"{LIST}.includes('Packed') && {BADGE} === 1 && {NEWS}.includes('Packed')")
        assert announced(ada) == ["A kettle, no. 1: Packed"]  # neither the list nor the badge
        assert ada.execute_script("return line.isConnected")  # who reads it reads on
        assert ben.execute_script(f"return {LIST}.includes('Placed') && {BADGE} === 0")

        ada.execute_script("window.open(location.href)")
        first, second = ada.window_handles
        ada.switch_to.window(second)
        until(ada, f"{BADGE} === 1")
        ada.find_element(By.CSS_SELECTOR, "button[formaction]").click()
        until(ada, f"{BADGE} === 0")
        ada.switch_to.window(first)
        until(ada, f"{BADGE} === 0")

        ada.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "frozen"})  # as a phone in a pocket
        shop.command("advance", "1")
        ada.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "active"})
        for tab in (second, first):  # a page that wakes is hidden until somebody looks at it
            ada.switch_to.window(tab)
            until(ada, f"{LIST}.includes('Shipped') && {BADGE} === 1")

        shop.stop()  # nobody listens while it changes
        until(ben, f"{STATE} === 'offline'")
        shop.command("advance")
        shop.start()
        until(ada, f"{LIST}.includes('Delivered') && {BADGE} === 1")
        until(ben, f"{LIST}.includes('Packed') && {BADGE} === 1")
        for window in (ada, ben):
            until(window, f"{STATE} === 'live'")
        assert ben.execute_script("return document.body.scrollWidth <= innerWidth")

        mobile.off()
        until(ben, f"{STATE} === 'offline'")
        shop.command("advance", "2")
        mobile.on()
        until(ben, f"{STATE} === 'live' && {LIST}.includes('Shipped') && {BADGE} === 1")
        picture(ada, "notifications-desk")
        picture(ben, "notifications-phone", night=True)
        assert_readable(ada)
        assert_focus_is_kept(ada)
        assert_late_files_do_no_harm(mobile, ben)


def assert_focus_is_kept(window: Chrome) -> None:
    """Though the stream says that it has lost something, and most of the page is put in anew."""
    window.execute_script("""
        window.before = document.querySelector("main");
        before.querySelector("#read").focus();
        before.dispatchEvent(new CustomEvent("gap"));
    """)
    until(window, "document.querySelector('main') !== before && document.activeElement.id === 'read'")


def assert_late_files_do_no_harm(mobile: Network, window: Chrome) -> None:
    """The stream opens though htmx is there long before its extension, and though it fails at first."""
    window.execute_cdp_cmd("Network.enable", {})
    window.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/sse/*"]})
    window.execute_async_script("fetch('/static/vendor/htmx.min.js').then(arguments[0])")  # it is kept
    mobile.rate = 2000
    window.refresh()
    until(window, f"{STATE} === 'offline'")
    mobile.rate = 0
    window.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    until(window, f"{STATE} === 'live'")
