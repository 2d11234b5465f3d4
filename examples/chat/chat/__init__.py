"""The project around the chat: settings, routes, the ASGI application."""
