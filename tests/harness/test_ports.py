from __future__ import annotations

import socket

import pytest

from tests.support.ports import free_cluster_port, free_port, free_port_and


def test_a_server_may_listen_there_and_again_and_nobody_else_is_given_the_port() -> None:
    port = free_port()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass


def test_each_call_gives_another() -> None:
    assert len({free_port() for _ in range(20)}) == 20


def test_the_port_of_a_clusters_bus_is_reserved_as_well() -> None:
    port = free_cluster_port()
    for taken in (port, port + 10_000):
        with socket.create_server(("127.0.0.1", taken)):
            pass
        with socket.socket() as client, pytest.raises(OSError, match="in use"):
            client.bind(("127.0.0.1", taken))


def test_ports_above_one_are_reserved_with_it() -> None:
    ports = [(port := free_port_and([1, 1001])), port + 1, port + 1001]
    for taken in ports:
        with socket.create_server(("127.0.0.1", taken)):
            pass
        with socket.socket() as client, pytest.raises(OSError, match="in use"):
            client.bind(("127.0.0.1", taken))
