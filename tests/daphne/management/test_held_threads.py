"""runserver's process ends although a thread is held, and starts again at a change."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.served import environment, served

PATIENCE = 60
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "conf"
execute_from_command_line(sys.argv)
"""
CONF = """
SECRET_KEY, DEBUG, ALLOWED_HOSTS, ROOT_URLCONF = "x" * 50, True, ["*"], "urls"
INSTALLED_APPS, MIDDLEWARE, ASGI_APPLICATION = ["daphne"], [], "urls.application"
"""
URLS = """
import asyncio, os, time
from django.core.asgi import get_asgi_application
from django.urls import path

async def hold(request):
    print("held by", os.getpid(), flush=True)
    await asyncio.to_thread(time.sleep, 120)

urlpatterns = [path("", hold)]
application = get_asgi_application()
"""


def hold(port: int, log: Path, but: int = 0) -> int:
    """Have a thread held, and return the process that it belongs to; not ``but``."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                time.sleep(0.2)
        except OSError:
            time.sleep(0.1)
        found = [int(pid) for pid in re.findall(r"held by (\d+)\n", log.read_text())]
        if found and found[-1] != but:
            return found[-1]
    raise AssertionError(log.read_text())


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the end of another's child is seen on Linux only")
@pytest.mark.parametrize("why", ["signal", "change"])
def test_it_ends_whatever_threads_do(why: str, tmp_path: Path) -> None:
    for name, text in {"manage.py": MANAGE, "conf.py": CONF, "urls.py": URLS}.items():
        (tmp_path / name).write_text(text)
    log, port = tmp_path / "log", free_port()
    command = ["python", "manage.py", "runserver", str(port)]
    with served(command, port, folder=tmp_path, log=log, env=environment()):
        child = hold(port, log)
        end = os.pidfd_open(child)
        begun = time.monotonic()
        if why == "signal":
            os.kill(child, signal.SIGTERM)
        else:
            (tmp_path / "urls.py").touch()
        assert select.select([end], [], [], PATIENCE)[0]
        os.close(end)
        # The reloader looks once a second; the rest is the server's, with a second for a busy machine.
        assert time.monotonic() - begun < 1 + 2 + 2
        if why == "change":
            again = hold(port, log, but=child)
            os.kill(again, signal.SIGTERM)
