#!/bin/sh
# chanx 2.13.0 handles each frame of a connection in a task of its own. A client that subscribes to a topic and speaks on it at once, in
# this order, is told that it is not subscribed, and then that it is; and the answers to messages come in the order in which their
# handlers end, not in that of the messages. A plain consumer of Channels 4.3.2 handles one after the other.
#
# Seen, what comes for subscribe and say, and for the messages 0 to 3, whose handlers wait the longer the smaller they are:
#   {'chanx': [['not_subscribed', 'subscribed'], [3, 2, 1, 0]], 'channels': [0, 1, 2, 3]}
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "chanx[channels]==2.13.0" channels==4.3.2 uvicorn==0.54.0 websockets==17.4 2>/dev/null
cd "$folder"
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
cat > app.py <<'APP'
import asyncio
from typing import Literal

import django
from django.conf import settings

LAYER = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
settings.configure(INSTALLED_APPS=APPS, SECRET_KEY="none", CHANNEL_LAYERS={"default": LAYER})
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer as Plain
from channels.routing import ProtocolTypeRouter, URLRouter
from chanx.channels.websocket import AsyncJsonWebsocketConsumer
from chanx.core.decorators import ws_handler
from chanx.core.topic import Topic
from chanx.messages.base import BaseMessage
from django.urls import path


class Say(BaseMessage):
    action: Literal["say"] = "say"
    payload: int


class Said(BaseMessage):
    action: Literal["said"] = "said"
    payload: int


class Room(Topic):
    pattern = "room:{name}"

    async def authorize(self, **params):
        await asyncio.sleep(0.1)  # asks a database
        return True

    @ws_handler
    async def say(self, message: Say) -> Said:
        return Said(payload=message.payload)


class Consumer(AsyncJsonWebsocketConsumer):
    topics = [Room]
    channel_layer_alias = "default"

    @ws_handler
    async def say(self, message: Say) -> Said:
        await asyncio.sleep(0.1 * (4 - message.payload))
        return Said(payload=message.payload)


class Channels(Plain):
    async def receive_json(self, content):
        await asyncio.sleep(0.1 * (4 - content["payload"]))
        await self.send_json(content)


routes = [path("chanx/", Consumer.as_asgi()), path("channels/", Channels.as_asgi())]
application = ProtocolTypeRouter({"websocket": URLRouter(routes)})
APP
"$folder/venv/bin/python" - <<'PROBE'
import json

from servers import serving, told
from websockets.sync.client import connect


def answers(socket, *frames):
    for frame in frames:
        socket.send(json.dumps(frame))
    return [json.loads(socket.recv(10)) for _ in frames]


def says(*numbers):
    return [{"action": "say", "payload": number} for number in numbers]


with serving("uvicorn") as port:
    with connect(f"ws://127.0.0.1:{port}/chanx/") as socket:
        frames = {"action": "subscribe", "topic": "room:a"}, {**says(1)[0], "topic": "room:a"}
        first = [(each["payload"] or {}).get("reason", each["action"]) for each in answers(socket, *frames)]
        second = [each["payload"] for each in answers(socket, *says(0, 1, 2, 3))]
    with connect(f"ws://127.0.0.1:{port}/channels/") as socket:
        plain = [each["payload"] for each in answers(socket, *says(0, 1, 2, 3))]
expected = {"chanx": [["not_subscribed", "subscribed"], [3, 2, 1, 0]], "channels": [0, 1, 2, 3]}
told({"chanx": [first, second], "channels": plain}, expected)
PROBE
