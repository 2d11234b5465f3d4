"""Without what Windows lacks every module can be imported, and a plain daphne serves."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from channels.exceptions import InvalidChannelLayerError
from channels.layers.host.wire import runtime_dir as place
from channels.process import platforms
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.served import environment

# The libraries below come first: what they do without is theirs. Then all that Windows has not is taken away.
ABSENT = """
import importlib, os, pkgutil, select, signal, socket, sys
import asyncio, concurrent.futures.process, multiprocessing.popen_spawn_posix, sqlite3, subprocess, tempfile
import cryptography.fernet, django.core.management, django.test, django.utils.autoreload, h11, h2, msgspec
import redis.asyncio.cluster, redis.sentinel, websockets, zttp

def absent(*args):
    raise NotImplementedError

pair, family = socket.socketpair, socket.AF_UNIX
socket.socketpair = lambda *args: pair(family)  # Windows makes one of TCP
for loop in (asyncio.SelectorEventLoop, asyncio.BaseEventLoop):
    loop.add_signal_handler = loop.remove_signal_handler = absent
for name in ("fcntl", "resource", "termios", "grp", "pwd", "uvloop"):
    sys.modules[name] = None
LACKS = {
    os: "register_at_fork fork geteuid getuid sendfile O_NONBLOCK O_CLOEXEC O_NOFOLLOW preadv pread sysconf"
        " RWF_NOWAIT getpgid killpg setsid mkfifo posix_fadvise sched_getaffinity",
    select: "poll POLLRDHUP POLLERR",
    signal: "SIGHUP SIGUSR1 SIGUSR2 SIGQUIT SIGKILL SIGCHLD SIGALRM SIGPIPE pthread_sigmask",
    socket: "AF_UNIX SO_REUSEPORT SO_PEERCRED TCP_INFO TCP_DEFER_ACCEPT TCP_USER_TIMEOUT SOCK_CLOEXEC",
}
if hasattr(os, "process_cpu_count"):
    os.process_cpu_count = os.cpu_count  # Python's own asks for the affinity where it was built with it
for module, names in LACKS.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
IMPORT_ALL = (
    ABSENT
    + """
from django.conf import settings
django_apps = ["admin", "auth", "contenttypes", "messages", "sessions"]
apps = ["daphne", "channels", *(f"django.contrib.{app}" for app in django_apps)]
settings.configure(INSTALLED_APPS=apps, SECRET_KEY="x")
django.setup()
count = 0
for root in ("channels", "channels_redis", "daphne", "django_fairway"):
    for found in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
            count += 1
print(count)
"""
)
APPLICATION = """
async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": PATH})
"""
SERVE = (
    ABSENT
    + """
import types
served = types.ModuleType("served")
exec(APPLICATION, served.__dict__)
sys.modules["served"] = served
from daphne.cli import CommandLineInterface
CommandLineInterface().run(sys.argv[1:])
"""
)


def python(code: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def daphne(*words: str, path: Path | None = None) -> subprocess.Popen[str]:
    application = APPLICATION.replace("PATH", repr(str(path)))
    return python(SERVE.replace("APPLICATION", repr(application)), *words, "served:application")


def test_every_module_can_be_imported() -> None:
    said, _ = python(IMPORT_ALL).communicate(timeout=50)
    assert said.splitlines()[-1].isdecimal(), said
    assert int(said.splitlines()[-1]) > 150


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A daphne without all that, which serves a file of some size."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    number = free_port()
    process = daphne("-b", "127.0.0.1", "-p", str(number), path=file)
    assert process.stdout is not None
    said = ""
    while "Listening" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    yield number
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Traceback" not in said, said


def test_a_plain_daphne_serves(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/") as client:
        client.send("hello")
        assert client.recv(timeout=20) == "hello"
    command = [require("curl"), "-s", f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert len(done.stdout) == 3_000_000


@pytest.mark.parametrize("words", [("--workers", "2"), ("--reload",)])
def test_workers_say_what_they_need(words: tuple[str, ...]) -> None:
    process = daphne(*words, "-p", str(free_port()))
    said, _ = process.communicate(timeout=30)
    assert "This system has not what --workers, --task-workers and --reload need." in said
    assert process.returncode


def test_a_unix_endpoint_says_what_is_missing(tmp_path: Path) -> None:
    said, _ = daphne("-u", str(tmp_path / "socket")).communicate(timeout=30)
    assert "this system has no Unix sockets; use -b and -p" in said


def test_the_host_layer_says_what_to_use_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "UNIX", None)
    with pytest.raises(InvalidChannelLayerError, match="RedisChannelLayer"):
        place.find_runtime_dir(None, None)


def noting(seen: list[int]) -> Callable[[int, object], None]:
    """A handler of signals that writes down their numbers."""
    return lambda number, _: seen.append(number)


async def test_a_signal_reaches_the_loop_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    for lacks in (False, True):
        came = asyncio.Event()
        at_once: list[int] = []
        if lacks:
            monkeypatch.setattr(type(loop), "add_signal_handler", absent)
            monkeypatch.setattr(type(loop), "remove_signal_handler", absent)
        platforms.on_signal(loop, signal.SIGTERM, came.set, noting(at_once))
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(came.wait(), 5)
        assert at_once == [signal.SIGTERM]
        platforms.forget_signal(loop, signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)


def absent(*args: object) -> None:
    raise NotImplementedError


def test_what_this_system_has() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert platforms.is_unix(left) == (platforms.UNIX is not None)
