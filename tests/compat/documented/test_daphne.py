"""What Daphne's README says one can type, typed."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.served import environment, served

APPLICATION = """
import json


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    seen = {name: scope.get(name) for name in ("path", "root_path", "scheme", "client", "server", "method")}
    seen["headers"] = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project.py").write_text(APPLICATION)
    return tmp_path


def run(folder: Path, *arguments: str, port: int) -> Any:
    command = ["daphne", *arguments, "project:application"]
    env = environment(PYTHONPATH=str(folder))
    return served(command, port, folder=folder, log=folder / "log", env=env)


def asked(connection: http.client.HTTPConnection, path: str = "/a/b", **headers: str) -> Any:
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    assert response.status == 200
    seen = json.loads(response.read())
    connection.close()
    return seen


def test_bind_and_port(folder: Path) -> None:
    port = free_port()
    with run(folder, "-b", "127.0.0.1", "-p", str(port), port=port):
        seen = asked(http.client.HTTPConnection("127.0.0.1", port))
        assert (seen["path"], seen["root_path"], seen["scheme"]) == ("/a/b", "", "http")
        assert seen["server"] == ["127.0.0.1", port]
        assert seen["client"][0] == "127.0.0.1"
        # Nor, unlike with the original, another root path.
        seen = asked(http.client.HTTPConnection("127.0.0.1", port), Daphne_Root_Path="/sub")
        assert seen["root_path"] == ""
        # Without --proxy-headers nobody can claim another address.
        seen = asked(http.client.HTTPConnection("127.0.0.1", port), X_Forwarded_For="10.1.2.3")
        assert seen["client"][0] == "127.0.0.1"


def test_root_path_and_proxy_headers(folder: Path) -> None:
    port = free_port()
    flags = ["-b", "127.0.0.1", "-p", str(port), "--root-path", "/told", "--proxy-headers"]
    with run(folder, *flags, port=port):
        seen = asked(
            http.client.HTTPConnection("127.0.0.1", port),
            X_Forwarded_For="10.1.2.3",
            X_Forwarded_Port="4321",
            X_Forwarded_Proto="https",
        )
        assert (seen["root_path"], seen["client"], seen["scheme"]) == ("/told", ["10.1.2.3", 4321], "https")


def test_the_root_path_of_a_trusted_proxy(folder: Path) -> None:
    port = free_port()
    flags = ["-p", str(port), "--root-path-header", "--trusted-proxies", "127.0.0.1"]
    with run(folder, *flags, port=port):
        seen = asked(http.client.HTTPConnection("127.0.0.1", port), Daphne_Root_Path="/sub")
        assert seen["root_path"] == "/sub"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(self.path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets")
def test_a_unix_socket_beside_an_endpoint(folder: Path) -> None:
    port = free_port()
    endpoint = f"tcp:port={port}:interface=127.0.0.1"
    with run(folder, "-u", str(folder / "daphne.sock"), "-e", endpoint, port=port):
        assert asked(UnixConnection(folder / "daphne.sock"))["path"] == "/a/b"
        assert asked(http.client.HTTPConnection("127.0.0.1", port))["path"] == "/a/b"


def test_what_keeps_it_from_starting_is_said(folder: Path) -> None:
    port = free_port()
    with (
        pytest.raises(AssertionError, match="project:missing"),
        served(
            ["daphne", "-b", "127.0.0.1", "-p", str(port), "project:missing"],
            port,
            folder=folder,
            log=folder / "log",
            env=environment(PYTHONPATH=str(folder)),
        ),
    ):
        raise RuntimeError("it has started")
