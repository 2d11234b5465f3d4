"""A broker of MQTT; only we have it."""

from .asgi import http  # isort: skip  # it sets Django up

from django.urls import path

from channels.mqtt.application import MQTTBroker
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.topics import History, Topic


class Plain(Topic):
    """Nothing is kept of it, as a broker keeps nothing of what is not retained."""

    pattern = "plain/<str:name>"

    async def may_subscribe(self, user):
        return True

    async def may_publish(self, user, data):
        return True


class Kept(Plain):
    pattern = "kept/<str:name>"
    history = History(size=100, ttl=60)


application = ProtocolTypeRouter({"http": http, "tcp": URLRouter([path("mqtt", MQTTBroker())])})
