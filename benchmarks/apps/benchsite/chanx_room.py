"""The room as chanx offers it: a topic of its own, and a consumer's group. Only the peers have it."""

from typing import Any, ClassVar, Literal

from chanx.channels.websocket import AsyncJsonWebsocketConsumer
from chanx.core.decorators import ws_handler
from chanx.core.topic import Topic
from chanx.messages.base import BaseMessage
from django.urls import path


class Say(BaseMessage):
    action: Literal["say"] = "say"
    payload: dict[str, Any]


class Said(BaseMessage):
    action: Literal["said"] = "said"
    payload: dict[str, Any]


class RoomTopic(Topic):
    pattern = "room:{name}"
    passthrough_events: ClassVar = [Said]

    @ws_handler
    async def say(self, message: Say) -> None:
        await self.broadcast(self.topic, Said(payload=message.payload))


class Group(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "default"
    groups: ClassVar = ["room"]

    @ws_handler(output_type=Said)
    async def say(self, message: Say) -> None:
        await self.broadcast_message(Said(payload=message.payload))


websocket_urlpatterns = [
    path("ws/chanx/topic/<str:name>/", RoomTopic.as_consumer().as_asgi()),
    path("ws/chanx/group/<str:name>/", Group.as_asgi()),
]
