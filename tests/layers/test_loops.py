"""Event loops that are closed without care: nothing is printed, nothing is lost, the next loop goes on."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import weakref

import pytest

from channels.layers import InMemoryChannelLayer
from channels.layers import loops as module
from channels.layers.host import HostChannelLayer
from channels.layers.loops import call_before_close
from tests.support.redis_servers import RedisServer

PROGRAM = """
import asyncio, gc, logging, sys

import uvloop

from channels.layers import InMemoryChannelLayer
from channels.layers.host import HostChannelLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
kind, loops, place = sys.argv[1:]
new_loop = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[loops]
layer = {
    "memory": lambda: InMemoryChannelLayer(),
    "host": lambda: HostChannelLayer(path=place),
    "core": lambda: RedisChannelLayer(hosts=[place]),
    "pubsub": lambda: RedisPubSubChannelLayer(hosts=[place]),
}[kind]()


async def receive(channel):
    return await asyncio.wait_for(layer.receive(channel), 60)


async def use(n):
    name = await layer.new_channel()
    await layer.group_add("room", name)
    await layer.group_send("room", {"type": "m", "n": n})
    assert (await receive(name))["n"] == n
    await layer.send("jobs", {"type": "m", "n": n})
    assert (await receive("jobs"))["n"] == n
    await layer.send("taken", {"type": "m", "n": n})
    if hasattr(layer, "take"):
        message, acknowledge = await layer.take("taken")
        await acknowledge()
    layer.attach(name)
    layer.detach(name)
    if kind != "memory":
        try:
            await asyncio.wait_for(layer.receive("taken"), 0.05)
        except TimeoutError:
            pass


for n in range(3):
    loop = new_loop()
    loop.slow_callback_duration = 60  # that this machine is slow is nothing of the layers'
    loop.run_until_complete(use(n))
    loop.close()
    gc.collect()
del loop
gc.collect()
print("end")
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("loops", ["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", ["memory", "host", "core", "pubsub"])
def test_nothing_is_printed(tmp_path, kind, loops):
    server = RedisServer() if kind in ("core", "pubsub") else None
    place = server.url if server else str(tmp_path / "broker")
    try:
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, kind, loops, place],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    finally:
        if server:
            server.close()
    assert (ended.stdout, ended.stderr, ended.returncode) == ("end\n", "", 0)


ASKED_AT_THE_END = """
import asyncio, gc, sys

from channels.layers.redis.engine import redis_engine
from channels_redis.core import RedisChannelLayer

layer = RedisChannelLayer(hosts=[sys.argv[1]])
node = redis_engine(layer).node


async def use():
    name = await layer.new_channel()
    await layer.group_add("room", name)
    await layer.group_send("room", {"type": "m"})
    await layer.receive(name)
    await node.commands().aclose()  # so that who answers has to connect first
    for _ in range(turns):
        node.exchange.on_sequence_query([("group", "room")])
        await asyncio.sleep(0)


for turns in (1, 2, 3, 4):
    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = 60  # that this machine is slow is nothing of the layers'
    loop.run_until_complete(use())
    loop.close()
    gc.collect()
print("end")
"""


def test_what_another_process_asks_while_a_loop_ends_leaves_nothing_behind():
    """Its answer begins in the last turn, and the connection that it needs in the turn after that."""
    with RedisServer() as server:
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", ASKED_AT_THE_END, server.url],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("end\n", "", 0)


PYTEST = """
import asyncio

import pytest

from channels_redis.core import RedisChannelLayer

layer = RedisChannelLayer(hosts=[{url!r}])


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("n", range(3))
def test_it(loop, n):
    async def use():
        name = await layer.new_channel()
        await layer.group_add("room", name)
        await layer.group_send("room", {{"type": "m"}})
        assert await asyncio.wait_for(layer.receive(name), 10) == {{"type": "m"}}

    loop.run_until_complete(use())
"""


def test_old_test_runners(tmp_path):
    with RedisServer() as server:
        (tmp_path / "test_it.py").write_text(textwrap.dedent(PYTEST).format(url=server.url))
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
        ended = subprocess.run(
            [*command, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path / "test_it.py")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout


@pytest.mark.parametrize("kind", ["memory", "host"])
def test_who_waited_in_a_closed_loop_takes_nothing(tmp_path, kind):
    """A message is not given to a receiver whose loop has gone, nor does that keep it from the next."""
    layer = InMemoryChannelLayer() if kind == "memory" else HostChannelLayer(path=tmp_path / "broker")
    gone, pending = asyncio.new_event_loop(), []

    async def begin():
        pending.append(asyncio.ensure_future(layer.receive("jobs")))
        await asyncio.sleep(0.1)

    async def go_on():
        receiving = asyncio.ensure_future(layer.receive("jobs"))
        await asyncio.sleep(0.1)
        await layer.send("jobs", {"type": "m"})
        assert await asyncio.wait_for(receiving, 10) == {"type": "m"}
        await layer.aclose()

    gone.run_until_complete(begin())
    gone.close()
    pending[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # the test's own task
    asyncio.run(go_on())


# The mechanism by itself


class Ends:
    def __init__(self, *errors):
        self.calls = []
        self.errors = list(errors)

    async def aclose(self):
        self.calls.append(asyncio.get_running_loop())
        if self.errors:
            raise self.errors.pop()


def test_what_is_called_before_a_loop_is_closed():
    loop, first, second = asyncio.new_event_loop(), Ends(OSError("failed")), Ends()
    for each in (first, second):
        call_before_close(loop, each.aclose)
    dead = Ends()
    call_before_close(loop, dead.aclose)
    del dead
    loop.close()
    assert first.calls == second.calls == [loop]
    assert loop.is_closed()
    loop.close()
    assert len(first.calls) == 1


def test_what_is_gone_is_forgotten_at_the_next_registration():
    loop, ends = asyncio.new_event_loop(), Ends()
    for _ in range(10):
        call_before_close(loop, Ends().aclose)
    call_before_close(loop, ends.aclose)
    assert len(module._calls[loop]) == 1
    loop.close()
    assert ends.calls == [loop]


def test_a_close_that_somebody_has_replaced_makes_the_calls_too():
    loop, ends, closed = asyncio.new_event_loop(), Ends(), []
    close = loop.close
    loop.close = lambda: closed.append(True) or close()
    call_before_close(loop, ends.aclose)
    loop.close()
    assert (closed, ends.calls, loop.is_closed()) == ([True], [loop], True)


def test_a_loop_keeps_its_attributes():
    """One more would make all others slower to find."""
    loop, ends = asyncio.new_event_loop(), Ends()
    before = set(vars(loop))
    call_before_close(loop, ends.aclose)
    assert set(vars(loop)) == before
    loop.close()
    assert ends.calls == [loop]


def test_a_class_of_ones_own():
    class Own(asyncio.SelectorEventLoop):
        def close(self):
            closed.append(self)
            super().close()

    closed = []
    loop, ends = Own(), Ends()
    for _ in range(2):
        call_before_close(loop, ends.aclose)
    loop.close()
    assert (ends.calls, closed, loop.is_closed()) == ([loop, loop], [loop], True)


def test_a_loop_is_not_kept_alive():
    loop, ends = asyncio.new_event_loop(), Ends()
    call_before_close(loop, ends.aclose)
    gone = weakref.ref(loop)
    loop.close()
    gc.disable()
    try:
        del loop
        ends.calls.clear()
        assert gone() is None
    finally:
        gc.enable()


async def test_a_loop_that_is_closed_inside_of_another():
    loop, ends = asyncio.new_event_loop(), Ends()
    call_before_close(loop, ends.aclose)
    loop.close()
    assert loop.is_closed()
    assert ends.calls == []


async def test_a_loop_that_runs_cannot_be_closed():
    ends = Ends()
    call_before_close(asyncio.get_running_loop(), ends.aclose)
    with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
        asyncio.get_running_loop().close()


def test_what_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr("channels.layers.loops.FAREWELL", 0.05)

    class Endless:
        async def aclose(self):
            await asyncio.Event().wait()

    loop, endless = asyncio.new_event_loop(), Endless()
    call_before_close(loop, endless.aclose)
    loop.close()
    assert loop.is_closed()
