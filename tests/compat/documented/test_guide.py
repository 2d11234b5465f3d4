"""The project of the guide, built from its code blocks, served by the command it names.

``guide/`` holds the blocks as they are in the guide. What the guide leaves out (a page around
its JavaScript, the port of Redis) is added here, in modules of the test's own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from websockets.asyncio.client import connect

from tests.support.browser import chromium
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.served import environment, served

BLOCKS = Path(__file__).parent / "guide"
GUIDE = Path(__file__).parents[4] / "shared" / "guide.txt"
LAYERS = ["memory"] + (["redis"] if importlib.util.find_spec("channels_redis.core") else [])

TEST_SETTINGS = """
from myproject.settings import *

ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "myproject.test_urls"
{layer}
"""
LAYER = {
    "memory": 'CHANNEL_LAYERS = {{"default": {{"BACKEND": "channels.layers.InMemoryChannelLayer"}}}}',
    "redis": 'CHANNEL_LAYERS["default"]["CONFIG"]["hosts"] = [("127.0.0.1", {redis_port})]',
}
TEST_URLS = '''
from pathlib import Path

from django.http import HttpResponse
from django.urls import path
from django.utils.html import json_script

PAGE = """<!doctype html><title>room</title>{room}
<textarea id="chat-log"></textarea><input id="chat-message-input">
<script>{script}</script>"""


def room(request, name):
    script = Path(__file__).with_name("chat.js").read_text()
    return HttpResponse(PAGE.format(room=json_script(name, "room-name"), script=script))


urlpatterns = [path("chat/<str:name>/", room)]
'''


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not beside this checkout")
def test_the_blocks_are_the_guides() -> None:
    text = GUIDE.read_text()
    for block in BLOCKS.iterdir():
        assert block.read_text().rstrip("\n") in text, f"{block.name} differs from the guide"


def build_project(folder: Path, layer: str) -> None:
    """What the guide's reader has in front of them, and our two modules beside it."""
    django = [sys.executable, "-m", "django"]
    for command in (["startproject", "myproject", "."], ["startapp", "myapp"]):
        subprocess.run([*django, *command], cwd=folder, env=environment(), check=True)
    settings = folder / "myproject" / "settings.py"
    block = (BLOCKS / "settings.py").read_text().replace("    ...,\n", "    *INSTALLED_APPS,\n")
    settings.write_text(settings.read_text() + "\n" + block)
    shutil.copy(BLOCKS / "asgi.py", folder / "myproject")
    shutil.copy(BLOCKS / "chat.js", folder / "myproject")
    shutil.copy(BLOCKS / "routing.py", folder / "myapp")
    shutil.copy(BLOCKS / "consumers.py", folder / "myapp")
    (folder / "myproject" / "test_settings.py").write_text(TEST_SETTINGS.format(layer=layer))
    (folder / "myproject" / "test_urls.py").write_text(TEST_URLS)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=folder, env=environment(), check=True)


@pytest.fixture(scope="module", params=LAYERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of the guide's project, served by the guide's command."""
    folder = tmp_path_factory.mktemp("guide")
    port, redis_port = free_port(), free_port()
    build_project(folder, LAYER[request.param].format(redis_port=redis_port))
    command = shlex.split((BLOCKS / "serve.txt").read_text())
    command[command.index("0.0.0.0")] = "127.0.0.1"  # the guide listens everywhere, a test must not
    command[command.index("8000")] = str(port)
    env = environment(DJANGO_SETTINGS_MODULE="myproject.test_settings")
    with (
        redis(request.param, redis_port, folder),
        served(command, port, folder=folder, log=folder / "log", env=env),
    ):
        yield f"127.0.0.1:{port}"


def redis(layer: str, port: int, folder: Path) -> contextlib.AbstractContextManager[object]:
    """A Redis of our own where the layer needs one."""
    if layer == "memory":
        return contextlib.nullcontext()
    program = require("redis-server")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return served(command, port, folder=folder, log=folder / "redis.log", env=environment())


async def test_two_clients_talk_in_a_room(server: str) -> None:
    async with (
        connect(f"ws://{server}/ws/chat/lobby/") as ada,
        connect(f"ws://{server}/ws/chat/lobby/") as ben,
    ):
        await ada.send(json.dumps({"message": "hello"}))
        assert json.loads(await ben.recv()) == {"message": "hello"}
        assert json.loads(await ada.recv()) == {"message": "hello"}
        await ben.send(json.dumps({"message": "Grüße 🚀"}))
        assert json.loads(await ada.recv()) == {"message": "Grüße 🚀"}


async def test_rooms_are_apart(server: str) -> None:
    async with connect(f"ws://{server}/ws/chat/one/") as one, connect(f"ws://{server}/ws/chat/two/") as two:
        await one.send(json.dumps({"message": "for one"}))
        await two.send(json.dumps({"message": "for two"}))
        assert json.loads(await one.recv()) == {"message": "for one"}
        assert json.loads(await two.recv()) == {"message": "for two"}


async def test_who_leaves_is_not_missed(server: str) -> None:
    async with connect(f"ws://{server}/ws/chat/left/") as stays:
        async with connect(f"ws://{server}/ws/chat/left/") as leaves:
            await leaves.send(json.dumps({"message": "bye"}))
            await leaves.recv()
        assert json.loads(await stays.recv()) == {"message": "bye"}
        await stays.send(json.dumps({"message": "still here"}))
        assert json.loads(await stays.recv()) == {"message": "still here"}


@pytest.mark.browser
def test_the_guides_page_talks_in_two_browser_windows(server: str, tmp_path: Path) -> None:
    with chromium(tmp_path / "ada") as ada, chromium(tmp_path / "ben") as ben:
        for window in (ada, ben):
            window.get(f"http://{server}/chat/lobby/")
            WebDriverWait(window, 20).until(lambda w: w.execute_script("return chatSocket.readyState") == 1)
        ada.find_element(By.ID, "chat-message-input").send_keys("hello from a page", Keys.ENTER)
        log = ben.find_element(By.ID, "chat-log")
        WebDriverWait(ben, 20).until(lambda _: log.get_property("value") == "hello from a page\n")
