"""The game example: its own tests, two players, a spectator, and a worker that is killed in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.examples.sockets import connect
from tests.e2e.example import PATIENCE, Example, until
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
    game.assert_own_tests_pass(10)


#: A match, and the session of somebody who plays in it.
BEGIN = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import get_user_model
from arena.models import Match
user = get_user_model().objects.create_user("ada")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session["_auth_user_id"] = str(user.pk)
session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
session["_auth_user_hash"] = user.get_session_auth_hash()
session.save()
print(Match.objects.create().pk, session.session_key)
"""
SPECTATORS = 200
STEERING = '{"seq":1,"dx":1,"dy":0}'


@pytest.mark.timeout(120)
async def test_hundreds_of_spectators_see_a_match_that_changes_its_worker(game: Example) -> None:
    worker = game.run("runworker", "arena")
    game.start()
    match, cookie = game.command("shell", "-v0", "-c", BEGIN).stdout.split()[-2:]
    snapshots = [0] * SPECTATORS

    def counting(number: int) -> Callable[[bytes], None]:
        def receive(frame: bytes) -> None:
            snapshots[number] += frame.count(b'"pub"')

        return receive

    async def until_all_see(more: int) -> None:
        aim = [seen + more for seen in snapshots]
        async with asyncio.timeout(PATIENCE):
            while any(seen < wanted for seen, wanted in zip(snapshots, aim, strict=True)):
                player.send(f'{{"id":3,"rpc":{{"method":"match:{match}/steer","data":{STEERING}}}}}')
                await asyncio.sleep(0.05)

    player = await connect(game.port, "/connection/websocket", cookie, lambda frame: None)
    player.send(f'{{"id":1,"connect":{{}}}}\n{{"id":2,"rpc":{{"method":"match:{match}/join","data":{{}}}}}}')

    opened = [
        await connect(game.port, "/connection/websocket", "", counting(number))
        for number in range(SPECTATORS)
    ]
    for spectator in opened:
        spectator.send(f'{{"id":1,"connect":{{}}}}\n{{"id":2,"subscribe":{{"channel":"match:{match}"}}}}')
    await until_all_see(5)
    worker.terminate()  # as at a deploy: it writes the match down, and the next one goes on
    worker.wait()
    game.run("runworker", "arena")
    await until_all_see(5)
    assert all(spectator.open for spectator in opened)
    for spectator in (player, *opened):
        spectator.close()


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
