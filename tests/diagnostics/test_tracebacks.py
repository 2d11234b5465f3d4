"""Whose lines a traceback shows."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import channels.routing
import daphne
from channels.diagnostics.tracebacks import exc_info_without_our_frames, files_of, place_of
from tests.server.helpers import LONG
from tests.support.served import environment


def caught(call: Callable[[], Any]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def compiled(name: str, source: str, filename: str) -> Callable[[], Any]:
    """A function ``f`` of a module called ``name``."""
    space: dict[str, Any] = {"__name__": name}
    exec(compile(source, filename, "exec"), space)
    return space["f"]


USERS = compiled("rooms.consumers", "def f():\n    raise RuntimeError('x')", "/project/rooms/consumers.py")


def through(name: str, inner: Callable[[], Any], filename: str, body: str = "inner()") -> Callable[[], Any]:
    made = compiled(name, f"def f():\n    {body}", filename)
    made.__globals__["inner"] = inner
    return made


def shown(error: BaseException) -> list[str]:
    return [step.filename for step in traceback.extract_tb(exc_info_without_our_frames(error)[2])]


def test_our_frames_are_left_out() -> None:
    call = through("channels.consumer", USERS, "/src/channels/consumer.py")
    outer = through("asgiref.sync", call, "/site-packages/asgiref/sync.py")
    error = caught(outer)
    assert shown(error) == [__file__, "/site-packages/asgiref/sync.py", "/project/rooms/consumers.py"]
    assert len(traceback.extract_tb(error.__traceback__)) == 4  # the error itself is as it was


def test_frames_that_hide_themselves_are_left_out() -> None:
    call = through("rooms.tools", USERS, "/project/tools.py", "__tracebackhide__ = True; inner()")
    assert shown(caught(call)) == [__file__, "/project/rooms/consumers.py"]


def test_a_name_that_only_begins_like_ours_is_not_ours() -> None:
    call = through("channels_presence.models", USERS, "/project/models.py")
    assert "/project/models.py" in shown(caught(call))


def test_where_all_frames_are_ours_they_stay() -> None:
    error = caught(compiled("channels.consumer", "def f():\n    raise ValueError", "/src/consumer.py"))
    error.__traceback__ = error.__traceback__.tb_next  # without this test's own
    assert shown(error) == ["/src/consumer.py"]


def test_an_error_that_was_never_raised() -> None:
    assert exc_info_without_our_frames(ValueError("x"))[2] is None
    assert place_of(ValueError("x")) == ""
    assert files_of(ValueError("x")) == []


def test_the_place_is_the_users_last_line() -> None:
    library = compiled("json", "def f():\n    raise ValueError", "/usr/lib/site-packages/json.py")
    call = through("rooms.consumers", library, "/project/rooms/consumers.py")
    assert place_of(caught(call)) == "/project/rooms/consumers.py:2"


def test_the_cause_tells_more_than_the_error() -> None:
    def wrapped() -> None:
        try:
            USERS()
        except RuntimeError as error:
            raise ValueError from error

    assert place_of(caught(wrapped)) == "/project/rooms/consumers.py:2"
    assert files_of(caught(wrapped)) == [__file__, "/project/rooms/consumers.py"]


def test_a_syntax_error_names_the_file_that_has_it() -> None:
    error = caught(lambda: compile("x = (\n", "/project/rooms/models.py", "exec"))
    assert place_of(error) == "/project/rooms/models.py:1"


@pytest.mark.parametrize(
    "filename",
    [
        "<string>",
        "/venv/lib/site-packages/x.py",
        traceback.__file__,
        channels.routing.__file__,
        daphne.__file__,
    ],
)
def test_what_is_not_the_users(filename: str) -> None:
    library = compiled("x", "def f():\n    raise ValueError", filename)
    call = through("rooms.consumers", library, "/project/a.py")
    assert place_of(caught(call)) == "/project/a.py:2"


TEST_OF_A_USER = """
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.testing import WebsocketCommunicator

class Chat(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError("mine")

async def test_chat():
    communicator = WebsocketCommunicator(Chat.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to(text_data="x")
    await communicator.wait()
"""


def test_pytest_shows_the_users_lines(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(TEST_OF_A_USER)
    (tmp_path / "users_settings.py").write_text("SECRET_KEY = 'x'")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nDJANGO_SETTINGS_MODULE = users_settings\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_users.py"]
    env = environment(PYTHONPATH=str(tmp_path))
    ran = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=LONG, check=False
    )
    assert "RuntimeError: mine" in ran.stdout, ran.stdout
    assert "test_users.py:7: RuntimeError" in ran.stdout
    assert "channels/consumer.py" not in ran.stdout
