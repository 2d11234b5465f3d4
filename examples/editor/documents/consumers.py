"""The server's side of y-websocket.

An update is written to the database before anybody hears of it, and sent to the group, its sender included:
a client that is alone would take silence for a lost connection. Who comes asks for what it lacks, and is
asked for what the server lacks; so a restart of the server, and a client that was offline, lose nothing.
"""

from __future__ import annotations

from typing import Any

from pycrdt import get_state

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from documents import people, protocol
from documents.models import EMPTY, Document

# y-websocket does not come back after codes from 4400 to 4499: these are for what will not change.
FORBIDDEN, MALFORMED = 4403, 4400
# One connection speaks for so many: for the other tabs of its user as well.
MOST_CLIENTS = 100


class DocumentConsumer(AsyncWebsocketConsumer):
    """One open editor."""

    async def connect(self) -> None:
        self.group = None
        self.clocks: dict[int, int] = {}  # of the clients that this connection speaks for
        user = self.scope["user"]
        self.document = await Document.objects.filter(pk=self.scope["url_route"]["kwargs"]["pk"]).afirst()
        await self.accept()
        if self.document is None or not user.is_authenticated:
            await self.close(FORBIDDEN)
            return
        self.shown = people.shown_as(user.get_username())
        self.group = f"document-{self.document.pk}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.document_writers({})
        content = await database_sync_to_async(self.document.content)()
        await self.send(bytes_data=protocol.sync(protocol.STEP_1, get_state(content)))
        await self.tell_all(protocol.query_awareness())

    async def disconnect(self, code: int) -> None:
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)
            if self.clocks:
                await self.tell_all(protocol.left(self.clocks))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.group is None:
            return
        try:
            await self.take(protocol.Reader(bytes_data or b""))
        except (protocol.Malformed, ValueError):
            await self.close(MALFORMED)

    async def take(self, reader: protocol.Reader) -> None:
        kind = reader.number()
        if kind == protocol.SYNC:
            await self.take_sync(reader.number(), reader.array())
        elif kind == protocol.AWARENESS:
            await self.take_awareness(protocol.read_awareness(reader.array()))

    async def take_sync(self, step: int, data: bytes) -> None:
        if step == protocol.STEP_1:
            missing = await database_sync_to_async(self.document.missing)(data)
            await self.send(bytes_data=protocol.sync(protocol.STEP_2, missing))
        elif data != EMPTY:
            await self.write(data)

    async def take_awareness(self, states: dict[int, tuple[int, bytes]]) -> None:
        """Tell everybody who is here, and where; each connection speaks for its own user."""
        states = people.own_states(states, self.shown, self.clocks)
        self.clocks |= {client: clock for client, (clock, _) in states.items()}
        if len(self.clocks) > MOST_CLIENTS:
            raise protocol.Malformed("too many clients")
        if states:
            await self.tell_all(protocol.awareness(states))

    async def write(self, update: bytes) -> None:
        """Keep an update and tell everybody; nothing of it happens without the right to write."""
        if not self.may_write:
            await self.send(bytes_data=protocol.denied("You may read this document only."))
            return
        await database_sync_to_async(self.document.append)(update)
        await self.tell_all(protocol.sync(protocol.UPDATE, update))

    async def document_writers(self, event: dict[str, Any]) -> None:
        """Somebody may write who did not, or the other way round."""
        self.may_write = await database_sync_to_async(self.document.may_write)(self.scope["user"])

    async def tell_all(self, message: bytes) -> None:
        """Send to all editors of the document: straight to their sockets, without waking their consumers."""
        send: dict[str, Any] = {"type": "websocket.send", "bytes": message}
        await self.channel_layer.group_send(self.group, send)
