"""What the users of each example do, and how long it takes until others see it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from benchmarks.examples.sockets import Socket, connect, request

TOPICS = "/connection/websocket"


@dataclass
class Site:
    """The example that is served.

    Attributes:
        port: of its server.
        devices_port: of its endpoint for devices, if it has one.
        cookies: of sessions, one for each user.
        users: the primary keys of the same.
        found: what else was prepared, by name.
    """

    port: int
    devices_port: int
    cookies: list[str]
    users: list[int]
    found: dict[str, list[Any]]


@dataclass
class Measured:
    """What was seen meanwhile.

    Attributes:
        latencies: seconds, of each delivery.
        lost: connections that ended.
        failed: commands that the server refused.
    """

    latencies: list[float] = field(default_factory=list)
    lost: int = 0
    failed: int = 0

    def note(self, begun: float) -> None:
        """Note a delivery of what began then, by ``time.monotonic()``."""
        self.latencies.append(time.monotonic() - begun)


class Users:
    """Users of an example; subclasses say what they do.

    Args:
        site: the example.
        measured: gets what is seen.

    Attributes:
        prepare: Python code for the example's shell that makes what they need; it has ``users``.
        beside: commands of its ``manage.py`` that run beside the server.
        devices_app: of a second endpoint, over TCP.
        does: what a user does, for people.
        interval: seconds between two things that a user does; 0: they only look.
    """

    prepare: ClassVar[str] = ""
    beside: ClassVar[tuple[tuple[str, ...], ...]] = ()
    devices_app: ClassVar[str] = ""
    does: ClassVar[str] = ""
    interval: ClassVar[float] = 0.0

    def __init__(self, site: Site, measured: Measured) -> None:
        self.site, self.measured = site, measured
        self.sockets: dict[int, Socket] = {}
        self.ids = itertools.count(10)

    async def add(self, number: int) -> None:
        """Connect the user with this number, counted from 0."""
        raise NotImplementedError

    async def act(self, number: int) -> None:
        """Do what a user does now and then."""

    async def subscribed(self, number: int, *topics: str) -> Socket:
        """Return a client of topics that has subscribed to some."""
        socket = await connect(self.site.port, TOPICS, self.site.cookies[number], self.receive)
        # A reply to the ping of the protocol is an empty command.
        socket.receive = lambda frame: socket.send("{}") if frame == b"{}" else self.receive(frame)
        socket.send('{"id":1,"connect":{}}')
        for topic in topics:
            socket.send(json.dumps({"id": next(self.ids), "subscribe": {"channel": topic}}))
        self.sockets[number] = socket
        return socket

    def call(self, number: int, method: str, data: Any) -> None:
        """Call a method of a topic."""
        self.sockets[number].send(json.dumps({"id": next(self.ids), "rpc": {"method": method, "data": data}}))

    def receive(self, frame: bytes) -> None:
        """Take what a socket has got: lines of JSON."""
        for line in frame.splitlines():
            if b'"pub"' in line:
                self.published(json.loads(line)["push"]["pub"])
            elif b'"error"' in line:
                self.measured.failed += 1

    def published(self, publication: dict[str, Any]) -> None:
        """Take a publication."""

    def lost(self) -> int:
        """Return how many connections have ended."""
        return sum(not socket.open for socket in self.sockets.values())

    def close(self) -> None:
        """End all of them."""
        for socket in self.sockets.values():
            socket.close()


class ChatUsers(Users):
    """Twenty people in each room; what one says, twenty read."""

    room: ClassVar[int] = 20
    interval = 10.0
    does = "rooms of 20; each user says a line every 10 s: from the call to each reader"
    prepare = """
from rooms.models import Room
Room.objects.bulk_create([Room(slug=f"load{number}") for number in range(len(users))], ignore_conflicts=True)
"""

    async def add(self, number: int) -> None:
        """Enter a room."""
        await self.subscribed(number, f"room:load{number // self.room}")

    async def act(self, number: int) -> None:
        """Say the time."""
        self.call(number, f"room:load{number // self.room}/say", {"text": f"{time.monotonic()}"})

    def published(self, publication: dict[str, Any]) -> None:
        """Read the time."""
        with contextlib.suppress(ValueError, KeyError):
            self.measured.note(float(publication["data"]["text"]))


class TickerUsers(Users):
    """Pages that look at twenty of 2,000 instruments, in which 5,000 prices a second come in."""

    does = (
        "5,000 prices a second come in; each page looks at 20 of 2,000 instruments: from the feed to the page"
    )
    beside = (("feed",),)
    prepare = """
from market.models import Instrument
found["symbols"] = list(Instrument.objects.values_list("symbol", flat=True))
"""

    async def add(self, number: int) -> None:
        """Look at some."""
        seen = random.Random(number).sample(self.site.found["symbols"], 20)
        await self.subscribed(number, *(f"quote:{symbol}" for symbol in seen))

    def published(self, publication: dict[str, Any]) -> None:
        """Take a price: the clock of this machine says how old it is."""
        self.measured.latencies.append(max(0.0, time.time() - publication["data"]["at"] / 1000))


class GameUsers(Users):
    """Matches of eight players, 20 snapshots a second; each player turns five times a second."""

    match: ClassVar[int] = 8
    interval = 0.2
    beside = (("runworker", "arena"),)
    does = (
        "matches of 8 players, 20 snapshots a second, each player turns 5 times a second: how much "
        "later than 50 ms after the one before a snapshot comes"
    )
    #: Seconds between two snapshots.
    tick: ClassVar[float] = 0.05

    def __init__(self, site: Site, measured: Measured) -> None:
        super().__init__(site, measured)
        self.matches: dict[int, str] = {}
        self.beginning = asyncio.Lock()
        self.counts = itertools.count(1)

    async def add(self, number: int) -> None:
        """Join a match; the first of eight begins it."""
        group = number // self.match
        async with self.beginning:
            if group not in self.matches:
                self.matches[group] = await self.begin(number)
        topic = f"match:{self.matches[group]}"
        socket = await self.subscribed(number, topic)
        last = [0.0]

        def receive(frame: bytes) -> None:
            if frame == b"{}":
                socket.send("{}")
            elif b'"pub"' in frame:
                now = time.monotonic()
                if last[0]:
                    self.measured.latencies.append(max(0.0, now - last[0] - self.tick))
                last[0] = now
            elif b'"error"' in frame:
                self.measured.failed += 1

        socket.receive = receive
        self.call(number, f"{topic}/join", {})

    async def begin(self, number: int) -> str:
        """Begin a match, as the lobby's form does; returns its number."""
        answer = await request(
            self.site.port, posted("/", self.site.cookies[number]), "csrfmiddlewaretoken=" + TOKEN
        )
        found = answer.partition("/match/")[2].partition("/")[0]
        if not found:
            raise ConnectionError(f"There is no match: {answer[:200]}")
        return found

    async def act(self, number: int) -> None:
        """Turn."""
        topic = f"match:{self.matches[number // self.match]}"
        dx, dy = random.choice([(0, 1), (1, 0), (0, -1), (-1, 0)])
        self.call(number, f"{topic}/steer", {"seq": next(self.counts) % 65536, "dx": dx, "dy": dy})


class NotificationUsers(Users):
    """Pages that read an event stream of HTML; each user orders something every ten seconds."""

    interval = 10.0
    does = "an event stream each; each user orders something every 10 s: from the request to the HTML"

    def __init__(self, site: Site, measured: Measured) -> None:
        super().__init__(site, measured)
        self.ordered: dict[int, float] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.ended = 0

    async def add(self, number: int) -> None:
        """Open the stream of one's own orders."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.port)
        writer.write(
            f"GET /sse/?topic=orders:{self.site.users[number]} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self.site.port}\r\nAccept: text/event-stream\r\n"
            f"Cookie: sessionid={self.site.cookies[number]}\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ConnectionError(head.decode("ascii", "replace"))
        self.tasks.append(asyncio.create_task(self.read(number, reader, writer)))

    async def read(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note when the HTML of what was ordered comes."""
        try:
            while data := await reader.read(65536):
                if b"order" in data and (begun := self.ordered.pop(number, None)) is not None:
                    self.measured.note(begun)
        finally:
            self.ended += 1
            writer.close()

    async def act(self, number: int) -> None:
        """Order something, as htmx does."""
        self.ordered[number] = time.monotonic()
        head = posted("/buy/", self.site.cookies[number]) + "\r\nHX-Request: true"
        answer = await request(self.site.port, head, "csrfmiddlewaretoken=" + TOKEN)
        if " 204 " not in answer.partition("\r\n")[0]:
            self.measured.failed += 1

    def lost(self) -> int:
        """Return how many streams have ended."""
        return self.ended

    def close(self) -> None:
        """End all of them."""
        for task in self.tasks:
            task.cancel()


class EditorUsers(Users):
    """Four people in each document; each changes it every two seconds."""

    document: ClassVar[int] = 4
    interval = 2.0
    does = "documents of 4 writers; each types every 2 s: from the key to the others, through the database"
    prepare = """
from documents.models import Document
from django.contrib.auth import get_user_model
documents = Document.objects.bulk_create([
    Document(title=f"load {number}", owner_id=users[number * 4]) for number in range(len(users) // 4)
])
found["documents"] = [document.pk for document in documents]
Through = Document.writers.through
Through.objects.bulk_create([
    Through(document_id=document.pk, user_id=user)
    for number, document in enumerate(documents)
    for user in users[number * 4 + 1 : number * 4 + 4]
])
"""

    def __init__(self, site: Site, measured: Measured) -> None:
        super().__init__(site, measured)
        self.typed: dict[bytes, float] = {}
        self.texts: dict[int, Any] = {}

    async def add(self, number: int) -> None:
        """Open a document."""
        from pycrdt import Doc, Text

        doc: Any = Doc()
        doc["text"] = Text()
        self.texts[number] = doc
        path = f"/ws/documents/{self.site.found['documents'][number // self.document]}"
        self.sockets[number] = await connect(self.site.port, path, self.site.cookies[number], self.receive)

    async def act(self, number: int) -> None:
        """Type a letter."""
        doc = self.texts[number]
        before = doc.get_state()
        doc["text"] += "x"
        message = update_message(doc.get_update(before))
        self.typed[message] = time.monotonic()
        self.sockets[number].send_bytes(message)

    def receive(self, frame: bytes) -> None:
        """Note when a change comes."""
        if (begun := self.typed.get(frame)) is not None:
            self.measured.note(begun)


def update_message(update: bytes) -> bytes:
    """Return an update of less than 16 kB as a message of the y-protocols: sync, update, length, bytes."""
    size = len(update)
    length = bytes([size]) if size < 128 else bytes([128 | (size & 127), size >> 7])
    return b"\0\2" + length + update


#: Of the forms: what the cookie and the field have to say alike.
TOKEN = "x" * 32


def posted(path: str, cookie: str) -> str:
    """Return the head of a form that a page posts."""
    return (
        f"POST {path} HTTP/1.1\r\nCookie: sessionid={cookie}; csrftoken={TOKEN}\r\n"
        "Content-Type: application/x-www-form-urlencoded"
    )
