"""Topics that a client names as it connects."""

from __future__ import annotations

from typing import Any

from channels.topics.control import SubscribeClients, abroadcast
from tests.topics.raw_client import raw_client
from tests.topics.topics_for_tests import Room


async def test_a_client_that_connects_gets_what_it_wants_and_may_have(port: int) -> None:
    """As subscriptions of the server: in the reply, and where it was when it comes back."""
    wanted: dict[str, Any] = {"room:open": {}, "room:secret": {}, "nowhere": {}, "room:typed": {"type": 1}}
    async with raw_client(port) as client:
        result = await client.connect(subs=wanted)
        assert result["subs"].keys() == {"room:open"}
        assert (await client.ask(subscribe={"channel": "room:open"}))["error"]["code"] == 105
        await Room(name="open").apublish("live")
        assert (await client.next())["push"]["pub"]["data"] == "live"
    position = {"recover": True, "offset": 1, "epoch": result["subs"]["room:open"]["epoch"]}
    await Room(name="open").apublish("missed")
    async with raw_client(port) as client:
        found = (await client.connect(subs={"room:open": position}))["subs"]["room:open"]
        assert found["recovered"]
        assert [each["data"] for each in found["publications"]] == ["missed"]
        await Room(name="open").arecheck()
        assert "unsubscribe" in await client.ask(unsubscribe={"channel": "room:open"})


async def test_a_client_wants_no_more_than_it_may_have_at_a_time(port: int, options: dict[str, Any]) -> None:
    options["MAX_SUBSCRIPTIONS"] = 2
    async with raw_client(port) as client:
        await client.send(connect={"subs": {f"room:{number}": {} for number in range(3)}})
        assert await client.closed() == (3505, "channel limit")


async def test_what_is_recovered_in_the_reply_fits_the_queue(port: int, options: dict[str, Any]) -> None:
    """Else the client would be cut off as a slow one each time it comes back."""
    options["MAX_QUEUE_SIZE"] = 100_000
    names = ["room:a", "room:b", "room:c"]
    async with raw_client(port) as client:
        subs = (await client.connect(subs={name: {} for name in names}))["subs"]
    for name in names:
        for _ in range(6):
            await Room(name=name[-1]).apublish("x" * 9_000)
    positions = {name: {"recover": True, "epoch": subs[name]["epoch"]} for name in names}
    async with raw_client(port) as client:
        subs = (await client.connect(subs=positions))["subs"]
        assert sum(each.get("recovered", False) for each in subs.values()) == 1
        assert all(each["was_recovering"] for each in subs.values())


async def test_a_subscription_by_the_server_outlives_an_interruption(port: int) -> None:
    """The client asks for it as it comes back, and gets it if it may have it."""
    async with raw_client(port) as client:
        await client.connect()
        await abroadcast(SubscribeClients(topic="room:kept", user=""))
        pushed = (await client.next())["push"]["subscribe"]
    await Room(name="kept").apublish("missed")
    position = {"recover": True, "offset": pushed.get("offset", 0), "epoch": pushed["epoch"]}
    async with raw_client(port) as client:
        found = (await client.connect(subs={"room:kept": position}))["subs"]["room:kept"]
        assert [each["data"] for each in found["publications"]] == ["missed"]
