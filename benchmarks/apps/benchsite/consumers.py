"""What is measured beside the guide's chat."""

import time

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data)


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=text_data)


class Sleep(WebsocketConsumer):
    """Holds its thread for as many seconds as the message says."""

    def receive(self, text_data=None, bytes_data=None):
        time.sleep(float(text_data))
        self.send(text_data="awake")


class Broadcast(AsyncWebsocketConsumer):
    """The room through messages of type ``websocket.send``: no handler is called at the members."""

    async def connect(self):
        self.group = f"broadcast_{self.scope['url_route']['kwargs']['room_name']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(self.group, {"type": "websocket.send", "text": text_data})


class Greeting(AsyncWebsocketConsumer):
    """Looks at the user while it connects, as consumers that let only some people in do."""

    async def connect(self):
        if self.scope["user"].is_authenticated:
            await self.accept()
        else:
            await self.close()
