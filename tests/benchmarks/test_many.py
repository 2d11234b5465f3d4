"""Very many sockets, with few: they open, one message reaches all, and who is lost is told."""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time

import pytest

from benchmarks.many import PING, PONG, Holder, hold, run, shares

LONG = 20.0


@pytest.mark.parametrize(
    ("sockets", "most", "parts"),
    [(10, 10, [10]), (10, 4, [4, 3, 3]), (100_000, 18_500, [16667, 16667, 16667, 16667, 16666, 16666])],
)
def test_the_sockets_are_shared_out(sockets: int, most: int, parts: list[int]) -> None:
    assert shares(sockets, most) == parts


def test_one_message_reaches_all_in_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.many.SETTLE", 0.0)
    found = run(60, idle=0, most=30)
    assert (found["server_processes"], found["opened"], found["reached"], found["lost"]) == (2, 60, 60, 0)
    assert found["last_byte_s"] > 0
    assert found["kB_per_socket"] > 0


@pytest.fixture
def peer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_pings_are_answered_and_losses_told(peer: socket.socket) -> None:
    holder = Holder(peer.getsockname()[1], 1)
    answered: list[bytes] = []
    opened = threading.Event()

    def serve() -> None:
        connection, _ = peer.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            assert opened.wait(LONG)
            connection.sendall(bytes([PING, 0]))
            answered.append(connection.recv(100))

    server = threading.Thread(target=serve)
    server.start()
    assert holder.open(1) == 1
    opened.set()
    end = time.monotonic() + LONG
    while not holder.lost and time.monotonic() < end:
        holder.stay()
    server.join(LONG)
    assert answered == [PONG]
    assert holder.lost == 1
    assert holder.hear() == (0, 0.0)


def test_a_client_does_as_it_is_told(peer: socket.socket) -> None:
    ours, theirs = multiprocessing.Pipe()
    client = threading.Thread(target=hold, args=(theirs, peer.getsockname()[1], 2, 1))
    client.start()
    connection, _ = peer.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        assert ours.recv() == 1
        ours.send("speak")
        assert b"everybody" in connection.recv(4096)
        connection.sendall(b"\x81\x09everybody")
        assert ours.recv()[0] == 1
        ours.send("end")
        assert ours.recv() == 0
    client.join(LONG)
