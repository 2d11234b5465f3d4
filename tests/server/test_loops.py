"""The loop of a server: which one, that it counts its tasks, and what is left of it at its end."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
import uvloop

from channels.server.config import ConfigError
from channels.server.loops import count_tasks, event_loop, new_event_loop, uncounted_create_task
from channels.typing import TASKS_CREATED

NAMES = ["auto", "uvloop", "asyncio"]


@pytest.mark.parametrize("name", NAMES)
def test_event_loops(name: str) -> None:
    loop = new_event_loop(name)
    try:
        assert (type(loop).__module__ == "asyncio.unix_events") == (name == "asyncio")
        assert loop.run_until_complete(asyncio.sleep(0, 5)) == 5
    finally:
        loop.close()


def test_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    new_event_loop("auto").close()
    with pytest.raises(ConfigError, match="uvloop is not installed"):
        new_event_loop("uvloop")


def test_on_windows_the_loop_is_one_that_can_wait_for_any_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    loop = new_event_loop("asyncio")
    loop.close()
    assert isinstance(loop, asyncio.SelectorEventLoop)


def test_at_the_end_of_the_block_generators_and_threads_are_shut_down() -> None:
    ended: list[str] = []

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            ended.append("generator")

    async def begin() -> None:
        generator = numbers()
        kept.append(generator)
        assert await anext(generator) == 1
        await asyncio.to_thread(ended.append, "thread")

    kept: list[Any] = []
    with event_loop("asyncio") as loop:
        loop.run_until_complete(begin())
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
    assert loop.is_closed()
    assert ended == ["thread", "generator"]


async def nothing() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_counts_the_tasks_it_creates_once_it_was_asked(name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        count_tasks(loop)
        count_tasks(loop)  # once is enough
        (before,) = getattr(loop, TASKS_CREATED)
        await asyncio.create_task(nothing())
        await asyncio.ensure_future(nothing())
        await uncounted_create_task(loop)(nothing())
        assert getattr(loop, TASKS_CREATED) == [before + 2]

    with event_loop(name) as loop:
        loop.run_until_complete(main())


async def test_a_loop_that_counts_nothing_has_nothing_that_is_not_counted() -> None:
    loop = asyncio.get_running_loop()
    await uncounted_create_task(loop)(nothing())
    assert not hasattr(loop, TASKS_CREATED)


def test_our_loop_counts_in_its_class_and_goes_by_the_name_of_its_base() -> None:
    loop = new_event_loop("uvloop")
    try:
        loop.run_until_complete(nothing())
        assert getattr(loop, TASKS_CREATED) == [1]
        assert "create_task" not in vars(loop), "calls of a loop with a method of its own are slower"
        assert isinstance(loop, uvloop.Loop)
        assert (type(loop).__name__, type(loop).__module__) == ("Loop", "uvloop")
    finally:
        loop.close()
