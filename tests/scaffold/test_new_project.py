"""``python -m channels startproject``: what it makes runs, as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.browser import PHONE, chromium
from tests.support.ports import free_port
from tests.support.served import environment, served

PATIENCE = 30


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    made = python(folder, "-m", "channels", "startproject", "mysite")
    assert made.returncode == 0, made.stderr
    assert "cd mysite\n    python manage.py migrate\n" in made.stdout
    return folder / "mysite"


def test_its_own_tests_and_checks_pass(site: Path) -> None:
    assert python(site, "manage.py", "check").returncode == 0
    tested = python(site, "-W", "error::RuntimeWarning", "manage.py", "test")
    assert "Ran 3 tests" in tested.stderr, tested.stderr
    assert tested.returncode == 0, tested.stderr


def test_its_tests_do_not_meet_the_server_that_runs_beside_them(site: Path) -> None:
    code = "from mysite.settings import CHANNEL_LAYERS as found; print(found['default']['BACKEND'])"
    assert python(site, "-c", code, "runserver").stdout == "channels.layers.host.HostChannelLayer\n"
    assert python(site, "-c", code, "test").stdout == "channels.layers.InMemoryChannelLayer\n"
    (site / "test_layer.py").write_text(f"def test_layer():\n    {code}\n")
    options = ["-q", "-s", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=.", "test_layer.py"]
    assert "channels.layers.InMemoryChannelLayer" in python(site, "-m", "pytest", *options).stdout


def test_a_folder_can_be_named(tmp_path: Path) -> None:
    assert python(tmp_path, "-m", "channels", "startproject", "shop", "here/inside").returncode == 0
    assert (tmp_path / "here" / "inside" / "shop" / "asgi.py").exists()
    assert (tmp_path / "here" / "inside" / "manage.py").exists()


@pytest.mark.parametrize("name", ["no-identifier", "channels", "board", "class"])
def test_a_name_that_cannot_be_is_told(tmp_path: Path, name: str) -> None:
    made = python(tmp_path, "-m", "channels", "startproject", name)
    assert made.returncode == 2
    assert name in made.stderr
    assert "Traceback" not in made.stderr
    assert list(tmp_path.iterdir()) == []


#: Somebody posts between the page's subscription and its question for the history.
NOTE_BEFORE_HISTORY = """
let topics;
const post = { method: "board:main/post", data: { text: "between" } };
const connect = (original) => () => {
  const client = original();
  const command = client.command.bind(client);
  client.command = async (name, request) => {
    if (name === "history") await command("rpc", post);
    return command(name, request);
  };
  return client;
};
Object.defineProperty(self, "topics", {
  get: () => topics,
  set: (made) => (topics = { ...made, connect: connect(made.connect) }),
});
"""


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_runserver_shows_the_page_live_in_two_windows(site: Path, tmp_path: Path) -> None:
    """Without ``migrate``, which needs no telling: the page uses no table."""
    port = free_port()
    command = ["python", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with (
        served(command, port, folder=site, log=tmp_path / "log", env=environment()),
        chromium(tmp_path / "one") as one,
        chromium(tmp_path / "two", PHONE) as two,
    ):
        for window in (one, two):
            window.get(f"http://127.0.0.1:{port}/")
            wait_for(window, "#state", "live")
        wait_for(one, "#here", "2")
        one.find_element(By.NAME, "text").send_keys("hello", Keys.ENTER)
        wait_for(two, "ol", "hello")
        two.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTE_BEFORE_HISTORY})
        two.refresh()
        wait_for(two, "#here", "2")  # after what it has read
        assert two.find_element(By.TAG_NAME, "ol").text.split() == ["between", "hello"]
        assert two.execute_script("return document.body.scrollWidth <= innerWidth")


def wait_for(window: Chrome, selector: str, text: str) -> None:
    WebDriverWait(window, PATIENCE).until(
        lambda _: text in window.find_element(By.CSS_SELECTOR, selector).text, f"no {text} in {selector}"
    )
