"""The ticker example: its own tests, and a desk and a phone that look at prices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.e2e.example import Example, until
from tests.support.browser import PHONE, chromium, picture


@pytest.fixture
def ticker(tmp_path: Path) -> Iterator[Example]:
    example = Example("ticker", tmp_path)
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(ticker: Example) -> None:
    ticker.assert_own_tests_pass(7)


STATE = "document.querySelector('#status').dataset.state"
PRICE = "document.querySelector('#price').textContent"
WATCHED = "Number(/of (\\d+) of 2000/.exec(document.querySelector('#load').textContent)?.[1])"


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_a_desk_and_a_phone_look_at_prices(ticker: Example, tmp_path: Path) -> None:
    ticker.start()
    ticker.run("feed", "--rate", "2000")
    with chromium(tmp_path / "desk") as desk, chromium(tmp_path / "phone", PHONE) as phone:
        for window in (desk, phone):
            window.get(ticker.url)
            until(window, f"{STATE} === 'live'")
            until(window, "document.querySelector('#plot').ariaLabel.includes('between')")
        until(desk, f"{WATCHED} > 5 && {WATCHED} < 60")  # what is on the screen, and no more
        assert phone.execute_script("return document.body.scrollWidth <= innerWidth")

        picture(desk, "ticker-desk", night=True)
        picture(phone, "ticker-phone")

        desk.find_element(By.ID, "filter").send_keys("optics")
        names = "[...document.querySelectorAll('#rows tr:not([hidden]) td.wide')]"
        until(
            desk, f"{names}.filter((td) => td.textContent).every((td) => td.textContent.includes('Optics'))"
        )

        ticker.stop()
        until(phone, f"{STATE} === 'offline'")
        seen = phone.execute_script(f"return {PRICE}")
        ticker.start()
        until(phone, f"{STATE} === 'live' && {PRICE} !== '{seen}'")
