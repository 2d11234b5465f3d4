"""Calls in a thread that fulfil a future, and lists that end with their caller."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import pytest

from channels.sync.calls import Abandonable, Call, stoppable


def test_a_call_fulfils_its_future():
    future: Future[Any] = Future()
    Call(future, lambda: 42, queued_at=time.monotonic())()
    assert future.result(0) == 42


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3)])
def test_whatever_is_raised_is_the_futures(error):
    def fail():
        raise error

    future: Future[Any] = Future()
    Call(future, fail)()
    assert future.exception(0) is error


def test_a_call_that_was_cancelled_is_not_made():
    made: list[bool] = []
    calls = [Call(Future(), lambda: made.append(True)) for _ in range(2)]
    for call in calls:
        call.future.cancel()
    calls[0]()
    calls[1].expire(TimeoutError("late"))
    assert made == []
    assert all(call.future.cancelled() for call in calls)


def test_a_call_that_waits_too_long_fails():
    future: Future[Any] = Future()
    error = TimeoutError("late")
    call = Call(future, lambda: 42)
    call.expire(error)
    assert future.exception(0) is error


def handler(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What asgiref puts around what a user gave it."""
    assert (args, kwargs) == ((), {})
    return function()


def test_a_list_of_an_endless_iterator_ends_when_its_caller_is_gone():
    future: Abandonable[Any] = Abandonable()
    future.set_running_or_notify_cancel()
    taken: list[int] = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            if number == 10:
                assert not future.cancel(), "it runs already"
            yield number

    call = stoppable(partial(handler, partial(list, endless())), future)
    with pytest.raises(CancelledError, match="was cancelled"):
        call()
    assert taken == list(range(11))


def test_a_list_whose_caller_waits_is_made():
    call = stoppable(partial(handler, partial(list, iter("abc"))), Abandonable())
    assert call() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "call",
    [
        partial(handler),
        partial(handler, len),
        partial(handler, partial(sorted, "ba")),
        partial(handler, partial(list)),
    ],
)
def test_other_calls_are_left_alone(call):
    assert stoppable(call, Abandonable()) is call


def test_an_abandonable_future_knows_that_it_is():
    future: Abandonable[Any] = Abandonable()
    assert not future.abandoned
    assert future.cancel()
    assert future.abandoned
