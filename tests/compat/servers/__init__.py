"""One project under each ASGI server."""
