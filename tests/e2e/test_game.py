"""The game example: its own tests, two players, a spectator, and a worker that is killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e.example import Example, until
from tests.support.browser import PHONE, chromium, picture

SCORES = "[...document.querySelectorAll('#scores li')].map((li) => li.textContent)"
CLOCK = "document.querySelector('#clock').textContent"


@pytest.fixture
def game(tmp_path: Path) -> Iterator[Example]:
    example = Example("game", tmp_path)
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(game: Example) -> None:
    assert "Ran 10 tests" in game.command("test").stderr
    game.command("makemigrations", "--check", "--dry-run")


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_a_match_outlives_its_worker(game: Example, tmp_path: Path) -> None:
    worker = game.run("runworker", "arena")
    game.start()
    with chromium(tmp_path / "ada") as ada, chromium(tmp_path / "ben", PHONE) as ben:
        game.join(ada, "ada")
        ada.find_element(By.CSS_SELECTOR, "main form button").click()
        until(ada, "location.pathname.startsWith('/match/')")
        ben.get(ada.current_url)  # a spectator, without a name
        until(ada, "!document.querySelector('#join').hidden")
        ada.find_element(By.ID, "join").click()
        for window in (ada, ben):
            until(window, f"{SCORES}.some((line) => line.startsWith('ada '))")
        assert not ben.find_element(By.ID, "join").is_displayed()
        assert ben.execute_script("return document.body.scrollWidth <= innerWidth")

        picture(ada, "game-desk")
        picture(ben, "game-phone")

        # Along the upper edge, where the ship must come to its place on both pages.
        ActionChains(ada).key_down(Keys.ARROW_UP).key_down(Keys.ARROW_RIGHT).perform()
        until(ben, f"{CLOCK} < '1:55'")
        worker.kill()
        worker.wait()
        stopped = ben.execute_script(f"return {CLOCK}")
        game.run("runworker", "arena")
        until(ben, f"{CLOCK} < '{stopped}'")  # it goes on; nobody has reloaded
        until(ben, f"{SCORES}.some((line) => line.startsWith('ada '))")
