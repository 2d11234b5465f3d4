from django.urls import path

from chat.routing import websocket_urlpatterns as chat

from .consumers import Broadcast, Echo, Greeting, Sleep, SyncEcho

websocket_urlpatterns = [
    *chat,
    path("ws/broadcast/<str:room_name>/", Broadcast.as_asgi()),
    path("ws/echo/", Echo.as_asgi()),
    path("ws/sync-echo/", SyncEcho.as_asgi()),
    path("ws/sleep/", Sleep.as_asgi()),
    path("ws/greeting/", Greeting.as_asgi()),
]

try:
    from channels.topics import websocket_urlpatterns as topics

    from .topics import prepare
except ImportError:  # the originals have none
    pass
else:
    prepare()
    websocket_urlpatterns += topics

try:
    from .chanx_room import websocket_urlpatterns as chanx
except ImportError:  # only the peers have it
    pass
else:
    websocket_urlpatterns += chanx
