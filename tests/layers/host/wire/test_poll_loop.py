from __future__ import annotations

import socket
import threading

import pytest

from channels.layers.host.wire.poll_loop import PollLoop
from tests.layers.host.processes import in_forked_child

PATIENCE = 20


@pytest.fixture
def loop():
    loop = PollLoop("test-turns")
    loop.start()
    yield loop
    loop.stop()
    assert loop.join(PATIENCE)


def in_loop(loop, function):
    """What ``function()`` returns in the loop's thread."""
    done, result = threading.Event(), []
    loop.call_soon(lambda: (result.append(function()), done.set()))
    assert done.wait(PATIENCE)
    return result[0]


def test_calls_run_in_its_thread_in_order(loop):
    calls = []
    for n in range(5):
        loop.call_soon(lambda n=n: calls.append((n, loop.in_thread)))
    assert in_loop(loop, lambda: loop.join(0)) is False
    assert calls == [(n, True) for n in range(5)]
    assert not loop.in_thread


def test_sockets_are_watched_until_they_are_forgotten(loop):
    near, far = socket.socketpair()
    events, arrived, written = [], threading.Event(), threading.Event()

    def ready(readable):
        events.append(readable)
        if readable:
            near.recv(10)
            arrived.set()
            loop.watch(near, ready, write=True)
        else:
            loop.watch(near, ready)
            written.set()

    with near, far:
        in_loop(loop, lambda: loop.watch(near, ready))
        far.send(b"x")
        assert arrived.wait(PATIENCE) and written.wait(PATIENCE)
        in_loop(loop, lambda: (loop.forget(near), loop.forget(near)))
        far.send(b"x")
        in_loop(loop, lambda: None)
        assert events == [True, False]


def test_a_socket_that_an_earlier_callback_forgot_is_not_called(loop):
    pairs = [socket.socketpair() for _ in range(2)]
    called, done = [], threading.Event()

    def ready(readable):
        called.append(readable)
        for near, _ in pairs:
            loop.forget(near)
        done.set()

    def watch():
        for near, far in pairs:
            far.send(b"x")
            loop.watch(near, ready)

    in_loop(loop, watch)
    assert done.wait(PATIENCE)
    in_loop(loop, lambda: None)
    assert called == [True]
    for near, far in pairs:
        near.close()
        far.close()


def test_timers_run_in_the_order_of_their_times(loop):
    calls, done = [], threading.Event()

    def plan():
        loop.call_later(0.02, lambda: (calls.append(2), done.set()))
        loop.call_later(0.0, lambda: calls.append(1))

    loop.call_soon(plan)
    assert done.wait(PATIENCE)
    assert calls == [1, 2]


def test_a_call_made_in_the_thread_comes_in_the_next_turn(loop):
    done = threading.Event()
    loop.call_soon(lambda: loop.call_soon(done.set))
    assert done.wait(PATIENCE)


def test_the_end_of_a_turn_comes_after_all_of_it(loop):
    order = []
    in_loop(loop, lambda: loop.at_end_of_turn.append(lambda: order.append("end")))
    in_loop(loop, lambda: order.append("call"))
    in_loop(loop, lambda: None)
    assert order[order.index("call") + 1] == "end"


def test_an_error_is_logged_and_the_thread_goes_on(loop, caplog):
    loop.call_soon(lambda: 1 / 0)
    assert in_loop(loop, lambda: "alive") == "alive"
    assert "The thread test-turns of the host layer met an error." in caplog.text


def test_waking_is_harmless_when_it_is_awake_or_has_ended(loop):
    for _ in range(5000):
        loop.wake()
    in_loop(loop, lambda: None)
    loop.stop()
    assert loop.join(PATIENCE)
    loop.wake()


def test_a_spurious_wakeup_is_harmless(loop):
    in_loop(loop, lambda: loop._drain(True))


def test_a_forked_child_can_close_its_copies_and_the_parent_goes_on(loop):
    assert in_forked_child(loop.abandon) == 0
    assert in_loop(loop, lambda: "alive") == "alive"
