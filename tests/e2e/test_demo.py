"""`make demo` and the other words of the Makefile, as somebody types them."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.served import BIN, environment, served

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "chat"


def test_make_alone_lists_the_words() -> None:
    done = subprocess.run([require("make")], cwd=ROOT, capture_output=True, text=True, check=True)
    for word in ("demo", "test", "lint", "types", "format", "bench", "docs", "dist", "clean"):
        assert f"make {word} " in done.stdout


def test_the_demos_command_serves_the_page(tmp_path: Path) -> None:
    port = free_port()
    env = environment(CHAT_DATABASE=str(tmp_path / "db.sqlite3"), DJANGO_SETTINGS_MODULE="chat.settings")
    command = ["daphne", "-b", "127.0.0.1", "-p", str(port), "chat.asgi:application"]
    with served(command, port, folder=EXAMPLE, log=tmp_path / "log", env=env):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=20) as page:
            assert b"<h1>Log in</h1>" in page.read()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/static/rooms/room.js", timeout=20) as script:
            assert "javascript" in script.headers["content-type"]
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing/", timeout=20)
        assert b"<h1>There is no such page</h1>" in missing.value.read()


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [str(BIN / "daphne"), "-b", "127.0.0.1", "-p", str(port), "chat.asgi:application"]
        done = subprocess.run(
            command, cwd=EXAMPLE, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
