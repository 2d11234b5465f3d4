"""The editor example: its own tests, and windows that write one document at once and over a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.example import PATIENCE, Example, until
from tests.support.browser import PHONE, chromium, picture
from tests.support.browsers.announced import announced, listen
from tests.support.browsers.network import Network, network
from tests.support.browsers.readable import assert_readable

NAMES_AT_CURSORS = "[...document.querySelectorAll('.cm-ySelectionInfo')].map((each) => each.textContent)"
STATE = "document.querySelector('#status').dataset.state"
UNSENT = "Number(document.querySelector('#status').dataset.unsent)"
#: Write so many words as one change each, and leave at once: a browser drops what its socket still holds.
WRITE_AND_LEAVE = """
const [total, done] = arguments;
document.querySelector(".cm-content").focus();
getSelection().selectAllChildren(document.querySelector(".cm-content"));
getSelection().collapseToEnd();
(async () => {
  for (let word = 0; word < total; word++) {
    document.execCommand("insertText", false, `w${word} `);
    await new Promise(queueMicrotask); // the editor looks at what has changed
  }
  location.href = "about:blank";
})();
done();
"""
WORDS = 400
EVE = "eve" + "e" * 100  # no name is too long for a phone
ALL_HERE = f"document.querySelector('#present').textContent === 'ada, ben, {EVE}'"


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Example]:
    example = Example("editor", tmp_path)
    example.command("migrate", "-v0")
    yield example
    example.close()


def test_its_own_tests_pass(editor: Example) -> None:
    editor.assert_own_tests_pass(12)


def write(window: Chrome, *keys: str) -> None:
    window.find_element(By.CSS_SELECTOR, ".cm-content").send_keys(*keys)


def words(window: Chrome) -> str:
    """The text, without the names at cursors."""
    script = """
    const copy = document.querySelector(".cm-content").cloneNode(true);
    copy.querySelectorAll(".cm-ySelectionCaret").forEach((mark) => mark.remove());
    return [...copy.querySelectorAll(".cm-line")].map((line) => line.textContent).join("|");
    """
    found: str = window.execute_script(script)
    return found.replace("\u2060", "")


def until_words(window: Chrome, *expected: str) -> None:
    WebDriverWait(window, PATIENCE).until(
        lambda _: all(word in words(window) for word in expected), str(expected)
    )


def leave_while_offline(window: Chrome, mobile: Network) -> None:
    """What a page could not send is sent by the next one of the same browser."""
    address = window.current_url
    mobile.off()
    until(window, f"{STATE} === 'offline'")
    write(window, Keys.CONTROL + Keys.END)
    write(window, "written offline", Keys.ENTER)
    until(window, f"{UNSENT} === 1")
    window.get("about:blank")
    mobile.on()
    window.get(address)
    until(window, f"{STATE} === 'live' && {UNSENT} === 0")
    assert window.execute_script("return Object.keys(localStorage)") == []


def leave_while_it_is_sent(window: Chrome) -> None:
    """What a page sends while it is left arrives, then or when somebody comes back."""
    address = window.current_url
    window.execute_async_script(WRITE_AND_LEAVE, WORDS)
    until(window, "location.href === 'about:blank'")
    window.get(address)
    until(window, f"{STATE} === 'live' && {UNSENT} === 0")
    until_words(window, *(f"w{word} " for word in range(WORDS)))


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_two_write_one_is_offline_and_the_server_restarts(editor: Example, tmp_path: Path) -> None:
    editor.vendor()
    editor.start()
    with (
        network(editor.port) as mobile,
        chromium(tmp_path / "ada") as ada,
        chromium(tmp_path / "ben") as ben,
        chromium(tmp_path / "eve", PHONE) as eve,
    ):
        editor.assert_pages_readable(eve)
        for window, name in ((ada, "ada"), (ben, "ben"), (eve, EVE)):
            editor.join(window, name)
        assert_readable(ada)
        ada.find_element(By.ID, "title").send_keys("Plan", Keys.ENTER)
        until(ada, f"{STATE} === 'live'")
        ada.find_element(By.ID, "name").send_keys("nobody", Keys.ENTER)
        until(ada, "document.querySelector('.errorlist') !== null")
        until(ada, f"{STATE} === 'live'")
        assert_readable(ada)
        ada.find_element(By.ID, "name").send_keys("ben", Keys.ENTER)
        until(ada, f"{STATE} === 'live' && document.querySelector('#name').value === ''")
        listen(ada)
        for window, url in ((ben, mobile.url), (eve, editor.url)):
            window.get(ada.current_url.replace(editor.url, url))
            until(window, f"{STATE} === 'live'")
        until(ada, ALL_HERE)
        assert announced(ada) == ["ben is here.", f"{EVE} is here."]  # and not the list at each change
        write(ada, "from ada", Keys.ENTER)
        until_words(ben, "from ada")
        write(ben, Keys.CONTROL + Keys.END)  # a modifier is held until the end of the call
        write(ben, "from ben", Keys.ENTER)
        for window in (ada, eve):
            until_words(window, "from ada", "from ben")
        until(eve, f"{NAMES_AT_CURSORS}.includes('ben')")
        assert eve.execute_script("return document.querySelector('.cm-content').contentEditable") == "false"
        assert eve.execute_script("return document.documentElement.scrollWidth <= innerWidth")

        editor.stop()
        until(ada, f"{STATE} === 'offline'")
        write(ada, "while it was away", Keys.ENTER)
        editor.start()
        until(ada, f"{STATE} === 'live'")
        until_words(ben, "while it was away")
        for window in (ada, ben, eve):
            until(window, ALL_HERE)

        mobile.off()
        until(ben, f"{STATE} === 'offline'")
        write(ben, "in a tunnel", Keys.ENTER)
        write(ada, "meanwhile", Keys.ENTER)
        mobile.on()
        for window in (ada, ben, eve):
            until_words(window, "in a tunnel", "meanwhile")
            until(window, ALL_HERE)
        leave_while_offline(ben, mobile)
        leave_while_it_is_sent(ada)
        with editor.silent():
            write(ada, "is anybody there")
            until(ada, f"{STATE} === 'unconfirmed'")
        until(ada, f"{STATE} === 'live' && {UNSENT} === 0")
        for window in (ada, ben, eve):
            until_words(window, "written offline", f"w{WORDS - 1} ")
        picture(ada, "editor-desk")
        picture(eve, "editor-phone", night=True)
        for window in (ada, ben, eve):  # what is in the database is what they have
            before = words(window)
            window.refresh()
            until_words(window, before)

        mobile.off()
        until(ben, f"{STATE} === 'offline'")
        with closing(sqlite3.connect(editor.folder / "db.sqlite3")) as database, database:
            database.execute("DELETE FROM documents_document_writers")
        write(ben, "too late")
        mobile.on()
        until(ben, f"{STATE} === 'refused'")
        assert "too late" not in words(ada)
