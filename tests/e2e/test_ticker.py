"""The ticker example: its own tests, and a desk and a phone that look at prices."""

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


@pytest.fixture
def ticker(tmp_path: Path) -> Iterator[Example]:
    example = Example("ticker", tmp_path)
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(ticker: Example) -> None:
    ticker.assert_own_tests_pass(8)


STATE = "document.querySelector('#status').dataset.state"
PRICE = "document.querySelector('#price').textContent"
WATCHED = "Number(/of (\\d+) of 2000/.exec(document.querySelector('#load').textContent)?.[1])"
LEFT_OUT = "Number(/left out: (\\d+)/.exec(document.querySelector('#load').textContent)?.[1] ?? 0)"


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_a_desk_and_a_phone_look_at_prices(ticker: Example, tmp_path: Path) -> None:
    ticker.start()
    feed = ticker.run("feed", "--rate", "2000")
    with (
        network(ticker.port) as mobile,
        chromium(tmp_path / "desk") as desk,
        chromium(tmp_path / "phone", PHONE) as phone,
    ):
        ticker.assert_pages_readable(desk)
        for window, url in ((desk, ticker.url), (phone, mobile.url)):
            window.get(url)
            until(window, f"{STATE} === 'live'")
            until(window, "document.querySelector('#plot').ariaLabel.includes('between')")
        until(desk, f"{WATCHED} > 5 && {WATCHED} < 60")  # what is on the screen, and no more
        assert phone.execute_script("return document.body.scrollWidth <= innerWidth")
        listen(desk)
        before = desk.execute_script(f"return {PRICE}")
        until(desk, f"{PRICE} !== '{before}'")
        assert announced(desk) == []

        picture(desk, "ticker-desk", night=True)
        picture(phone, "ticker-phone")

        desk.find_element(By.ID, "filter").send_keys("optics")
        names = "[...document.querySelectorAll('#rows tr:not([hidden]) td.wide')]"
        until(
            desk, f"{names}.filter((td) => td.textContent).every((td) => td.textContent.includes('Optics'))"
        )
        assert_readable(desk)

        ticker.stop()
        until(phone, f"{STATE} === 'offline'")
        seen = phone.execute_script(f"return {PRICE}")
        ticker.start()
        until(phone, f"{STATE} === 'live' && {PRICE} !== '{seen}'")
        until(desk, f"{STATE} === 'live'")

        mobile.off()
        until(phone, f"{STATE} === 'offline'")
        seen = phone.execute_script(f"return {PRICE}")
        until(desk, f"{PRICE} !== '{seen}'")
        feed.terminate()
        feed.wait()
        mobile.on()  # nothing new comes, and the page has what it has missed
        until(phone, f"{STATE} === 'live' && {PRICE} !== '{seen}'")
        assert_slow_page_is_not_misled(ticker, mobile, phone, desk)


#: Prices of the first instrument, which both pages show large, as fast as they can be published: more than
#: fits on the way, where some 3,000 wait.
BURST = """
from market.models import Instrument
from market.topics import Quote, Tick
import time
symbol = Instrument.objects.first().symbol
for number in range(8000):
    Quote(symbol=symbol).publish(Tick(number / 100, time.time_ns() // 1_000_000))
"""
#: A second connection of the same page notes what comes, in its order.
NOTE = """
const done = arguments[0];
window.seen = [];
const symbol = document.querySelector("[aria-current] button").textContent;
const note = { publication: ({ offset }) => seen.push(offset), subscribed: done };
topics.connect({ shared: false }).subscribe(`quote:${symbol}`, { on: note });
"""


def assert_slow_page_is_not_misled(ticker: Example, mobile: Network, phone: Chrome, desk: Chrome) -> None:
    """Fewer prices, none after a newer one, in the end the last; and the page says how many it lacks."""
    phone.execute_async_script(NOTE)
    before = phone.execute_script(f"return {LEFT_OUT}")
    mobile.rate = 1000
    ticker.command("shell", "-v0", "-c", BURST)
    until(desk, f"{PRICE} === '79.99'")
    mobile.rate = 0
    until(phone, f"{PRICE} === '79.99' && {LEFT_OUT} > {before}")
    seen = phone.execute_script("return seen")
    assert seen == sorted(set(seen))
    assert len(seen) < 8000
