"""The game example: its own tests, two players, a spectator, and a worker that is killed in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.examples.sockets import connect
from tests.e2e.example import PATIENCE, Example, until
from tests.support.browser import PHONE, chromium, picture
from tests.support.browsers.announced import announced, listen
from tests.support.browsers.network import network
from tests.support.browsers.readable import assert_readable

SCORES = "[...document.querySelectorAll('#scores li')].map((li) => li.textContent)"
STATE = "document.querySelector('#status').dataset.state"
#: Ends when some snapshot has a ship that flies to the left.
FLIES_LEFT = """
const [done] = arguments;
const { decode } = await import("/static/arena/rules.js");
const { topic } = JSON.parse(document.getElementById("facts").textContent);
const publication = ({ data }) => [...decode(data).ships.values()].some(({ dx }) => dx === -1) && done(true);
topics.connect({ shared: false }).subscribe(topic, { delta: true, on: { publication } });
"""
CLOCK = "document.querySelector('#clock').textContent"


@pytest.fixture
def game(tmp_path: Path) -> Iterator[Example]:
    example = Example("game", tmp_path)
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(game: Example) -> None:
    game.assert_own_tests_pass(12)


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
    with (
        network(game.port) as between,
        chromium(tmp_path / "ada") as ada,
        chromium(tmp_path / "ben", PHONE) as ben,
    ):
        game.assert_pages_readable(ada)
        game.url = between.url
        game.join(ada, "ada")
        assert_readable(ada)
        begin_match(game, ada, ben)
        assert not ben.find_element(By.ID, "join").is_displayed()
        assert ben.execute_script("return document.body.scrollWidth <= innerWidth")

        picture(ada, "game-desk")
        picture(ben, "game-phone")
        assert_readable(ada)

        # Along the upper edge, where the ship must come to its place on both pages.
        ActionChains(ada).key_down(Keys.ARROW_UP).key_down(Keys.ARROW_RIGHT).perform()
        listen(ben)
        until(ben, f"{CLOCK} < '1:55'")
        assert announced(ben) == []  # neither the clock nor snapshots
        worker.kill()
        worker.wait()
        stopped = ben.execute_script(f"return {CLOCK}")
        game.run("runworker", "arena")
        until(ben, f"{CLOCK} < '{stopped}'")  # it goes on; nobody has reloaded
        until(ben, f"{SCORES}.some((line) => line.startsWith('ada '))")

        for begin, end in ((game.stop, game.start), (between.off, between.on)):
            begin_match(game, ada, ben)  # it has its two minutes for each
            begin()
            for window in (ada, ben):
                until(window, f"{STATE} === 'offline'")
            end()
            for window in (ada, ben):
                until(window, f"{STATE} === 'live'")
            assert not ada.find_element(By.ID, "join").is_displayed()  # she has her ship
            ActionChains(ada).key_down(Keys.ARROW_LEFT).perform()
            assert ben.execute_async_script(FLIES_LEFT)
            ActionChains(ada).key_up(Keys.ARROW_LEFT).perform()


def begin_match(game: Example, player: Chrome, spectator: Chrome) -> None:
    """Have somebody play, and somebody without a name look on."""
    player.get(game.url)
    player.find_element(By.CSS_SELECTOR, "main form button").click()
    until(player, "location.pathname.startsWith('/match/')")
    spectator.get(player.current_url)
    until(player, "!document.querySelector('#join').hidden")
    player.find_element(By.ID, "join").click()
    for window in (player, spectator):
        until(window, f"{SCORES}.some((line) => line.startsWith('ada '))")
