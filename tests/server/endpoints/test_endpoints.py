"""Endpoint strings, and listening."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from channels.server.endpoints import endpoints as sockets
from channels.server.endpoints.endpoints import (
    Endpoint,
    EndpointError,
    ListenError,
    address_of,
    address_pair,
    endpoint_strings,
    open_sockets,
    parse_endpoint,
    remove_unix_socket,
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, []),
        ({"host": "10.0.0.1", "port": 80}, ["tcp:port=80:interface=10.0.0.1"]),
        ({"host": "[::1]", "port": 80}, ["tcp:port=80:interface=\\:\\:1"]),
        ({"unix_socket": "/tmp/s"}, ["unix:/tmp/s"]),
        ({"file_descriptor": 0}, ["fd:fileno=0"]),
    ],
)
def test_endpoint_strings(arguments: dict[str, Any], expected: list[str]) -> None:
    assert endpoint_strings(**arguments) == expected


@pytest.mark.parametrize("half", [{"host": "a"}, {"port": 1}])
def test_half_a_tcp_endpoint_is_none(half: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="both port and host"):
        endpoint_strings(**half)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp:port=80:interface=127.0.0.1", Endpoint("tcp", host="127.0.0.1", port=80)),
        ("tcp:80", Endpoint("tcp", port=80)),
        ("tcp:port=80:interface=\\:\\:1:backlog=5", Endpoint("tcp", host="::1", port=80)),
        ("tcp:port=80:interface=[\\:\\:1]", Endpoint("tcp", host="::1", port=80)),
        ("unix:/run/a\\:b", Endpoint("unix", path="/run/a:b")),
        ("unix:address=/run/s:mode=660", Endpoint("unix", path="/run/s", mode=0o660)),
        ("unix:/run/a\\\\b", Endpoint("unix", path="/run/a\\b")),
        ("fd:fileno=3", Endpoint("fd", fileno=3)),
        ("systemd:domain=INET:index=0", Endpoint("systemd", index=0)),
        ("systemd:INET6:name=web", Endpoint("systemd", name="web")),
        ("systemd:", Endpoint("systemd")),
        ("tcp:9000:app=meters", Endpoint("tcp", port=9000, app="meters")),
        ("unix:/run/meters.sock:app=meters", Endpoint("unix", path="/run/meters.sock", app="meters")),
        ("fd:3:app=mqtt", Endpoint("fd", fileno=3, app="mqtt")),
        ("systemd:name=mqtt:app=mqtt", Endpoint("systemd", name="mqtt", app="mqtt")),
    ],
)
def test_parse_endpoint(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ssl:443:colour=red", "does not know 'colour'"),
        ("tcp:9000:app=", "app names what gets the connections, as in app=meters, not ''"),
        ("tcp:9000:app=a b", "app names what gets the connections"),
        ("systemd:index=first", "an index is a number from 0 on, not 'first'"),
        ("ssl:privateKey=key.pem", "needs port="),
        ("carrier-pigeon:1", "begins with tcp:, ssl:, unix:, fd: or systemd:"),
        ("", "begins with"),
        ("tcp:interface=127.0.0.1", "needs port="),
        ("tcp:port=80:colour=red", "does not know 'colour'"),
        ("tcp:port=80:interface=::1", "does not know ''"),
        ("tcp:port=eighty", "a port is a number from 0 on, not 'eighty'"),
        ("tcp:port=99999", "0 to 65535"),
        ("unix:/s:mode=6660", "an octal number up to 777"),
        ("unix:/s:mode=", "an octal number up to 777"),
        ("unix:/s:mode=rw", "an octal number up to 777, such as 660, not 'rw'"),
    ],
)
def test_endpoints_that_are_none(text: str, reason: str) -> None:
    with pytest.raises(EndpointError, match=reason):
        parse_endpoint(text)


def test_tcp_listens() -> None:
    (sock,) = open_sockets(Endpoint("tcp", host="127.0.0.1"), 5)
    with sock:
        host, port = address_of(sock)
        assert host == "127.0.0.1"
        socket.create_connection((host, port)).close()
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: another program listens there"):
            open_sockets(Endpoint("tcp", host="127.0.0.1", port=int(port)), 5)


def test_a_name_listens_on_all_its_addresses_with_one_port() -> None:
    opened = open_sockets(Endpoint("tcp", host="localhost"), 5)
    try:
        assert len({address_of(sock)[1] for sock in opened}) == 1
    finally:
        for sock in opened:
            sock.close()


def test_an_address_of_a_name_that_is_not_up_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0))
        for host in ("127.0.0.1", "192.0.2.1")  # the second is for documentation, nobody has it
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: infos)
    (sock,) = open_sockets(Endpoint("tcp", host="two.example"), 5)
    assert address_of(sock)[0] == "127.0.0.1"
    sock.close()


def test_what_was_opened_is_closed_when_the_next_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    infos.append((socket.AF_INET, socket.SOCK_STREAM, 17, "", ("127.0.0.1", 0)))  # the same again: in use
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: infos)
    with pytest.raises(ListenError, match="another program"):
        open_sockets(Endpoint("tcp", host="twice.example"), 5)


def test_an_address_that_is_not_here() -> None:
    with pytest.raises(ListenError, match="no such address"):
        open_sockets(Endpoint("tcp", host="192.0.2.1", port=0), 5)


def test_an_unknown_name_is_told_as_the_system_says_it() -> None:
    with pytest.raises(ListenError, match=r"nowhere.invalid:0: .+ with -b"):
        open_sockets(Endpoint("tcp", host="nowhere.invalid", port=0), 5)


def test_ipv6_is_written_in_brackets() -> None:
    assert sockets.describe(Endpoint("tcp", host="::1", port=80)) == "[::1]:80"
    assert sockets.describe(Endpoint("tcp", port=80)) == "0.0.0.0:80"


def test_unix_listens_with_permissions_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    (sock,) = open_sockets(Endpoint("unix", path=str(path), mode=0o600), 5)
    with sock:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert address_of(sock) == str(path)
        with pytest.raises(ListenError, match="another program"):
            open_sockets(Endpoint("unix", path=str(path)), 5)
        remove_unix_socket(sock)
        assert not path.exists()
        remove_unix_socket(sock)


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    endpoint = Endpoint("unix", path=str(tmp_path / "s"))
    open_sockets(endpoint, 5)[0].close()
    (sock,) = open_sockets(endpoint, 5)
    sock.close()


def test_a_file_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError, match="is no socket"):
        open_sockets(Endpoint("unix", path=str(path)), 5)
    assert path.read_text() == "data"


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="107 bytes at most. Choose a shorter path"):
        open_sockets(Endpoint("unix", path=str(tmp_path / ("x" * 120))), 5)


def test_a_server_that_is_too_busy_to_answer_keeps_its_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as stack:
        busy.bind(path)
        busy.listen(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(10):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(path)
        with pytest.raises(ListenError, match="another program listens there"):
            open_sockets(Endpoint("unix", path=path), 5)
        assert os.path.exists(path)


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="directory does not exist"):
        open_sockets(Endpoint("unix", path=str(tmp_path / "no" / "s")), 5)


def test_an_inherited_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as outer:
        (sock,) = open_sockets(Endpoint("fd", fileno=os.dup(outer.fileno())), 5)
        with sock:
            assert address_of(sock) == outer.getsockname()


def test_a_descriptor_that_is_not_open() -> None:
    with pytest.raises(ListenError, match="file descriptor 987: it is not open"):
        open_sockets(Endpoint("fd", fileno=987), 5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (("127.0.0.1", 80), ["127.0.0.1", 80]),
        (("::1", 80, 0, 0), ["::1", 80]),
        ("/run/s", ["/run/s", None]),
        (b"\0abstract", ["\0abstract", None]),
        ("", None),
        (None, None),
    ],
)
def test_addresses(name: Any, expected: Any) -> None:
    assert address_pair(name) == expected


def test_an_address_that_was_seen_before_is_the_same_object() -> None:
    first, again = (tuple(json.loads('["::1", 65000]')) for _ in range(2))
    assert sockets.known(first) is sockets.known(again)
