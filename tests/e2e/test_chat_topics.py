"""The rooms of the chat example as topics, in real browser windows."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.example import until
from tests.e2e.test_chat import (  # noqa: F401  # fixtures among them
    PATIENCE,
    Chat,
    ada,
    ben,
    chat,
    join,
    lines,
    say,
    wait_for_line,
    wait_for_status,
)
from tests.support.browser import DESKTOP, PHONE, dark, picture, resize
from tests.support.browsers.announced import announced, listen
from tests.support.browsers.network import network
from tests.support.browsers.readable import assert_readable

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def enter(window: Chrome, chat: Chat, room: str = "lobby") -> None:  # noqa: F811
    window.get(f"{chat.url}/live/{room}/")
    wait_for_status(window, "Connected")


def wait_for_text(window: Chrome, element: str, text: str) -> None:
    WebDriverWait(window, PATIENCE).until(lambda w: w.find_element(By.ID, element).text == text)


@pytest.mark.parametrize("chat", ["daphne", "uvicorn"], indirect=True)
def test_who_is_there_who_types_and_what_was_said_last(
    chat: Chat,  # noqa: F811
    ada: Chrome,  # noqa: F811
    ben: Chrome,  # noqa: F811
) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
        enter(window, chat)
    wait_for_text(ada, "present", "ada, ben")
    until(ada, "document.querySelector('#log').ariaLive === 'polite'")  # the old lines are shown
    listen(ada)
    ben.find_element(By.ID, "text").send_keys("hel")
    wait_for_text(ada, "typing", "ben is typing …")
    say(ben, "lo")
    wait_for_line(ada, "benhello")
    wait_for_text(ada, "typing", "")
    say(ada, "yes")
    until(ada, "document.querySelectorAll('.pending').length === 0")
    assert announced(ada) == ["benhello", "adayes"]  # each once
    ada.refresh()
    wait_for_line(ada, "benhello")
    ben.get(chat.url)
    wait_for_text(ada, "present", "ada")


def test_a_restart_of_the_server_loses_nothing(
    chat: Chat,  # noqa: F811
    ada: Chrome,  # noqa: F811
    ben: Chrome,  # noqa: F811
) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
        enter(window, chat)
    for number in range(5):
        say(ada, f"before {number}")
        wait_for_line(ben, f"adabefore {number}")
    chat.stop()
    wait_for_status(ben, "Connection lost")
    chat.start()
    for window in (ada, ben):
        wait_for_status(window, "Connected")
    say(ada, "after")
    wait_for_line(ben, "adaafter")
    assert lines(ben) == [*(f"adabefore {number}" for number in range(5)), "adaafter"]


def test_the_page_fits_a_phone_and_a_desk(
    chat: Chat,  # noqa: F811
    ada: Chrome,  # noqa: F811
    tmp_path: Path,
) -> None:
    join(ada, chat, "ada")
    enter(ada, chat)
    for text in ("Good morning!", "The kettle is on.", "Who brings the biscuits?"):
        say(ada, text)
        wait_for_line(ada, f"ada{text}")
    picture(ada, "chat-desk")
    resize(ada, PHONE)
    picture(ada, "chat-phone")
    picture(ada, "chat-phone-dark", night=True)
    say(ada, "word" * 100)
    wait_for_line(ada, "ada" + "word" * 100)
    for size, night in ((PHONE, False), (PHONE, True), (DESKTOP, False)):
        resize(ada, size)
        dark(ada, night)
        wide = ada.execute_script("return document.documentElement.scrollWidth > innerWidth")
        assert not wide, size
        ada.save_screenshot(str(tmp_path / f"{size[0]}-{night}.png"))


def said_in(window: Chrome) -> list[str]:
    """Return the lines of a window without the mark before what is unread, which goes by when it was read."""
    return [line for line in lines(window) if line != "New"]


def test_what_was_written_offline_is_said_once_on_return(
    chat: Chat,  # noqa: F811
    ada: Chrome,  # noqa: F811
    ben: Chrome,  # noqa: F811
) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
        enter(window, chat)
    chat.stop()
    wait_for_status(ada, "Connection lost")
    say(ada, "one")
    say(ada, "two")
    assert lines(ada) == ["adaone", "adatwo"]
    assert_readable(ada)
    chat.start()
    wait_for_line(ben, "adatwo")
    until(ada, "document.querySelectorAll('.pending').length === 0")
    for window in (ada, ben):
        assert said_in(window) == ["adaone", "adatwo"]
    two_tabs_write_offline_and_are_closed(ada, chat)
    wait_for_line(ben, "adain a tab")
    wait_for_line(ben, "adain another")
    ben.refresh()
    said = ["adaone", "adatwo", "adain a tab", "adain another"]
    wait_for_line(ben, said[-1])
    assert said_in(ben) == said
    with network(chat.port) as mobile:
        ada.get(f"{mobile.url}/live/lobby/")
        wait_for_status(ada, "Connected")
        wait_for_text(ben, "present", "ada, ben")
        mobile.off()
        wait_for_status(ada, "Connection lost")
        wait_for_text(ben, "present", "ben")
        say(ada, "three")
        say(ben, "four")
        until(ben, "document.querySelectorAll('.pending').length === 0")
        mobile.on()
        wait_for_line(ben, "adathree")
        wait_for_line(ada, "benfour")
        until(ada, "document.querySelectorAll('.pending').length === 0")
        wait_for_text(ben, "present", "ada, ben")
        for window in (ada, ben):
            assert said_in(window) == [*said, "benfour", "adathree"]


def two_tabs_write_offline_and_are_closed(window: Chrome, chat: Chat) -> None:  # noqa: F811
    """What each of them could not send is sent by the next page of the same person."""
    window.switch_to.new_window("tab")
    enter(window, chat)
    first, second = window.window_handles
    chat.stop()
    for tab, text in ((first, "in a tab"), (second, "in another")):
        window.switch_to.window(tab)
        wait_for_status(window, "Connection lost")
        say(window, text)
    window.close()
    window.switch_to.window(first)
    window.get("about:blank")
    chat.start()
    enter(window, chat)
    until(window, "document.querySelectorAll('.pending').length === 0")


def test_marks_of_what_is_new_and_lines_from_long_ago(
    chat: Chat,  # noqa: F811
    ada: Chrome,  # noqa: F811
    ben: Chrome,  # noqa: F811
) -> None:
    for window, name in ((ada, "ada"), (ben, "ben")):
        join(window, chat, name)
        enter(window, chat)
    say(ada, "read by ben")
    wait_for_line(ben, "adaread by ben")
    until(ben, "!document.hidden")
    chat.command("shell", "-c", PUBLISH_SEVENTY)
    until(ben, "document.querySelector('#log').dataset.read === '71'")
    ben.get(chat.url)
    until(ben, "document.querySelector('[data-room=lobby]')?.textContent === '0'")
    say(ada, "new")
    wait_for_text_of(ben, "[data-room=lobby]", "1")
    enter(ben, chat)
    until(ben, "document.querySelector('.new')?.nextSibling.textContent === 'adanew'")
    assert len(lines(ben)) == 50 + 1
    until(ben, "document.querySelector('#log').scrollTop > 0")
    listen(ben)
    ben.execute_script("document.querySelector('#log').scrollTop = 0")
    wait_for_line(ben, "adaread by ben")
    assert said_in(ben) == [
        "adaread by ben",
        *(f"ada{number}" for number in range(70)),
        "adanew",
    ]
    assert announced(ben) == []  # lines from long ago are no news


PUBLISH_SEVENTY = """
from rooms.topics import RoomTopic
for number in range(70):
    RoomTopic(slug="lobby").publish({"name": "ada", "text": str(number)})
"""


def wait_for_text_of(window: Chrome, selector: str, text: str) -> None:
    WebDriverWait(window, PATIENCE).until(
        lambda w: w.find_element(By.CSS_SELECTOR, selector).text == text, f"{text} in {selector}"
    )
