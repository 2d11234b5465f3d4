"""What is measured: one row of the summary each, with everybody who takes part in it."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .contenders import (
    AMQTT,
    BARE,
    C_LOOP,
    MOSQUITTO,
    NODE_WS,
    PICOWS,
    SOCKET_IO_AIOHTTP,
    SOCKETIFY,
    Contender,
    bare,
    chanx,
    fairway,
    fairway_mqtt,
    fairway_with_inspector,
    fairway_with_metrics,
    original,
    socket_io,
    wsgi,
)
from .load import (
    CHANX_GROUP,
    CHANX_TOPIC,
    SOCKET_IO,
    TOPICS,
    Beside,
    Burst,
    Http2,
    Idle,
    Load,
    RoundTrip,
    Throughput,
    Told,
    ToldBeside,
)
from .mqtt.load import MQTTIdle, MQTTThroughput

CHAT = "/ws/chat/bench/"
BROADCAST = "/ws/broadcast/bench/"
#: Fifty thousand, or as many sockets as one process may have here, some kept back for itself.
BIG_ROOM = min(50_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1_500)
Layer = Literal["memory", "redis", "pubsub", "host"]
Store = Literal["layer", "sqlite", "postgresql"]
_KEPT: dict[str, Store] = {"SQLite": "sqlite", "PostgreSQL": "postgresql"}


@dataclass(frozen=True)
class Entry:
    """One contender in one row.

    Attributes:
        contender: who.
        path: what is asked for; it decides which consumer answers.
        name: as the tables call it; the contender's own by default.
        layer: which channel layer the site has.
        processes: how many of them, each on a port of its own, all on one core.
        store: what keeps the topic that is published to in transactions: the store beside the layer, or a
            database.
        quick: whether it takes part in a quick run.
    """

    contender: Contender
    path: str
    name: str = ""
    layer: Layer = "memory"
    processes: int = 1
    quick: bool = True
    store: Store = "layer"

    @property
    def title(self) -> str:
        return self.name or self.contender.name


@dataclass(frozen=True)
class Row:
    """A line of the summary: what is done to whom, and how often at most where one turn takes long.

    A title may say ``{sockets}``: those of the big room in this run.
    """

    id: str
    title: str
    unit: str
    load: Load
    entries: tuple[Entry, ...]
    better: Literal["higher", "lower"] = "higher"
    most_rounds: int = 9


def _originals(path: str, *servers: str, quick: Iterable[str] = ("uvicorn", "granian")) -> tuple[Entry, ...]:
    return tuple(Entry(original(server), path, quick=server in quick) for server in servers)


def _others(path: str, *contenders: Contender) -> tuple[Entry, ...]:
    return tuple(Entry(contender, path, quick=contender in (SOCKETIFY, C_LOOP)) for contender in contenders)


def _between(path: str, contender: Contender, layer: Layer, name: str, quick: bool = True) -> Entry:
    return Entry(contender, path, name, layer, 2, quick)


def _broadcast(window: int) -> Row:
    return Row(
        f"broadcast-{window}",
        f"A room of 200 by `websocket.send`, {window} in flight",
        "deliveries/s",
        Throughput("fanout", window=window),
        (
            Entry(fairway(), BROADCAST),
            *(
                replace(entry, name=f"guide's handler, {entry.contender.needs}")
                for entry in _originals(CHAT, "daphne", "uvicorn", "granian", quick=["granian"])
            ),
            *_others("/ws/room/", bare("uvicorn"), NODE_WS, PICOWS, SOCKETIFY, C_LOOP),
        ),
    )


def _topic(window: int) -> Row:
    return Row(
        f"topic-{window}",
        f"A topic with history, 200 subscribers, {window} in flight",
        "deliveries/s",
        Throughput("fanout", window=window, topics=("room:bench",)),
        (
            Entry(fairway(), TOPICS, "Fairway, a topic"),
            Entry(fairway(), BROADCAST, "Fairway, a room"),
            *_originals(CHAT, "uvicorn", "granian", quick=["granian"]),
            *(_topic_peers() if window == 4 else ()),
        ),
    )


def _topic_peers() -> tuple[Entry, ...]:
    """What other Python has for the same work, in one process and without history."""
    return (
        Entry(socket_io("uvicorn"), SOCKET_IO),
        Entry(socket_io("granian"), SOCKET_IO, quick=False),
        Entry(SOCKET_IO_AIOHTTP, SOCKET_IO, quick=False),
        Entry(chanx("topic", "uvicorn"), CHANX_TOPIC),
        Entry(chanx("group", "granian"), CHANX_GROUP, quick=False),
    )


def _journal(window: int) -> Row:
    """Each publication is made in a transaction of its own."""
    return Row(
        f"journal-{window}",
        f"A topic in a database, 200 sockets, {window} in flight",
        "deliveries/s",
        Throughput("fanout", window=window, topics=("journal:bench",)),
        (
            Entry(fairway(), TOPICS, "Fairway, memory, on commit"),
            *(Entry(fairway(), TOPICS, f"Fairway, in {name}", store=store) for name, store in _KEPT.items()),
        ),
    )


def _commits_row() -> Row:
    """A request is fifty commits of one row each."""
    return Row(
        "commits",
        "Fifty commits that publish, or do not",
        "requests/s",
        Throughput("get", connections=1),
        tuple(
            Entry(fairway(), path, f"Fairway {what} {name}", store=store)
            for name, store in _KEPT.items()
            for path, what in (("/commits/", "commit"), ("/commits/publish/", "publish"))
        ),
    )


def _commit_to_browser_row() -> Row:
    """One subscriber, who says the next when the last has arrived: from its request to the delivery."""
    return Row(
        "commit-to-browser",
        "A commit to one browser",
        "ms",
        RoundTrip("fanout", connections=1, topics=("journal:bench",)),
        tuple(Entry(fairway(), TOPICS, f"Fairway, in {name}", store=store) for name, store in _KEPT.items()),
        better="lower",
    )


def _topic_redis_row() -> Row:
    return Row(
        "topic-redis",
        "The topic between two processes over Redis",
        "deliveries/s",
        Throughput("fanout", window=4, topics=("room:bench",)),
        (
            _between(TOPICS, fairway(), "redis", "Fairway, a topic"),
            _between(TOPICS, fairway(), "host", "Fairway, a topic, host"),
            _between(BROADCAST, fairway(), "redis", "Fairway, a room"),
            _between(CHAT, original("uvicorn"), "pubsub", "channels on uvicorn, pubsub"),
            *_topic_redis_peers(),
        ),
    )


def _topic_redis_peers() -> tuple[Entry, ...]:
    """The same between two processes; and by one alone that goes through Redis all the same."""
    uvicorn, granian = socket_io("uvicorn"), socket_io("granian")
    return (
        _between(SOCKET_IO, uvicorn, "redis", "python-socketio on uvicorn"),
        _between(SOCKET_IO, granian, "redis", "python-socketio on granian", quick=False),
        _between(SOCKET_IO, SOCKET_IO_AIOHTTP, "redis", "python-socketio on aiohttp", quick=False),
        _between(CHANX_TOPIC, chanx("topic", "uvicorn"), "pubsub", "chanx topic on uvicorn"),
        Entry(uvicorn, SOCKET_IO, "python-socketio, 1 process", "redis", quick=False),
        Entry(fairway(), TOPICS, "Fairway, 1 process", "redis", quick=False),
    )


def _recover_row() -> Row:
    return Row(
        "recover",
        "Clients that recover ten missed messages",
        "connects/s",
        Throughput("storm", window=32, topics=("missed:ten",)),
        (
            Entry(fairway(), TOPICS, "Fairway, a topic"),
            Entry(fairway(), "/ws/echo/", "Fairway, a plain connect"),
        ),
    )


def _subscriptions_row() -> Row:
    return Row(
        "subscriptions",
        "Memory of an idle client with three subscriptions",
        "kB",
        Idle(topics=("room:a", "room:b", "room:c")),
        (Entry(fairway(), TOPICS, "Fairway, a topic"),),
        "lower",
    )


def _delta_row() -> Row:
    return Row(
        "delta",
        "The delta of a 4 kB document, per publication",
        "µs",
        Told(),
        (
            Entry(fairway(), "/delta/text/", "Fairway, JSON"),
            Entry(fairway(), "/delta/bytes/", "Fairway, Protobuf"),
        ),
        "lower",
    )


def _live_row() -> Row:
    return Row(
        "live",
        "A changed row of 1,000, 200 subscribers",
        "µs",
        ToldBeside(("lines",), "/live/", {TOPICS: "/live/query/", BROADCAST: "/live/group/"}),
        (
            Entry(fairway(), TOPICS, "Fairway, a live query"),
            Entry(fairway(), BROADCAST, "Fairway, a group message"),
        ),
        "lower",
    )


def _redis_row() -> Row:
    uvicorn, granian = original("uvicorn"), original("granian")
    return Row(
        "redis",
        "The chat between two processes over Redis",
        "deliveries/s",
        Throughput("fanout", window=4),
        (
            _between(CHAT, fairway(), "redis", "Fairway, core layer"),
            _between(CHAT, fairway(), "pubsub", "Fairway, pubsub layer", quick=False),
            _between(CHAT, uvicorn, "redis", "channels on uvicorn, core", quick=False),
            _between(CHAT, uvicorn, "pubsub", "channels on uvicorn, pubsub"),
            _between(CHAT, granian, "pubsub", "channels on granian, pubsub", quick=False),
        ),
    )


def _processes_row() -> Row:
    originals = (_between(CHAT, original("uvicorn"), "pubsub", "channels on uvicorn, pubsub"),)
    return Row(
        "processes",
        "The `websocket.send` room between two processes",
        "deliveries/s",
        Throughput("fanout", window=4),
        (
            _between(BROADCAST, fairway(), "host", "Fairway, host layer"),
            _between(BROADCAST, fairway(), "redis", "Fairway, Redis core layer"),
            _between(BROADCAST, fairway(), "pubsub", "Fairway, Redis pubsub layer", quick=False),
            _between(CHAT, fairway(), "host", "Fairway, host, guide's chat", quick=False),
            *originals,
        ),
    )


def _page_row() -> Row:
    return Row(
        "page",
        "A sync Django page",
        "requests/s",
        Throughput("get", connections=32),
        (
            Entry(fairway(), "/page/"),
            *(
                replace(entry, name=f"Django's ASGI on {entry.contender.needs}")
                for entry in _originals(
                    "/page/", "daphne", "uvicorn", "granian", "hypercorn", quick=["uvicorn"]
                )
            ),
            Entry(wsgi("gunicorn"), "/page/", quick=False),
            Entry(wsgi("gunicorn, threads"), "/page/"),
            Entry(wsgi("granian"), "/page/"),
        ),
    )


def _mqtt_entries(topic: str, *ours: Entry) -> tuple[Entry, ...]:
    """Brokers, with topics of ours that keep nothing, or a history."""
    return (*ours, *(Entry(broker, topic) for broker in (MOSQUITTO, AMQTT)))


def _mqtt_fanout(window: int) -> Row:
    return Row(
        f"mqtt-fanout-{window}",
        f"MQTT QoS 0 to 200 subscribers, {window} in flight",
        "deliveries/s",
        MQTTThroughput("fanout", 200, window),
        _mqtt_entries(
            "plain/room",
            Entry(fairway_mqtt(), "plain/room"),
            Entry(fairway_mqtt(), "kept/room", "Fairway, with history"),
        ),
    )


def _mqtt_publish(clients: int, window: int) -> Row:
    return Row(
        f"mqtt-publish-{clients}",
        f"MQTT QoS 1, {clients} publisher{'s' if clients > 1 else ''}, {window} in flight each",
        "acknowledged/s",
        MQTTThroughput("publish", clients, window),
        _mqtt_entries(
            "kept",
            Entry(fairway_mqtt(), "plain"),
            Entry(fairway_mqtt(), "kept", "Fairway, with history"),
        ),
    )


def _mqtt_rows() -> tuple[Row, ...]:
    return (
        *(_mqtt_fanout(window) for window in (1, 4, 16)),
        _mqtt_publish(1, 16),
        _mqtt_publish(50, 8),
        Row(
            "mqtt-memory",
            "Memory per idle MQTT device with one subscription",
            "kB",
            MQTTIdle(),
            _mqtt_entries("kept", Entry(fairway_mqtt(), "kept")),
            "lower",
            most_rounds=2,
        ),
    )


def _bare_entries(path: str, *servers: str) -> tuple[Entry, ...]:
    """Bare ASGI: daphne is the original, the rest are others."""
    families = {"daphne": "original"}
    return (
        Entry(fairway(app=BARE), path),
        *(Entry(bare(name, "original" if name in families else "other"), path) for name in servers),
    )


ROWS: tuple[Row, ...] = (
    Row(
        "chat",
        "The guide's chat, room of 200",
        "deliveries/s",
        Throughput("fanout", window=4),
        (
            Entry(fairway(), CHAT),
            Entry(fairway_with_inspector(), CHAT),
            *_originals(CHAT, "daphne", "uvicorn", "granian", "hypercorn"),
            *_others("/ws/room/", bare("uvicorn"), NODE_WS, PICOWS, SOCKETIFY, C_LOOP),
        ),
    ),
    *(_broadcast(window) for window in (1, 4, 16)),
    _redis_row(),
    _processes_row(),
    *(_topic(window) for window in (1, 4)),
    *(_journal(window) for window in (1, 4)),
    _commits_row(),
    _commit_to_browser_row(),
    _topic_redis_row(),
    _recover_row(),
    _subscriptions_row(),
    _delta_row(),
    _live_row(),
    Row(
        "echo",
        "Async echo consumer",
        "messages/s",
        Throughput("echo"),
        (
            Entry(fairway(), "/ws/echo/"),
            Entry(fairway_with_metrics(), "/ws/echo/"),
            *_originals("/ws/echo/", "daphne", "uvicorn", "granian", "hypercorn"),
            *_others("/ws/echo/", bare("uvicorn"), bare("granian"), NODE_WS, PICOWS, SOCKETIFY, C_LOOP),
        ),
    ),
    Row(
        "sync-echo",
        "Sync echo consumer",
        "messages/s",
        Throughput("echo"),
        (
            Entry(fairway(), "/ws/sync-echo/"),
            *_originals("/ws/sync-echo/", "daphne", "uvicorn", "granian", quick=["uvicorn"]),
        ),
    ),
    Row(
        "memory",
        "Memory per idle chat socket",
        "kB",
        Idle(),
        (
            Entry(fairway(), CHAT),
            *_originals(CHAT, "daphne", "uvicorn", "granian", quick=["uvicorn"]),
            *_others("/ws/room/", bare("uvicorn"), NODE_WS),
        ),
        "lower",
        most_rounds=2,
    ),
    Row(
        "connects",
        "Connects of visitors through AuthMiddlewareStack",
        "connects/s",
        Throughput("storm", window=64),
        (
            Entry(fairway(), CHAT),
            *_originals(CHAT, "daphne", "uvicorn", "granian", quick=["uvicorn"]),
            *_others("/ws/room/", bare("uvicorn"), NODE_WS),
        ),
    ),
    Row(
        "connects-user",
        "Connects of signed-in users, looked up",
        "connects/s",
        Throughput("storm", window=64, signed_in=True),
        (
            Entry(fairway(), "/ws/greeting/"),
            *_originals("/ws/greeting/", "daphne", "uvicorn", "granian", quick=["uvicorn"]),
        ),
    ),
    _page_row(),
    Row(
        "bare",
        "A bare ASGI page",
        "requests/s",
        Throughput("get", connections=32),
        _bare_entries("/", "daphne", "hypercorn", "uvicorn", "granian"),
    ),
    Row(
        "http2",
        "A bare ASGI page over HTTP/2",
        "requests/s",
        Http2(),
        _bare_entries("/", "hypercorn", "granian"),
    ),
    Row(
        "beside",
        "An echo while a sync consumer sleeps 2 s",
        "ms",
        Beside("/ws/sleep/"),
        (Entry(fairway(), "/ws/echo/"), *_originals("/ws/echo/", "daphne", "uvicorn", quick=["uvicorn"])),
        "lower",
    ),
    Row(
        "big-room",
        "One message to a room of {sockets:,}",
        "ms to the last byte",
        Burst(BIG_ROOM, "/ws/echo/"),
        (
            Entry(fairway(), BROADCAST),
            *_originals(CHAT, "uvicorn", quick=["uvicorn"]),
            *_others("/ws/room/", bare("uvicorn"), SOCKETIFY, C_LOOP),
        ),
        "lower",
        most_rounds=2,
    ),
    *_mqtt_rows(),
)


#: What the plot on the first page shows.
OVERVIEW = ("chat", "broadcast-4", "broadcast-16", "redis", "echo", "memory", "connects", "page")


def with_checkouts(rows: Iterable[Row], checkouts: dict[str, Path]) -> tuple[Row, ...]:
    """The rows with other checkouts of ours beside this one: before and after in one run."""
    return tuple(replace(row, entries=tuple(_with(row.entries, checkouts))) for row in rows)


def _with(entries: Iterable[Entry], checkouts: dict[str, Path]) -> Iterable[Entry]:
    for entry in entries:
        yield entry
        if entry.contender.family == "ours":
            for name, checkout in checkouts.items():
                contender = replace(entry.contender, checkout=checkout)
                yield replace(entry, contender=contender, name=f"{entry.title} [{name}]")
