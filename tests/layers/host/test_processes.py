"""What several processes of a project see of each other; each is a real one."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys

import pytest

from channels.layers.host import HostChannelLayer
from channels.layers.host.engine import host_engine
from tests.layers.host.processes import ROOT, until
from tests.layers.host.test_chaos import carrier


async def only(process):
    """The messages that the process' only member got."""
    return [item for item in await everything(process) if item != "channel_layer.reconnected"]


async def everything(process):
    """The same with the notices of the layer."""
    (got,) = (await process("got")).values()
    return got


async def arrived(process, *expected):
    async def all_there():
        return len(await only(process)) >= len(expected)

    await until(all_there)
    assert await only(process) == list(expected)


async def test_two_processes_a_group_and_messages(start):
    one, two = await start(), await start()
    for process in (one, two):
        await process("members_of", ["g"], 1)
    await one("group_send", "g", 1, 2)
    await arrived(two, 1, 2)
    await two("group_send", "g", 3)
    await arrived(one, 1, 2, 3)
    await arrived(two, 1, 2, 3)


async def test_a_channel_can_be_sent_to_and_joined_from_another_process(start):
    one, two = await start(), await start()
    (name,) = await one("members_of", [], 1)
    await two("send", name, 1)
    await two("group_add", "g", name)
    await two("group_send", "g", 2)
    await two("group_discard", "g", name)
    await two("group_send", "g", 3)
    await two("send", name, 4)
    await arrived(one, 1, 2, 4)
    await one("end", name)


async def test_groups_of_a_process_that_has_gone_are_no_trouble(start):
    one, two = await start(), await start()
    (name,) = await one("members_of", ["g"], 1)
    assert await one.end() == ""
    await two("group_add", "g", name)
    await two("group_discard", "g", name)
    await two("send", name, 1)

    async def told():
        return (await two("statistics"))["dropped"]

    assert await until(told) == {"unreachable": 1}


async def test_named_channels_are_shared_and_each_message_has_one_taker(start):
    one, two, three = [await start() for _ in range(3)]
    waiting = [asyncio.ensure_future(process("receive", "work")) for process in (one, two)]
    await three("send", "work", 1, 2)
    assert sorted(await asyncio.gather(*waiting)) == [1, 2]


async def test_a_worker_that_dies_gives_back_what_it_has_not_acknowledged(start):
    one, two = await start(), await start()
    await one("send", "work", 1, 2, 3)
    assert await two("take", "work") == 1
    await two("acknowledge")
    assert await two("take", "work") == 2
    await two.kill()
    assert sorted([await one("receive", "work") for _ in range(2)]) == [2, 3]


async def test_named_messages_survive_the_broker_and_all_processes(start):
    one = await start()
    await one("send", "work", 1, 2)
    await one.kill()
    two = await start()
    assert await two("receive", "work") == 1
    assert await two.end() == ""
    three = await start()
    assert await three("receive", "work") == 2


async def test_what_a_living_worker_holds_is_not_given_out_by_the_next_broker(start):
    broker, worker = await start(), await start()
    await broker("send", "work", 1, 2)
    await carrier([broker])
    assert await worker("take", "work") == 1
    await broker.kill()
    await carrier([worker])
    other = await start()
    assert await other("receive", "work") == 2
    await worker("acknowledge")
    await worker("send", "work", 3)
    assert await other("receive", "work") == 3


async def test_a_full_named_channel_refuses_in_every_process(start):
    one, two = await start(capacity=2), await start(capacity=2)
    await one("send", "work", 1, 2)
    with pytest.raises(RuntimeError, match="ChannelFull: Channel 'work' holds its capacity of 2"):
        await two("send", "work", 3)
    assert (await two("statistics"))["dropped"] == {"capacity": 1}


async def test_a_named_channel_in_a_group_gets_the_groups_messages(start):
    one, two, three = [await start() for _ in range(3)]
    await one("group_add", "g", "work")
    await two("group_send", "g", 1)
    assert await three("receive", "work") == 1
    await two("group_discard", "g", "work")
    await two("group_send", "g", 2)
    await two("send", "work", 3)
    assert await three("receive", "work") == 3


async def test_a_named_member_is_announced_to_the_next_broker(start):
    broker, one = await start(), await start()
    await broker("members_of", [], 1)
    await carrier([broker])
    await one("group_add", "g", "work")
    await broker.kill()
    await carrier([one])
    await one("group_send", "g", 1)
    assert await one("receive", "work") == 1


async def test_two_projects_do_not_see_each_other(start, directory, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(directory.parent))
    one, two, same = [await start(path=None, project=name) for name in ("one", "two", "one")]
    for process in (one, two, same):
        await process("members_of", ["g"], 1)
    await one("group_send", "g", 1)
    await arrived(same, 1)
    await two("group_send", "g", 2)
    await arrived(two, 2)
    assert await only(one) == [1]


async def test_a_process_that_does_not_read_is_cut_off_and_its_losses_are_counted(start):
    config = {"capacity": 100_000, "max_backlog": 100_000}
    one = await start(**config)
    await one("members_of", ["g"], 1)
    two = await start(**config)
    await two("members_of", ["g"], 1)
    two.stop()
    await one("group_send", "g", *["x" * 10_000] * 200)
    two.resume()

    async def counted():
        lost = (await two("statistics"))["dropped"].get("cut_off", 0)
        return lost if lost + len(await only(two)) == 200 else 0

    assert await until(counted) > 0
    assert "channel_layer.reconnected" in await everything(two)
    await one("group_send", "g", "again")

    async def again():
        return (await only(two))[-1] == "again"

    await until(again)
    assert f"Process {two.process.pid} was cut off" in await one.end()


async def test_sync_code_and_forked_children(start):
    one, two = await start(), await start()
    await one("members_of", ["g"], 1)
    await two("members_of", ["g"], 1)
    await two("sync_group_send", "g", 1)
    assert await two("fork_and_send", "g", 2) == 0
    await two("sync_group_send", "g", 3)
    await arrived(one, 1, 2, 3)
    await arrived(two, 1, 2, 3)


async def test_a_forked_child_of_the_broker_does_not_keep_it(start):
    broker, one = await start(), await start()
    await broker("members_of", ["g"], 1)
    await carrier([broker])
    await one("members_of", ["g"], 1)
    assert await broker("fork_and_send", "g", 1) == 0
    await broker.kill()
    await carrier([one])
    await arrived(one, 1)


SCRIPT = """
import sys
from channels.layers.host import HostChannelLayer
from channels.layers.host.engine import host_engine
HostChannelLayer(path=sys.argv[1]).sync.group_send("g", {"type": "test.message", "n": "from a script"})
"""


async def test_a_script_that_ends_at_once_has_sent(start, directory):
    one = await start()
    await one("members_of", ["g"], 1)
    for _ in range(3):
        script = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "default", "-c", SCRIPT, str(directory), cwd=ROOT, stderr=subprocess.PIPE
        )
        assert await script.communicate() == (None, b"")
    await arrived(one, *["from a script"] * 3)


async def test_nothing_is_left_when_the_last_has_ended(start, directory):
    one, two = await start(), await start()
    for process in (one, two):
        await process("members_of", ["g"], 1)
    assert await one.end() == ""
    await two("group_send", "g", 1)
    await arrived(two, *(await only(two)))
    assert await two.end() == ""
    assert [path.name for path in directory.iterdir()] == ["lock"]


async def test_the_socket_of_a_killed_process_is_no_obstacle(start, directory):
    one = await start()
    await one("members_of", ["g"], 1)
    await one.kill()
    assert (directory / "broker.sock").exists()
    two = await start()
    await two("members_of", ["g"], 1)
    await two("group_send", "g", 1)
    await arrived(two, 1)


async def test_processes_meet_again_when_somebody_has_removed_their_directory(start, directory):
    one, two = await start(), await start()
    for process in (one, two):
        await process("members_of", ["g"], 1)
    shutil.rmtree(directory)

    async def met_again():
        return "channel_layer.reconnected" in await everything(one) + await everything(two)

    await until(met_again)
    three = await start()
    await three("group_send", "g", 1)
    await arrived(one, 1)
    await arrived(two, 1)


async def test_a_stopped_broker_is_an_error_that_says_so(start, directory):
    broker = await start()
    await broker("members_of", ["g"], 1)
    broker.stop()
    layer = HostChannelLayer(path=directory, timeout=0.2)
    with pytest.raises(ConnectionError, match="No broker of the host layer at"):
        await layer.new_channel()
    broker.resume()
    await until(lambda: asyncio.sleep(0.01, host_engine(layer).client.connected))
    broker.stop()
    pid = broker.process.pid
    with pytest.raises(ConnectionError, match=f"in process {pid}, has not answered for 0.2 seconds"):
        await layer.group_add("g", await layer.new_channel())
    broker.resume()
    await layer.aclose()
