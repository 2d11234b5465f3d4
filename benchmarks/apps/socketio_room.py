"""A room of python-socketio's, as its guide has it: who connects joins, and hears what anybody says."""

import os

import socketio

LAYER, REDIS = os.environ.get("BENCH_LAYER", "memory"), os.environ.get("BENCH_REDIS", "")
manager = socketio.AsyncRedisManager(REDIS) if LAYER == "redis" else socketio.AsyncManager()


def room(mode):
    """A server of one of python-socketio's kinds with the room in it."""
    server = socketio.AsyncServer(async_mode=mode, client_manager=manager, cors_allowed_origins="*")

    @server.event
    async def connect(sid, environ):
        await server.enter_room(sid, "bench")

    @server.event
    async def say(sid, data):
        await server.emit("said", data, room="bench")

    return server


application = socketio.ASGIApp(room("asgi"))
