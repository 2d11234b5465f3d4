from __future__ import annotations

import socket

import pytest

from tests.ports import free_port


def test_a_server_may_listen_there_and_again_and_nobody_else_is_given_the_port() -> None:
    port = free_port()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass


def test_each_call_gives_another() -> None:
    ports = [free_port(below=50_000) for _ in range(20)]
    assert len(set(ports)) == 20
    assert max(ports) < 50_000
