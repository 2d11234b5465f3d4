"""The devices example: its own tests, and a desk and a phone that switch devices, which come and go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.e2e.example import Example, until
from tests.support.browser import PHONE, chromium, picture
from tests.support.browsers.announced import announced, listen
from tests.support.browsers.readable import assert_readable

#: All of them for the pictures' sake; what is shown here it shows with a few.
COUNT = 500 if os.environ.get("DOCS_PICTURES") else 40


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Example]:
    example = Example("devices", tmp_path, app="mqtt")
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(devices: Example) -> None:
    assert "Ran 9 tests" in devices.command("test").stderr
    devices.command("makemigrations", "--check", "--dry-run")


STATE = "document.querySelector('#status').dataset.state"


def row(name: str) -> str:
    return f"[...document.querySelectorAll('#rows tr')].find((row) => row.cells[0].textContent === '{name}')"


def count(*states: str) -> str:
    rows = ", ".join(f"#rows tr[data-state={state}]" for state in states)
    return f"document.querySelectorAll('{rows}').length"


def other(state: str) -> str:
    return "off" if state == "on" else "on"


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_a_desk_and_a_phone_switch_devices_that_come_and_go(devices: Example, tmp_path: Path) -> None:
    devices.start()
    fleet = ("fleet", "--port", str(devices.devices_port), "--devices", str(COUNT))
    running = devices.run(*fleet)
    first, second = row("cooler-001"), row("cooler-002")
    with chromium(tmp_path / "desk") as desk, chromium(tmp_path / "phone", PHONE) as phone:
        devices.assert_pages_readable(desk)
        devices.join(desk, "ada")
        phone.get(devices.url)
        for window in (desk, phone):
            until(window, f"{STATE} === 'live'")
            until(window, f"{count('on', 'off')} === {COUNT}")
        assert_readable(desk)
        assert phone.execute_script(f"return {first}.querySelector('[role=switch]').disabled")
        natural = [desk.execute_script(f"return {each}.dataset.state") for each in (first, second)]
        wanted = [other(each) for each in natural]

        listen(desk)
        desk.find_element(By.CSS_SELECTOR, "#rows [role=switch]").send_keys(" ")  # by the keyboard
        for window in (desk, phone):  # the device itself has said so
            until(window, f"{first}.dataset.state === '{wanted[0]}'")
        assert announced(desk) == [f"cooler-001 told to be {wanted[0]}"]  # and no state of a device
        picture(desk, "devices-desk")
        picture(phone, "devices-phone", night=True)

        running.kill()
        until(phone, f"{count('lost')} === {COUNT}")  # their wills
        desk.find_element(By.ID, "filter").send_keys("cooler-002")
        until(desk, "document.querySelectorAll('#rows tr:not([hidden])').length === 1")
        desk.find_element(By.ID, f"all-{wanted[1]}").click()
        until(phone, f"{second}.textContent.includes('Lost; {wanted[1]} when back')")

        devices.stop()
        until(phone, f"{STATE} === 'offline'")
        devices.start()
        devices.run(*fleet)  # they hear what is wanted of them, though no process knows it any more
        until(phone, f"{STATE} === 'live'")
        for each, state in zip((first, second), wanted, strict=True):
            until(phone, f"{each}.dataset.state === '{state}'")
