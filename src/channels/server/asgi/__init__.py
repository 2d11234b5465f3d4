"""Requests and WebSockets as ASGI: scope, events, response, and the run of the application."""
