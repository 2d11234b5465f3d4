"""Blocking clients: one for each server, anew after a fork, and whatever a signal handler interrupts."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from channels.layers.redis.connect.blocking import BlockingClients
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.hosts.setting import Hosts


@pytest.fixture
def clients(server, second_server):
    hosts = Hosts([server.url, second_server.url])
    clients = BlockingClients(lambda: hosts.addresses)
    yield clients
    clients.close()


def port(client):
    return client.redis.connection_pool.connection_kwargs["port"]


def test_a_name_belongs_to_one_server(clients, server, second_server):
    found = {name: clients.run(name, port) for name in map(str, range(50))}
    assert {*found.values()} == {server.port, second_server.port}
    assert {name: clients.run(name, port) for name in found} == found


def test_a_forked_process_has_clients_of_its_own(clients):
    before = clients.run("a", lambda client: client)
    assert clients.run("a", lambda client: client) is before
    child = os.fork()
    if not child:
        ours = clients.run("a", lambda client: client)
        os._exit(0 if ours is not before and ours.redis.ping() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_signal_handler_sends_though_it_interrupts_the_making_of_a_client(clients, monkeypatch):
    made, handled = clients._client, threading.Event()

    def handle(number, frame):
        handled.set()
        assert clients.run("a", lambda client: client.redis.ping())

    def interrupted(index, address):
        with clients._lock:
            if not handled.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)
                handled.wait(10)
            return made(index, address)

    monkeypatch.setattr(clients, "_client", interrupted)
    before = signal.signal(signal.SIGUSR1, handle)
    try:
        assert clients.run("a", lambda client: client.redis.ping())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled.is_set()


def test_closing_is_no_end(clients):
    clients.run("a", lambda client: client.redis.ping())
    clients.close()
    assert clients.run("a", lambda client: client.redis.ping())


def test_a_server_that_is_not_there_is_named(own_server):
    own_server.kill()
    hosts = Hosts([f"redis://:secret@127.0.0.1:{own_server.port}"])
    clients = BlockingClients(lambda: hosts.addresses)
    with pytest.raises(RedisUnavailable, match=f"redis://127.0.0.1:{own_server.port}/0") as caught:
        clients.run("a", lambda client: client.redis.ping())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["server", "cluster"])
def test_whether_a_server_answers(kind, request):
    found = request.getfixturevalue(kind)
    clients = BlockingClients(lambda: Hosts([found.url]).addresses)
    clients.run("g", lambda client: client.reach(b"asgi:group:g"))
    clients.close()


def test_that_a_server_is_away_is_told(own_server):
    clients = BlockingClients(lambda: Hosts([own_server.url]).addresses)
    clients.run("g", lambda client: client.reach(b"g"))
    own_server.kill()
    with pytest.raises(RedisUnavailable):
        clients.run("g", lambda client: client.reach(b"g"))
    clients.close()
