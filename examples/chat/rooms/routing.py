"""Which consumer answers which WebSocket address."""

from django.urls import path

from rooms.consumers import ChatConsumer

websocket_urlpatterns = [path("ws/room/<slug:slug>/", ChatConsumer.as_asgi(), name="room-socket")]
