"""Three server processes over each layer that spans processes: what they say, and who says nothing."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from channels.diagnostics.recording import Recording
from channels.inspector.management.commands.realtime import Command
from channels.layers.manager import get_channel_layer
from channels.observability.doctor.local.process_steps import processes_step
from channels.observability.fleet import current, merging
from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.questions import (
    Ask,
    AskConnection,
    AskConnections,
    AskLog,
    AskLogNames,
    AskRecording,
    AskStatus,
    AskTopics,
    Close,
    DisconnectUser,
    DrainNode,
)
from channels.testing.replay import replay
from tests.inspector.project import Fleet, fleet, stopped
from tests.layers.redis.conftest import server  # noqa: F401  # a fixture

pytestmark = pytest.mark.timeout(150)
#: A name that is markup, turns the line around, and ends it.
HOSTILE = "<script>alert(1)</script>\u202e\nroot"


def ask(question: Ask, time_limit: float = 15.0) -> list[NodeAnswer]:
    """Ask all; a busy machine gets the time that it needs."""
    return current.ask(question, time_limit)


class Site(NamedTuple):
    fleet: Fleet
    layer: dict[str, Any]

    def url(self, number: int, path: str = "chat/lobby/", user: str = "") -> str:
        return f"ws://127.0.0.1:{self.fleet.ports[number]}/{path}?user={quote(user)}"


@pytest.fixture(scope="module", params=["host", "redis"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    layer: dict[str, Any] = {"BACKEND": "channels.layers.host.HostChannelLayer"}
    layer["CONFIG"] = {"path": "{folder}/host"}
    if request.param == "redis":
        address = request.getfixturevalue("server").address
        layer = {"BACKEND": "channels_redis.core.RedisChannelLayer"}
        layer["CONFIG"] = {"hosts": [address], "prefix": "fleet"}
    with fleet(layer) as found:
        own = json.loads(json.dumps(layer).replace("{folder}", str(found.folder)))
        with override_settings(CHANNEL_LAYERS={"default": own}):
            assert get_channel_layer() is not None
            wait_for_all(found, 3)
            yield Site(found, own)


def wait_for_all(found: Fleet, amount: int) -> None:
    """Wait until so many answer."""
    end = time.monotonic() + 40
    while (states := [each.state for each in ask(AskStatus())]).count("ok") < amount:
        assert time.monotonic() < end, states


def states_are(states: list[str], answers: list[NodeAnswer], pids: list[int]) -> list[NodeAnswer]:
    """Return the answers of some processes, in their order, if their states are these."""
    by_pid = {each.node.pid: each for each in answers}
    found = [by_pid[pid] for pid in pids if pid in by_pid]
    return found if [each.state for each in found] == states else []


def counts(answers: list[NodeAnswer], name: str) -> int:
    return sum(each.result.counts.get(name, 0) for each in answers if each.result is not None)


def totals(answers: list[NodeAnswer], name: str) -> int:
    return sum(each.result.totals.get(name, 0) for each in answers if each.result is not None)


def joined(stack: ExitStack, url: str) -> ClientConnection:
    """A client whose consumer has joined its group: it hears what it says."""
    client = stack.enter_context(connect(url))
    client.send("here")
    client.recv(20)
    return client


def test_all_connections_are_found_by_what_is_known_of_them_and_in_pages(site: Site) -> None:
    with ExitStack() as stack:
        for number, user in enumerate(["ada", HOSTILE, ""]):
            joined(stack, site.url(number, f"chat/room{number}/", user))
        everybody = merging.connections(ask(AskConnections()), 50)
        assert everybody.total == 3
        assert {row.user for row in everybody.rows} == {"ada", HOSTILE, ""}
        assert {row.handler for row in everybody.rows} == {"fleet_project.Chat"}
        for wanted in (
            AskConnections(user="ADA"),
            AskConnections(path="room0"),
            AskConnections(topic="room0"),
            AskConnections(text="ada", path="chat"),
        ):
            (row,) = merging.connections(ask(wanted), 50).rows
            assert (row.user, row.path, row.state, row.groups) == ("ada", "/chat/room0/", "open", 1)
        assert merging.connections(ask(AskConnections(address="127.0.0.1")), 50).total == 3
        assert merging.connections(ask(AskConnections(text="nowhere")), 50).total == 0
        ids, after = [], ""
        while not ids or after:
            page = merging.connections(ask(AskConnections(after=after, limit=1)), 1)
            ids += [row.id for row in page.rows]
            after = page.after
        assert ids == sorted(row.id for row in everybody.rows)
        details = [each.result for each in ask(AskConnection(ids[0])) if each.result is not None]
        assert [each.row.id for each in details] == [ids[0]]


def test_the_doctor_says_what_the_red_line_says(site: Site) -> None:
    wait_for_all(site.fleet, 3)
    step = processes_step()
    assert step.did == "asked all processes how they are, twice"
    with stopped(site.fleet.servers[2]):
        step = processes_step()
        assert "is stopped: somebody has sent SIGSTOP" in step.saw
        assert "kill -CONT" in step.remedy


def test_topics_and_groups_are_added_up(site: Site) -> None:
    with ExitStack() as stack:
        for number in (0, 1, 1):
            joined(stack, site.url(number))
        client = stack.enter_context(connect(site.url(2, "connection/websocket", "ada")))
        client.send('{"id": 1, "connect": {}}\n{"id": 2, "subscribe": {"channel": "room:<i>one"}}')
        while '"id":2' not in client.recv(20):
            pass
        (group,) = merging.topics(ask(AskTopics("group")), 50).rows
        assert (group.name, group.subscribers) == ("lobby", 3)
        topics = merging.topics(ask(AskTopics(text="ONE")), 50)
        assert [(row.name, row.subscribers) for row in topics.rows] == [("room:<i>one", 1)]
        (row,) = merging.connections(ask(AskConnections(topic="room:<i>")), 50).rows
        assert (row.handler, row.user, row.user_id, row.topics) == (
            "topics",
            "ada",
            "7",
            2,
        )  # with that of the user


def realtime(*args: str) -> str:
    out = io.StringIO()
    call_command(Command(), args[0], "--timeout", "15", *args[1:], stdout=out)
    return out.getvalue()


def messages_of(name: str, contents: bool = False) -> list[merging.LoggedMessage]:
    return merging.log(ask(AskLog(name, contents=contents)))


def steps_of(message: merging.LoggedMessage) -> set[tuple[int, str, int]]:
    return {(int(node.rpartition(":")[2]), step.stage, step.amount) for node, step in message.steps}


def until(condition: Callable[[], Any]) -> Any:
    """Ask until something is so; returns it."""
    end = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < end
    return found


def test_what_became_of_a_group_message_is_known_in_all_processes(site: Site) -> None:
    first, second, _ = (process.pid for process in site.fleet.servers)
    with ExitStack() as stack:
        clients = [joined(stack, site.url(number, "chat/tracked/")) for number in (0, 1, 1)]
        while clients[0].recv(20) != "here":
            pass
        clients[0].send("tracked message")
        expected = {(first, "published", 1), (first, "delivered", 1), (second, "delivered", 2)}

        def arrived() -> list[merging.LoggedMessage]:
            found = messages_of("tracked", contents=True)
            return [each for each in found if "tracked" in each.content and steps_of(each) >= expected]

        (message,) = until(arrived)
        (found,) = merging.log(ask(AskLog("", trace=message.trace)))
        assert (found.kind, found.name, steps_of(found) >= expected) == ("group", "tracked", True)
        assert "group tracked  " in realtime("trace", f"00-{message.trace}-{'1' * 16}-01")
        assert "Nothing was sent" in realtime("trace", "1" * 32)
        with pytest.raises(CommandError, match="is no trace"):
            realtime("trace", "tracked")
        assert {entry.key for _, entry in message.steps} == {message.key} != {""}
        assert messages_of("tracked")[0].content == ""  # hidden unless asked for
        assert ("group", "tracked") in merging.log_names(ask(AskLogNames("track")))
        assert "published (1)" in realtime("tail", "tracked", "--seconds", "0.1")


def topics_client(stack: ExitStack, url: str, *commands: dict[str, Any]) -> list[dict[str, Any]]:
    """Connect a client of topics, and return what its commands are answered."""
    client = stack.enter_context(connect(url))
    client.send(json.dumps({"id": 1, "connect": {}}))
    replies: list[dict[str, Any]] = []
    for number, command in enumerate(commands, 2):
        client.send(json.dumps({"id": number, **command}))
        while not any(each.get("id") == number for each in replies):
            replies += map(json.loads, str(client.recv(20)).splitlines())
    return [each for each in replies if each.get("id", 0) > 1]


def test_what_became_of_a_publication_is_known_in_all_processes(site: Site) -> None:
    first, second, third = (process.pid for process in site.fleet.servers)
    addresses = [site.url(number, "connection/websocket") for number in range(3)]
    subscribe: dict[str, Any] = {"channel": "room:way"}
    with ExitStack() as stack:
        (subscribed,) = topics_client(stack, addresses[2], {"subscribe": subscribe})
        odd = {"key": "odd", "cmp": "eq", "val": "1"}
        topics_client(stack, addresses[1], {"subscribe": {**subscribe, "tf": odd}})
        topics_client(stack, addresses[0], {"publish": {"channel": "room:way", "data": {"n": 1}}})
        expected = {(first, "published", 1), (third, "delivered", 1)}
        (message,) = until(
            lambda: [each for each in messages_of("room:way", True) if steps_of(each) >= expected]
        )
        assert message.content == '{"n":1}'
        until(lambda: (second, "filtered", 1) in steps_of(messages_of("room:way")[0]))
        assert {step.detail for _, step in message.steps if step.stage == "published"} == {"offset 1"}
        back = {**subscribe, "recover": True, "offset": 0, "epoch": subscribed["subscribe"]["epoch"]}
        topics_client(stack, addresses[1], {"subscribe": back})
        told = [step for each in messages_of("room:way") for _, step in each.steps]
        (acknowledged,) = (step for step in told if step.stage == "acknowledged")
        assert acknowledged.detail == "up to offset 0; what it has missed is sent"


def test_a_connection_is_recorded_with_personal_data_masked_and_replayed_elsewhere(site: Site) -> None:
    with ExitStack() as stack:
        client = joined(stack, site.url(1, "chat/recorded/"))
        (row,) = merging.connections(ask(AskConnections(topic="recorded")), 50).rows
        with override_settings(CHANNELS_INSPECTOR={}), pytest.raises(CommandError, match="CONTENTS"):
            realtime("record", "--connection", row.id)
        assert any(each.result for each in ask(AskRecording(row.id, 30)))
        for text in ('{"n": 1, "token": "abc"}', "write to ada@example.org"):
            client.send(text)
            assert client.recv(20) == text
        (text,) = (each.result.text for each in ask(AskRecording(row.id)) if each.result)
        recording = Recording.loads(text)
        assert (recording.name, recording.complete) == ("/chat/recorded/", True)
        assert [(each.direction, each.data) for each in recording.frames] == [
            ("in", '{"n": 1, "token": "***"}'),
            ("out", '{"n": 1, "token": "***"}'),
            ("in", "write to ***"),
            ("out", "write to ***"),
        ]
        replayed = asyncio.run(replay(recording, site.url(2, "").partition("/?")[0]))
        replayed.require_same()
        with override_settings(CHANNELS_INSPECTOR={"CONTENTS": True}):
            assert len(realtime("record", "--connection", row.id, "--seconds", "0").splitlines()) == 1
            with pytest.raises(CommandError, match="no such WebSocket"):
                realtime("record", "--connection", "nothing.1")


def test_a_topic_is_recorded(site: Site) -> None:
    address = site.url(0, "connection/websocket")
    with ExitStack() as stack:
        sent = [{"publish": {"channel": "room:taped", "data": {"n": n, "email": "a@b.de"}}} for n in (1, 2)]
        topics_client(stack, address, *sent)
        with override_settings(CHANNELS_INSPECTOR={"CONTENTS": True}):
            recording = Recording.loads(realtime("record", "--topic", "room:taped"))
    assert (recording.of, recording.name) == ("topic", "room:taped")
    assert [json.loads(each.data) for each in recording.frames] == [
        {"n": 1, "email": "***"},
        {"n": 2, "email": "***"},
    ]


def test_asking_does_not_count_itself(site: Site) -> None:
    before = ask(AskStatus())
    for _ in range(5):
        ask(AskTopics("group"))
    after = ask(AskStatus())
    for name in ("delivered", "accepted", "requests"):
        assert totals(after, name) == totals(before, name)
    assert counts(after, "groups") == counts(after, "channels") == 0


def test_a_user_is_disconnected_everywhere_and_a_connection_alone(site: Site) -> None:
    with ExitStack() as stack:
        ada, also_ada, bob = (
            joined(stack, site.url(number, f"chat/own{number}/", user))
            for number, user in enumerate(["ada", "ada", "bob"])
        )
        assert merging.amount(ask(DisconnectUser("ada", 4001, "enough"))) == 2
        for client in (ada, also_ada):
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4001
        (row,) = merging.connections(ask(AskConnections(user="bob")), 50).rows
        assert merging.amount(ask(Close("0" * 12 + ".0000000001", 4002, ""))) == 0
        assert merging.amount(ask(Close(row.id, 4002, "you"))) == 1
        with pytest.raises(ConnectionClosed):
            bob.recv(20)


def test_a_process_whose_event_loop_is_held_says_where(site: Site) -> None:
    with ExitStack() as stack:
        client = joined(stack, site.url(1))
        client.send("hold the loop")
        held = until(lambda: [each for each in ask(AskStatus()) if each.result and each.result.lag < 0])
        assert "fleet_project.py" in held[0].result.doing
        assert held[0].node.pid == site.fleet.servers[1].pid
        assert client.recv(20) == "hold the loop"


def test_a_process_that_says_nothing_is_named_and_holds_nobody_up(site: Site) -> None:
    pids = [process.pid for process in site.fleet.servers]
    with stopped(site.fleet.servers[2]):
        begun = time.monotonic()
        answers = until(lambda: states_are(["ok", "ok", "stopped"], ask(AskStatus(), 1.0), pids))
        page = merging.connections(ask(AskConnections(), 1.0), 50)
        assert pids[2] in [each.node.pid for each in page.missing]
        assert answers[2].silent > 0
    assert time.monotonic() - begun < 30.0  # two seconds, and what a machine with other work needs
    wait_for_all(site.fleet, 3)


def test_the_command_lists_and_acts_and_prints_hostile_names_on_one_line(site: Site) -> None:
    with ExitStack() as stack:
        client = joined(stack, site.url(0, user=HOSTILE))
        lines = realtime("status").splitlines()
        assert [line.split()[0] for line in lines] == [each.node.name for each in ask(AskStatus())]
        assert {each["state"] for each in json.loads(realtime("status", "--json"))} == {"ok"}
        line, count = realtime("connections", "--path", "lobby").splitlines()
        assert "user <script>alert(1)</script>\\u202e\\x0aroot" in line
        assert count == "1 of 1"
        assert realtime("topics", "--groups").split() == ["1", "lobby", "1", "of", "1"]
        assert json.loads(realtime("topics", "--json"))["rows"] == []
        (row,) = json.loads(realtime("connections", "--json"))["rows"]
        assert row["user"] == HOSTILE
        for wrong in (["disconnect"], ["disconnect", "--user", "ada", "--code", "1001"]):
            with pytest.raises(CommandError):
                realtime(*wrong)
        assert (
            realtime("disconnect", "--connection", row["id"], "--code", "4009") == "1 connections closed.\n"
        )
        with pytest.raises(ConnectionClosed):
            client.recv(20)


def test_the_command_says_why_it_sees_nobody() -> None:
    memory = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with override_settings(CHANNEL_LAYERS=memory), pytest.raises(CommandError, match="is in memory"):
        realtime("status")
    with override_settings(CHANNEL_LAYERS={}), pytest.raises(CommandError, match="No process answers"):
        realtime("status")


def test_a_process_is_drained_and_another_is_killed(site: Site) -> None:
    first, second, third = site.fleet.servers
    node = next(each.node.id for each in ask(AskStatus()) if each.node.pid == second.pid)
    assert merging.amount(ask(DrainNode("nobody"))) == 0
    assert merging.amount(ask(DrainNode(node))) == 1
    assert second.wait(30) == 0
    third.kill()
    third.wait()
    pids = [first.pid, third.pid]
    until(lambda: states_are(["ok", "ended"], ask(AskStatus(), 1.0), pids))
    assert second.pid not in [each.node.pid for each in ask(AskStatus(), 1.0)]  # it has said goodbye
