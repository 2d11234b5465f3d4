"""When it is told that messages have arrived."""

from __future__ import annotations

import asyncio

from channels.server.io.coalescing import TURNS, WakeupCoalescer


class Listener:
    """Writes its name down when it is told."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name = name
        self.told = told

    def announce(self) -> None:
        self.told.append(self.name)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_one_turn_has_read_is_told_at_once() -> None:
    rounds, told = WakeupCoalescer(asyncio.get_running_loop()), list[str]()
    for name in "abc":
        rounds.announce(Listener(name, told).announce)
    assert told == ["a", "b", "c"]


async def test_what_comes_during_a_round_waits_until_it_is_over() -> None:
    rounds, told = WakeupCoalescer(asyncio.get_running_loop()), list[str]()
    rounds.announce(Listener("first", told).announce)
    for turn in range(TURNS):
        assert told == ["first"]
        await turns(1)
        rounds.announce(Listener(f"in turn {turn + 1}", told).announce)
    assert told == ["first", "in turn 1", "in turn 2", "in turn 3"]


async def test_who_has_waited_begins_the_next_round() -> None:
    rounds, told = WakeupCoalescer(asyncio.get_running_loop()), list[str]()
    rounds.announce(Listener("first", told).announce)
    await turns(1)
    rounds.announce(Listener("second", told).announce)
    await turns(TURNS - 1)
    assert told == ["first", "second"]
    await turns(1)
    rounds.announce(Listener("third", told).announce)
    assert told == ["first", "second"]
    await turns(TURNS - 1)
    assert told == ["first", "second", "third"]


async def test_one_that_raises_harms_no_other() -> None:
    class Broken:
        def announce(self) -> None:
            raise RuntimeError("broken")

    loop, raised = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda loop, context: raised.append(context["exception"]))
    rounds, told = WakeupCoalescer(loop), list[str]()
    rounds.announce(Listener("first", told).announce)
    await turns(1)
    rounds.announce(Broken().announce)
    rounds.announce(Listener("behind it", told).announce)
    await turns(2 * TURNS)
    assert told == ["first", "behind it"]
    assert len(raised) == 1


async def test_a_round_without_listeners_ends() -> None:
    rounds, told = WakeupCoalescer(asyncio.get_running_loop()), list[str]()
    rounds.announce(Listener("first", told).announce)
    await turns(TURNS)
    rounds.announce(Listener("later", told).announce)
    assert told == ["first", "later"]
