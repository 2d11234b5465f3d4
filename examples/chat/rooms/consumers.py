"""The chat itself: one consumer per open page, one group per room."""

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from rooms.models import Room, Visit

LONGEST_MESSAGE = 1000  # characters
LOGIN_NEEDED = 4401  # a close code of ours; the page offers the login when it sees it
MALFORMED, NO_ROOM = 4400, 4404


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """Passes on what one person says to everybody in the room.

    To the page: ``{"type": "message", "name": ..., "text": ...}``, and who comes and goes, by the number of
    the visit, since messages of two processes may arrive in any order:
    ``{"type": "came" | "left", "name": ..., "visit": ...}``.
    From the page: ``{"text": ...}``.
    """

    group: str | None = None
    visit: Visit | None = None

    async def connect(self) -> None:
        """Enter the room; somebody without a name is told to log in."""
        await self.accept()
        self.name = self.scope["user"].get_username()
        if not self.name:
            await self.close(LOGIN_NEEDED, "log in first")
            return
        room = self.scope["url_route"]["kwargs"]["slug"]
        if not await Room.objects.filter(slug=room).aexists():
            await self.close(NO_ROOM, "there is no such room")
            return
        self.group = f"room.{room}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        self.visit, first = await database_sync_to_async(Visit.begin)(room, self.scope["user"])
        if first:  # of the person's pages: a second window is nobody new
            await self.tell("came", visit=self.visit.pk)

    async def disconnect(self, code: int) -> None:
        """Leave the room; the others are told."""
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)
            if self.visit is not None and await database_sync_to_async(self.visit.end)():
                await self.tell("left", visit=self.visit.pk)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Close when a frame is no JSON, or no text: no page of ours sends that."""
        try:
            await super().receive(text_data, bytes_data, **kwargs)
        except ValueError:
            await self.close(MALFORMED, "not JSON, or not text")

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Say something; what is empty or not text is not passed on."""
        text = content.get("text") if isinstance(content, dict) else None
        if self.group is not None and isinstance(text, str) and text.strip():
            text.encode()  # raises ValueError for half a character, which JSON can say and UTF-8 cannot
            await self.tell("message", text=text.strip()[:LONGEST_MESSAGE])

    async def tell(self, kind: str, **what: Any) -> None:
        """Send to everybody in the room, this page included."""
        told = {"type": kind, "name": self.name, **what}
        await self.channel_layer.group_send(self.group, {"type": "chat.event", "told": told})

    async def chat_event(self, event: dict[str, Any]) -> None:
        """Somebody in the room said or did something: show it."""
        await self.send_json(event["told"])
