from __future__ import annotations

import threading

import pytest

from channels.layers.host.broker import listener as module
from channels.layers.host.broker.listener import Listener
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory
from tests.layers.host.processes import in_forked_child

PATIENCE = 20


class House:
    def __init__(self, directory):
        self.place = RuntimeDirectory(directory)
        self.place.prepare()
        self.loop = PollLoop("test-doorway")
        self.came_in = threading.Event()
        self.peers = []
        self.doorway = Listener(self.place, self.loop, self.welcome)
        self.loop.start()

    def welcome(self, peer):
        self.peers.append(peer)
        self.came_in.set()

    def close(self):
        self.loop.stop()
        assert self.loop.join(PATIENCE)
        for peer in self.peers:
            peer.close()
        self.doorway.close()


@pytest.fixture
def house(directory):
    house = House(directory)
    yield house
    house.close()


def test_processes_come_in(house):
    with house.place.connect() as sock:
        assert house.came_in.wait(PATIENCE)
        house.peers[0].write()
        sock.settimeout(PATIENCE)
        assert sock.recv(3) == b"FWH"
    assert house.peers[0].sock.getblocking() is False


def test_another_users_process_is_refused(house, monkeypatch, caplog):
    def refuse(sock):
        raise PermissionError("A process of user 7 is at the other end, not of user 0.")

    monkeypatch.setattr(module, "require_same_user", refuse)
    with house.place.connect() as sock:
        sock.settimeout(PATIENCE)
        assert sock.recv(1) == b""
    assert "has refused a connection: A process of user 7" in caplog.text
    assert house.peers == []


def test_nobody_at_the_door_is_harmless(house):
    house.doorway.accept(True)
    assert house.peers == []


def test_a_closed_doorway(house):
    closed = threading.Event()
    house.loop.call_soon(lambda: (house.doorway.close(), closed.set()))
    assert closed.wait(PATIENCE)
    assert house.place.connect() is None


def test_a_forked_child_closes_its_copy_only(house):
    assert in_forked_child(house.doorway.abandon) == 0
    with house.place.connect():
        assert house.came_in.wait(PATIENCE)
