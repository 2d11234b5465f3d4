"""A connection that cannot be told or read takes nothing from the others."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from channels.server.io import closed_peers
from channels.server.io.closed_peers import ClosedPeers, unread_bytes


class Unread:
    """A connection that nobody reads, and its peer."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.near, self.far = socket.socketpair()
        self.told: list[bool] = []
        self.asked = 0
        self._breaks = breaks

    @property
    def fileno(self) -> int:
        return self.near.fileno()

    def peer_closed(self, *, reset: bool) -> None:
        self.told.append(reset)
        if self._breaks:
            raise RuntimeError("on purpose")

    def read_ahead(self) -> bool:
        self.asked += 1
        if self._breaks:
            raise RuntimeError("on purpose")
        return True

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def connections() -> Iterator[list[Unread]]:
    made = [Unread(breaks=True), Unread()]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def peers(connections: list[Unread]) -> ClosedPeers:
    found = ClosedPeers()
    for each in connections:
        found.add(each)
    assert len(found) == 2
    return found


def test_each_is_told_of_its_peer(
    peers: ClosedPeers, connections: list[Unread], caplog: pytest.LogCaptureFixture
) -> None:
    for each in connections:
        each.far.close()
    peers.look()
    assert [len(each.told) for each in connections] == [1, 1]
    assert caplog.messages == ["The end of a connection could not be told."]


def test_each_is_read_ahead(
    peers: ClosedPeers, connections: list[Unread], caplog: pytest.LogCaptureFixture
) -> None:
    peers.look()
    peers.look()
    assert [each.asked for each in connections] == [1, 1]
    assert caplog.messages == ["A connection could not be read ahead."]


def test_a_socket_that_is_gone_is_not_asked_about(peers: ClosedPeers, connections: list[Unread]) -> None:
    for each in connections:
        each.close()
    peers.look()
    assert [each.told for each in connections] == [[], []]


def test_where_the_kernel_cannot_be_asked_nobody_is_told(
    peers: ClosedPeers, connections: list[Unread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "poll")
    connections[1].far.close()
    peers.look()
    assert connections[1].told == []
    connections[0].far.send(b"abc")
    assert unread_bytes(connections[0].fileno) == 3
    monkeypatch.setattr(closed_peers, "fcntl", None)
    assert unread_bytes(connections[0].fileno) == 0
