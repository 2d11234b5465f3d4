"""What programs of the load print is read, and who gives nothing is given up."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from benchmarks import environment, load
from benchmarks.load import LoadFailed, Settings, Wsload, read_h2load
from benchmarks.servers import Server

GOOD = "finished in 2.00s, 14900.50 req/s, 1.2MB/s\nrequests: 9 total, 0 failed, 0 errored, 0 timeout\n"


def client(folder: Path, body: str) -> Settings:
    """Settings with a client of our own in the place of wsload."""
    program = folder / "client"
    program.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    program.chmod(0o755)
    return Settings(0.0, program, "sessionid=1")


def nobody(folder: Path) -> Server:
    return Server([], [1], folder / "server.log")


def test_the_rate_of_h2load() -> None:
    assert read_h2load(GOOD) == 14900.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "no rate"),
        (GOOD.replace("14900.50", "0.00"), "no rate"),
        (GOOD.replace("0 errored", "3 errored"), "3 errored"),
    ],
)
def test_a_rate_with_failures_is_none(text: str, words: str) -> None:
    with pytest.raises(LoadFailed, match=words):
        read_h2load(text)


def test_phases_are_read_in_turn(tmp_path: Path) -> None:
    lines = r"print('{\"phase\":\"open\",\"conns\":3}\n{\"phase\":\"done\",\"n\":7}', flush=True)"
    with Wsload(client(tmp_path, lines.replace('\\"', '"')), "idle", nobody(tmp_path), "/") as found:
        assert found.until("done") == {"phase": "done", "n": 7}


def test_a_client_that_fails_says_why(tmp_path: Path) -> None:
    settings = client(tmp_path, "sys.exit('wsload: opened 0 of 200')")
    with (
        Wsload(settings, "echo", nobody(tmp_path), "/") as found,
        pytest.raises(LoadFailed, match="opened 0 of 200"),
    ):
        found.until("done")


def test_a_client_without_end_is_ended(tmp_path: Path) -> None:
    settings = client(tmp_path, "time.sleep(600)")
    begun = time.monotonic()
    with (
        Wsload(settings, "echo", nobody(tmp_path), "/", patience=0.2) as found,
        pytest.raises(LoadFailed, match=r"nothing within 0\.2 s"),
    ):
        found.until("done")
    assert time.monotonic() - begun < load.PATIENCE


def test_a_program_without_end_is_ended() -> None:
    with pytest.raises(LoadFailed, match=r"nothing within 0\.2 s"):
        load._output(["sleep", "600"], 0.2)
    assert load._output(["echo", "words"], 60) == "words\n"


class SocketIo:
    """A room that speaks Socket.IO as far as a room needs it, with a ping behind every message."""

    def __init__(self) -> None:
        self.members: list[ServerConnection] = []
        self.pongs = self.said = 0

    def serve(self, socket: ServerConnection) -> None:
        socket.send('0{"sid":"1","pingInterval":25000}')
        try:
            for frame in socket:
                self.take(socket, str(frame))
        except ConnectionClosed:
            pass

    def take(self, socket: ServerConnection, frame: str) -> None:
        if frame == "40":
            self.members.append(socket)
            socket.send('40{"sid":"1"}')
        elif frame == "3":
            self.pongs += 1
        else:
            name, data = json.loads(frame.removeprefix("42"))
            assert name == "say"
            self.said += 1
            for member in self.members:
                member.send("42" + json.dumps(["said", data]))
                member.send("2")


@pytest.fixture
def room() -> Iterator[tuple[SocketIo, int]]:
    found = SocketIo()
    with serve(found.serve, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found, server.socket.getsockname()[1]
        server.shutdown()


def test_clients_of_socket_io_join_answer_pings_and_count_messages_only(
    room: tuple[SocketIo, int], tmp_path: Path
) -> None:
    served, port = room
    wsload = environment.compile_c(environment.HERE / "wsload.c")
    settings = Settings(0.3, wsload, "")
    reading = load.Throughput("fanout", connections=5, window=1).measure(
        Server([], [port], tmp_path / "log"), load.SOCKET_IO, settings
    )
    assert len(served.members) == 5
    assert served.pongs >= served.said > 0
    # Of the ten frames per message five are messages, and the next message waits for these.
    assert reading.value is not None
    assert reading.value * 0.3 <= served.said * 5
