"""Our loggers under a logging configuration that does not name them."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.diagnostics.loggers import enable_loggers, escaped, our_loggers, why_hidden
from tests.server.helpers import LONG
from tests.support.ports import free_port
from tests.support.served import environment, served

#: Python's default for ``disable_existing_loggers`` is True.
LOGGING = """{
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}"""


@pytest.fixture
def _audible():
    yield
    for name in ("channels.server", "daphne.server", "channelsfoo"):
        logging.getLogger(name).disabled = False


@pytest.mark.usefixtures("_audible")
def test_ours_are_enabled_and_nobody_elses() -> None:
    names = ("channels.server", "daphne.server", "channelsfoo")
    for name in names:
        logging.getLogger(name).disabled = True
    assert enable_loggers() == ["channels.server", "daphne.server"]
    assert [logging.getLogger(name).disabled for name in names] == [False, False, True]
    assert enable_loggers() == []


@pytest.mark.usefixtures("_audible")
def test_what_is_configured_stays() -> None:
    logger = logging.getLogger("channels.server")
    logger.setLevel(logging.CRITICAL)
    logger.disabled = True
    try:
        enable_loggers()
        assert logger.level == logging.CRITICAL
    finally:
        logger.setLevel(logging.NOTSET)


PROJECT = f"""
import django
from django.conf import settings

settings.configure(SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], INSTALLED_APPS=APPS, LOGGING={LOGGING})
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

class Raising(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError("where is my traceback?")

application = ProtocolTypeRouter({{"websocket": URLRouter([path("ws/", Raising.as_asgi())])}})
"""
CLIENT = """
import sys
from websockets.sync.client import connect
from websockets.exceptions import ConnectionClosed

with connect(f"ws://127.0.0.1:{sys.argv[1]}/ws/") as link:
    link.send("x")
    try:
        link.recv(timeout=10)
    except ConnectionClosed as closed:
        print(closed.rcvd.code)
"""


@pytest.mark.parametrize("apps", [["daphne"], ["channels"], []])
@pytest.mark.parametrize("workers", [[], ["--workers", "1"]])
def test_a_consumers_traceback_is_in_the_log(apps: list[str], workers: list[str], tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(f"APPS = {apps!r}\n{PROJECT}")
    port, log = free_port(), tmp_path / "log"
    line = ["daphne", *workers, "-p", str(port), "loud:application"]
    with served(line, port, folder=tmp_path, log=log, env=environment()):
        script = [sys.executable, "-c", CLIENT, str(port)]
        said = subprocess.run(script, capture_output=True, text=True, timeout=LONG, check=True)
    assert said.stdout.strip() == "1011"
    assert "where is my traceback?" in log.read_text()
    assert "Listening on" in log.read_text()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/caf\xe9 a'b", "/caf\xe9 a'b"),
        ('a"b\\c', "a\\x22b\\x5cc"),
        ("a\r\nb\x1b[2K\x7f\x85\0", "a\\x0d\\x0ab\\x1b[2K\\x7f\\x85\\x00"),
        ("a\u2028b\u202ec\u2066", "a\\u2028b\\u202ec\\u2066"),
    ],
)
def test_what_a_peer_has_sent_stays_in_its_line(text: str, line: str) -> None:
    assert escaped(text) == line


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """One of ours, with nothing above it but the root that pytest listens to."""
    logger = logging.getLogger("channels.server")
    before = logger.level, logger.handlers[:], logger.propagate, logger.disabled
    logger.propagate = False
    yield logger
    logger.level, logger.handlers, logger.propagate, logger.disabled = before
    logger.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("level", "handlers", "why"),
    [
        (logging.INFO, [], ""),  # Python writes to the standard error stream
        (logging.ERROR, [logging.StreamHandler()], ""),
        (logging.INFO, [logging.NullHandler(), logging.StreamHandler()], ""),
        (logging.CRITICAL, [logging.StreamHandler()], "at level CRITICAL"),
        (logging.INFO, [logging.NullHandler()], "without a handler that writes errors, only <NullHandler"),
        (logging.INFO, [logging.StreamHandler()], "handler that writes errors, only <StreamHandler"),
    ],
)
def test_why_errors_are_written_nowhere(
    logger: logging.Logger, level: int, handlers: list[logging.Handler], why: str
) -> None:
    logger.setLevel(level)
    logger.handlers = handlers
    if "StreamHandler" in why:
        handlers[0].setLevel(logging.CRITICAL)
    assert (why in why_hidden(logger.name)) if why else not why_hidden(logger.name)


def test_handlers_above_count_unless_nothing_is_handed_up(logger: logging.Logger) -> None:
    logger.handlers = [logging.NullHandler()]
    assert why_hidden(logger.name)
    logger.propagate = True
    assert not why_hidden(logger.name)


def test_a_disabled_logger_is_hidden_and_ours_are_known(logger: logging.Logger) -> None:
    logger.disabled = True
    assert why_hidden(logger.name) == "disabled"
    assert {"channels", "channels.server", "daphne"} <= set(our_loggers())
    assert "django" not in our_loggers()
