from __future__ import annotations

import socket

import pytest

from channels.layers.host.broker.group_table import SubscriptionTable
from channels.layers.host.broker.peer import Peer


@pytest.fixture
def peers():
    pairs = [socket.socketpair() for _ in range(2)]
    yield [Peer(near) for near, _ in pairs]
    for near, far in pairs:
        near.close()
        far.close()


def test_processes_join_and_leave(peers):
    one, two = peers
    members = SubscriptionTable()
    members.add("g", one)
    members.add("g", one)
    members.add("g", two)
    members.add("h", two)
    assert list(members.find("g")[0]) == [one, two]
    members.drop("g", one)
    members.drop("g", one)
    members.drop("nowhere", one)
    assert list(members.find("g")[0]) == [two]
    members.forget(two)
    assert list(members.find("g")[0]) == []
    assert len(members) == 0
    assert (one.groups, two.groups) == (set(), set())


def test_a_named_channel_stays_for_as_long_as_one_that_added_it_lives(peers):
    one, two = peers
    members = SubscriptionTable()
    members.add_named("g", "work", one, 10, 60)
    members.add_named("g", "work", two, 10, 60)
    members.add_named("g", "other", two, 10, 60)
    members.forget(two)
    assert list(members.find("g")[1]) == ["work"]
    members.forget(one)
    assert list(members.find("g")[1]) == []
    assert len(members) == 0


def test_a_named_channel_is_taken_out_for_all(peers):
    one, two = peers
    members = SubscriptionTable()
    members.add_named("g", "work", one, 10, 60)
    members.add_named("g", "work", two, 10, 60)
    assert members.drop_named("g", "work") == [one, two]
    assert members.drop_named("g", "work") == []


def test_clearing(peers):
    members = SubscriptionTable()
    members.add("g", peers[0])
    members.add_named("g", "work", peers[1], 10, 60)
    members.clear()
    assert len(members) == 0
    assert peers[0].groups == set()
