"""One request or one WebSocket each: protocol events on one side, ASGI messages on the other."""
