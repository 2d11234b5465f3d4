"""Where clients connect by WebSocket; Centrifugo's paths."""

from __future__ import annotations

from typing import Any, cast

from django.urls import path

from channels.topics.transports.admission import Origins, WithUser
from channels.topics.transports.one_way import serve_one_way_websocket
from channels.topics.transports.websocket import serve_websocket

_application: Any = Origins(cast("Any", WithUser(serve_websocket)))
_one_way: Any = Origins(cast("Any", WithUser(serve_one_way_websocket)))

#: For a ``URLRouter``: ``URLRouter([*websocket_urlpatterns, ...])``.
websocket_urlpatterns = [
    path("connection/websocket", _application),
    path("connection/uni_websocket", _one_way),
]
