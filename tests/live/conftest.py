"""A server of live queries over a database of its own, and clients that keep rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import connections

from channels.live.capture import watched
from channels.live.capture.statements import watch_statements
from channels.live.serving.node import serve_live_queries
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from tests.live.shop import models
from tests.live.shop import topics as topics  # the queries exist
from tests.support.databases import Database
from tests.topics.conftest import own_store  # noqa: F401  # a fixture
from tests.topics.raw_client import RawClient, raw_client

MODELS = (
    models.Customer,
    models.Tag,
    models.Order,
    models.Gift,
    models.Parcel,
)


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    """As the app does it; other tests get no notes of ours in their transactions."""
    serve_live_queries()
    watch_statements()
    watched._known.reset()
    watched.expect_queries()
    yield
    watched._known.reset()


def create_tables(using: str = "default") -> None:
    with connections[using].schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)


@pytest.fixture
def shop(sqlite: Database) -> Iterator[None]:
    """The shop's tables in a database that threads share."""
    with sqlite.as_default():
        create_tables()
        yield


@pytest.fixture
def port(shop: None) -> Iterator[int]:
    with ServerThread(ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})) as server:
        yield server.port


class LiveClient:
    """Keeps the rows of a live query as a browser does, strictly: each change must fit.

    Attributes:
        rows: by key, in order.
        seen: all publications but the first snapshot, as they came.
    """

    def __init__(self, client: RawClient, topic: str) -> None:
        self.raw, self.topic = client, topic
        self.rows: dict[Any, Any] = {}
        self.seen: list[dict[str, Any]] = []
        self.offset = 0

    async def subscribe(self, **request: Any) -> dict[str, Any]:
        reply = await self.raw.ask(subscribe={"channel": self.topic, **request})
        if "error" in reply:
            return reply["error"]
        result: dict[str, Any] = reply["subscribe"]
        for publication in result.get("publications", ()):
            self._take(publication)
        self.seen.clear()
        return result

    async def until(self, condition: Any) -> list[dict[str, Any]]:
        """Follow until the rows fulfil a condition; returns all changes of that time."""
        self.seen.clear()
        while not condition(self.rows):
            await self.step()
        return [change for each in self.seen for change in each.get("changes", [each])]

    async def step(self) -> dict[str, Any]:
        reply = await self.raw.next()
        publication = reply["push"]["pub"]
        self._take(publication)
        return publication["data"]

    def _take(self, publication: dict[str, Any]) -> None:
        assert not self.offset or publication["offset"] > self.offset or "snapshot" in publication["data"]
        self.offset = publication["offset"]
        data = publication["data"]
        self.seen.append(data)
        if "snapshot" in data:
            self.rows = {each["key"]: each["row"] for each in data["snapshot"]}
        for change in data.get("changes", ()):
            self._apply(**change)

    def _apply(self, op: str, key: Any, row: Any = None, **place: Any) -> None:
        assert (key in self.rows) is (op != "insert"), (op, key)
        if op == "delete":
            del self.rows[key]
        elif not place:
            assert self.rows.get(key) != row
            self.rows[key] = row
        else:
            self.rows.pop(key, None)
            keys = list(self.rows)
            at = 0 if place["after"] is None else keys.index(place["after"]) + 1
            keys.insert(at, key)
            self.rows = {each: self.rows.get(each, row) for each in keys}


@asynccontextmanager
async def live_client(port: int, topic: str, **options: Any) -> AsyncIterator[LiveClient]:
    """A client that is connected, and not subscribed yet."""
    async with raw_client(port, **options) as raw:
        await raw.connect()
        yield LiveClient(raw, topic)


@asynccontextmanager
async def subscribed(port: int, topic: str, **options: Any) -> AsyncIterator[LiveClient]:
    """A client that has the rows."""
    async with live_client(port, topic, **options) as client:
        result = await client.subscribe()
        assert result.get("recovered"), result
        yield client
