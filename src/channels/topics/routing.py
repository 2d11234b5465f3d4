"""Where clients connect by WebSocket; Centrifugo's path."""

from __future__ import annotations

from typing import Any, cast

from django.urls import path

from channels.topics.transports.websocket import websocket_application

#: For a ``URLRouter``: ``URLRouter([*websocket_urlpatterns, ...])``.
websocket_urlpatterns = [path("connection/websocket", cast("Any", websocket_application))]
