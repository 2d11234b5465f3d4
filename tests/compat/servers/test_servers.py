"""One application under several ASGI servers: the same conversation, nothing raised, a clean log.

Ours and uvicorn always; hypercorn, gunicorn and granian where they are installed.
"""

from __future__ import annotations

import importlib.util
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.support.ports import free_port
from tests.support.served import environment, served

APPLICATION = "tests.compat.servers.serverapp:application"
COMMANDS = {
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "{port}", APPLICATION],
    "uvicorn": ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", APPLICATION],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}", APPLICATION],
    "gunicorn": ["gunicorn", "-k", "asgi", "--bind", "127.0.0.1:{port}", APPLICATION],
    "granian": ["granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", APPLICATION],
}
HERE = [name for name in COMMANDS if importlib.util.find_spec(name)]
ROOT = Path(__file__).parents[3]
GOOD = Origin("http://good.example")
SUBPROTOCOLS = [Subprotocol("a"), Subprotocol("b")]
#: Log lines that a test of this process has provoked, and at which server; others run in other processes.
EXPECTED: dict[str, str] = {}
REASONS = {
    "http://evil.example": "the origin 'http://evil.example'",
    "/unknown/": "No route found for path 'unknown/'",
}


@pytest.fixture(scope="module", params=HERE)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port``; when it has stopped, its log must hold no traceback."""
    port = free_port()
    log = tmp_path_factory.mktemp(request.param) / "log"
    command = [word.format(port=port) for word in COMMANDS[request.param]]
    with served(command, port, folder=ROOT, log=log, env=environment(PYTHONPATH=str(ROOT))):
        yield f"127.0.0.1:{port}"
    text = log.read_text()
    assert "Traceback" not in text, text
    assert "Task was destroyed" not in text, text
    missing = [line for line in EXPECTED if EXPECTED[line] == f"127.0.0.1:{port}" and line not in text]
    assert not missing, text


async def test_a_conversation(server: str) -> None:
    url = f"ws://{server}/talk/"
    async with (
        connect(url, origin=GOOD) as ada,
        connect(url, origin=GOOD, subprotocols=SUBPROTOCOLS) as ben,
    ):
        assert (ada.subprotocol, ben.subprotocol) == (None, "b")
        await ada.send("hello")
        assert await ada.recv() == await ben.recv() == "hello"
        await ben.send(b"\x00\xff")
        assert await ben.recv() == b"\x00\xff"
        await ben.send("ü" * 70_000)
        assert await ada.recv() == await ben.recv() == "ü" * 70_000


async def test_the_server_closes(server: str) -> None:
    async with connect(f"ws://{server}/talk/", origin=GOOD) as socket:
        await socket.send("close")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4001, "told to")
    async with connect(f"ws://{server}/sync/", origin=GOOD) as socket:
        await socket.send("echo")
        assert await socket.recv() == "echo"
        await socket.send("close")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 4002


async def test_the_client_closes_and_the_others_hear_of_it(server: str) -> None:
    async with connect(f"ws://{server}/talk/", origin=GOOD) as stays:
        async with connect(f"ws://{server}/talk/", origin=GOOD) as leaves:
            await leaves.send("hello")
            assert await leaves.recv() == await stays.recv() == "hello"
            await leaves.close(4010, "enough")
        # Hypercorn tells the application 1006 whatever the client said.
        assert await stays.recv() in {"left 4010", "left 1006"}


async def test_a_client_that_is_cut_off(server: str) -> None:
    async with connect(f"ws://{server}/talk/", origin=GOOD) as stays:
        lost = await connect(f"ws://{server}/talk/", origin=GOOD)
        await lost.send("hello")
        assert await stays.recv() == "hello"
        lost.transport.abort()
        assert str(await stays.recv()).startswith("left 100")  # 1005 or 1006, as the server sees it
        await lost.wait_closed()


@pytest.mark.parametrize(
    ("path", "origin", "statuses"),
    [
        ("/talk/", Origin("http://evil.example"), {403}),
        ("/talk/", None, {403}),
        ("/refused/", GOOD, {403}),
        # Servers without the denial response extension know only 403.
        ("/unknown/", GOOD, {404, 403}),
    ],
)
async def test_refusals(server: str, path: str, origin: Origin | None, statuses: set[int]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{server}{path}", origin=origin)
    assert refused.value.response.status_code in statuses
    for cause in (path, origin):
        if cause in REASONS:
            EXPECTED[REASONS[cause]] = server


def test_requests(server: str) -> None:
    with urllib.request.urlopen(f"http://{server}/answer/", data=b"hi", timeout=30) as response:
        assert response.read() == b"you said hi"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{server}/unknown/", timeout=30)
    assert refused.value.code == 404
    refused.value.close()
