"""The chat example as people use it: real servers, real browser windows."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.example import Example
from tests.support.browser import DESKTOP, PHONE, chromium, dark, resize
from tests.support.browsers.readable import assert_readable
from tests.support.ports import free_port
from tests.support.served import environment, served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat"
PATIENCE = 30  # seconds; a loaded machine starts browsers slowly
COMMANDS = {
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "{port}", "chat.asgi:application"],
    "uvicorn": ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", "chat.asgi:application"],
}


@functools.cache
def migrated() -> bytes:
    """The example's database after ``migrate``, before anybody has used it."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "db.sqlite3"
        env = environment(CHAT_DATABASE=str(database), DJANGO_SETTINGS_MODULE="chat.settings")
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=EXAMPLE, env=env, check=True)
        return database.read_bytes()


@dataclass
class Chat:
    """The example on a port and a database of its own, under one server's command."""

    server: str
    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = environment(
            CHAT_DATABASE=str(self.folder / "db.sqlite3"), DJANGO_SETTINGS_MODULE="chat.settings"
        )
        self.running = ExitStack()
        self.folder.mkdir(exist_ok=True)
        (self.folder / "db.sqlite3").write_bytes(migrated())

    def command(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command of the site's ``manage.py``."""
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=EXAMPLE, env=self.env, capture_output=True, check=True)

    def start(self) -> None:
        """Serve; the same port again after a stop."""
        command = [word.format(port=self.port) for word in COMMANDS[self.server]]
        log = self.folder / "server.log"
        self.running.enter_context(served(command, self.port, folder=EXAMPLE, log=log, env=self.env))

    def stop(self) -> None:
        """End the server as a service manager would."""
        self.running.close()


@pytest.fixture(params=["daphne"])
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(request.param, tmp_path)
    chat.start()
    yield chat
    chat.stop()


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "ada") as window:
        yield window


@pytest.fixture
def ben(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "ben") as window:
        yield window


@pytest.mark.timeout(60)
def test_its_own_tests_pass(tmp_path: Path) -> None:
    Example("chat", tmp_path).assert_own_tests_pass(7)


def join(window: Chrome, chat: Chat, name: str) -> None:
    """Choose a name: the start page leads there."""
    window.get(chat.url)
    window.find_element(By.LINK_TEXT, "Choose a name").click()
    fill(window, username=name, password1="correct horse", password2="correct horse")
    window.find_element(By.CSS_SELECTOR, ".fields button").click()
    WebDriverWait(window, PATIENCE).until(lambda w: w.find_elements(By.CSS_SELECTOR, ".rooms"))


def fill(window: Chrome, **fields: str) -> None:
    for name, value in fields.items():
        window.find_element(By.NAME, name).send_keys(value)


def enter(window: Chrome, chat: Chat, room: str = "lobby") -> None:
    """Go to a room and wait until its socket is open."""
    window.get(f"{chat.url}/room/{room}/")
    wait_for_status(window, "Connected")


def wait_for_status(window: Chrome, text: str) -> None:
    WebDriverWait(window, PATIENCE).until(lambda w: text in w.find_element(By.ID, "status").text)


def say(window: Chrome, text: str) -> None:
    window.find_element(By.ID, "text").send_keys(text, Keys.ENTER)


def wait_for_line(window: Chrome, text: str) -> None:
    """Somebody's line shows, as text."""
    WebDriverWait(window, PATIENCE).until(lambda _: text in lines(window))


def lines(window: Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('#log li')].map(li => li.textContent)"
    found: list[str] = window.execute_script(script)
    return found


@pytest.mark.parametrize("chat", ["daphne", "uvicorn"], indirect=True)
def test_two_people_talk(chat: Chat, ada: Chrome, ben: Chrome) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
        enter(window, chat)
    wait_for_line(ada, "ben came in")
    say(ada, "hello")
    wait_for_line(ben, "adahello")
    say(ben, "hello yourself")
    wait_for_line(ada, "benhello yourself")
    ben.get(chat.url)
    wait_for_line(ada, "ben left")


def test_the_lost_connection_shows_and_comes_back(chat: Chat, ada: Chrome, ben: Chrome) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
        enter(window, chat)
    chat.stop()
    for window in (ada, ben):
        wait_for_status(window, "Connection lost. Trying again …")
        assert not window.find_element(By.ID, "send").is_enabled()
    chat.start()
    for window in (ada, ben):
        wait_for_status(window, "Connected")
    assert "The connection is back. What was said meanwhile is not shown." in lines(ada)
    say(ada, "again")
    wait_for_line(ben, "adaagain")


def test_markup_stays_text(chat: Chat, ada: Chrome) -> None:
    join(ada, chat, "ada")
    enter(ada, chat)
    say(ada, "<img src=x onerror=\"document.title='hurt'\">")
    wait_for_line(ada, "ada<img src=x onerror=\"document.title='hurt'\">")
    assert ada.find_elements(By.CSS_SELECTOR, "#log img") == []
    assert ada.title == "lobby · Chat"


def test_who_is_logged_out_is_told_to_log_in(chat: Chat, ada: Chrome) -> None:
    join(ada, chat, "ada")
    enter(ada, chat)
    ada.delete_all_cookies()
    ada.execute_script("socket.close()")
    wait_for_status(ada, "You are not logged in any more.")
    ada.find_element(By.LINK_TEXT, "Log in").click()
    fill(ada, username="ada", password="correct horse")
    ada.find_element(By.CSS_SELECTOR, ".fields button").click()
    wait_for_status(ada, "Connected")
    assert ada.current_url == f"{chat.url}/room/lobby/"


def test_a_new_room_opens_by_its_name(chat: Chat, ada: Chrome) -> None:
    join(ada, chat, "ada")
    fill(ada, slug="Garden")
    ada.find_element(By.CSS_SELECTOR, ".line button").click()
    wait_for_status(ada, "Connected")
    assert ada.current_url == f"{chat.url}/live/garden/"


def test_the_pages_fit_a_phone_and_a_desk(chat: Chat, ada: Chrome, tmp_path: Path) -> None:
    """Nothing sticks out sideways; the pictures are for people to look at."""
    for place in ("login", "join"):
        ada.get(f"{chat.url}/{place}/")
        picture_each_size(ada, tmp_path / place)
    join(ada, chat, "ada_with_a_rather_long_name")
    picture_each_size(ada, tmp_path / "rooms")
    enter(ada, chat)
    for text in ("hello", "a longer line, as people write when they have something to tell. " * 3, "x" * 200):
        say(ada, text)
    wait_for_line(ada, "ada_with_a_rather_long_name" + "x" * 200)
    picture_each_size(ada, tmp_path / "room")
    chat.stop()
    wait_for_status(ada, "Connection lost")
    picture_each_size(ada, tmp_path / "lost")


#: Returns when the page has heard of it.
SCROLLED_UP = """
const log = document.querySelector("#log"), done = arguments[0];
log.addEventListener("scroll", () => done(), { once: true });
log.scrollTop = 0;
"""


def test_the_last_line_stays_in_sight(chat: Chat, ada: Chrome) -> None:
    """Also when a phone's keyboard takes half of the page; who reads what was before is left alone."""
    below = "const l = document.querySelector('#log'); return l.scrollHeight - l.scrollTop - l.clientHeight"
    resize(ada, PHONE)
    join(ada, chat, "ada")
    enter(ada, chat)
    for number in range(20):
        say(ada, f"line {number}")
    wait_for_line(ada, "adaline 19")
    resize(ada, (PHONE[0], PHONE[1] // 2))
    WebDriverWait(ada, PATIENCE).until(lambda window: window.execute_script(below) < 2)
    ada.execute_async_script(SCROLLED_UP)
    assert ada.execute_script(below) > 60
    resize(ada, PHONE)
    assert ada.execute_script("return document.querySelector('#log').scrollTop") == 0


def test_a_person_comes_in_and_leaves_once_however_many_windows(chat: Chat, ada: Chrome, ben: Chrome) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
    enter(ada, chat)
    enter(ben, chat)
    wait_for_line(ada, "ben came in")
    first = ben.current_window_handle
    ben.switch_to.new_window("tab")
    enter(ben, chat)
    say(ben, "from the second")
    wait_for_line(ada, "benfrom the second")
    ben.close()
    ben.switch_to.window(first)
    say(ben, "from the first")
    wait_for_line(ada, "benfrom the first")
    ben.get(chat.url)
    wait_for_line(ada, "ben left")
    assert [line for line in lines(ada) if line in ("ben came in", "ben left")] == ["ben came in", "ben left"]


#: A reload, at its worst moments: the new page opens while the old one closes.
RELOAD = """
import threading
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.utils import OperationalError
from rooms.models import Visit

ben = get_user_model().objects.create_user("ben")
old, first = Visit.begin("lobby", ben)
assert first
closed = []
others = Visit.others


def close_the_old():
    connection.settings_dict["OPTIONS"]["timeout"] = 0.05
    try:
        closed.append(old.end())
    except OperationalError:
        closed.append("later")
    connection.close()


def others_of_the_new(self):
    Visit.others = others
    thread = threading.Thread(target=close_the_old)
    thread.start()
    thread.join()
    return others(self)


Visit.others = others_of_the_new
new, came_in = Visit.begin("lobby", ben)
if closed == ["later"]:
    closed[:] = [old.end()]
assert (came_in, closed) == (False, [False]), (came_in, closed)
assert new.end()
assert not Visit.objects.exists()
"""


def test_a_reload_is_neither_a_coming_nor_a_going(chat: Chat) -> None:
    """The old page closes just before the new one looks whether it is the only one."""
    chat.command("shell", "-v0", "-c", RELOAD)


#: Sends what the processes of a site tell a room: who came and who left, by the number of the visit.
TELL = """
from channels.layers import get_channel_layer
for kind, name, visit in {told!r}:
    what = {{"type": kind, "name": name, "visit": visit, "text": "hello"}}
    get_channel_layer().sync.group_send("room.lobby", {{"type": "chat.event", "told": what}})
"""


def test_notes_of_two_processes_may_arrive_in_any_order(chat: Chat, ada: Chrome) -> None:
    """Ben has reloaded, and his new page is heard of before the old one; Eva comes, goes and comes again."""
    join(ada, chat, "ada")
    enter(ada, chat)
    wait_for_line(ada, "ada came in")
    told = [("came", "ben", 100), ("came", "ben", 102), ("left", "ben", 100)]
    told += [("came", "eva", 101), ("left", "eva", 101), ("came", "eva", 103), ("message", "eva", 0)]
    chat.command("shell", "-v0", "-c", TELL.format(told=told))
    wait_for_line(ada, "evahello")
    assert lines(ada)[1:] == ["ben came in", "eva came in", "eva left", "eva came in", "evahello"]


def test_a_site_with_a_database_of_its_own_hears_nothing_of_another(
    chat: Chat, ada: Chrome, tmp_path: Path
) -> None:
    other = Chat("daphne", tmp_path / "other")
    join(ada, chat, "ada")
    enter(ada, chat)
    wait_for_line(ada, "ada came in")
    other.command("shell", "-v0", "-c", TELL.format(told=[("message", "eva", 0)]))
    chat.command("shell", "-v0", "-c", TELL.format(told=[("message", "ben", 0)]))
    wait_for_line(ada, "benhello")
    assert "evahello" not in lines(ada)


def test_a_note_stays_where_it_appeared(chat: Chat, ada: Chrome) -> None:
    """Until the room is full: then the oldest lines leave by the top."""
    where = "return document.querySelector('#log li').getBoundingClientRect().top"
    join(ada, chat, "ada")
    enter(ada, chat)
    wait_for_line(ada, "ada came in")
    before = ada.execute_script(where)
    for number in range(3):
        say(ada, f"line {number}")
    wait_for_line(ada, "adaline 2")
    assert ada.execute_script(where) == before
    chat.stop()
    wait_for_status(ada, "Connection lost")
    assert ada.execute_script(where) == before


CONTRAST = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (one, two) => {
  const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const around = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" ? around(element.parentElement) : colour;
};
return [...document.querySelectorAll("input:not([type=hidden])")].map((input) => {
  const style = getComputedStyle(input);
  return {
    border: Math.min(ratio(style.borderTopColor, style.backgroundColor),
                     ratio(style.borderTopColor, around(input.parentElement))),
    placeholder: ratio(getComputedStyle(input, "::placeholder").color, style.backgroundColor),
  };
});
"""


@pytest.mark.parametrize("night", [False, True], ids=["day", "night"])
def test_inputs_can_be_seen(night: bool, chat: Chat, ada: Chrome) -> None:
    """WCAG 2.2: borders of 3:1 (1.4.11), placeholders of 4.5:1 (1.4.3)."""
    join(ada, chat, "ada")
    dark(ada, night)
    for page in ("/", "/room/lobby/", "/login/"):
        ada.get(chat.url + page)
        inputs = ada.execute_script(CONTRAST)
        assert inputs, page
        for found in inputs:
            assert found["border"] >= 3, page
            assert found["placeholder"] >= 4.5, page


def picture_each_size(window: Chrome, path: Path) -> None:
    for name, size, night in (("desk", DESKTOP, False), ("phone", PHONE, False), ("night", PHONE, True)):
        resize(window, size)
        dark(window, night)
        wide = window.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path.name} is {wide} pixels wider than a {name}"
        window.save_screenshot(f"{path}-{name}.png")
    assert_readable(window)
