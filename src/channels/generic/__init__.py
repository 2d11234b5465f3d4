"""Consumers for WebSockets and HTTP, in a sync and an async form of each."""
