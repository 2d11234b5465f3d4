"""Accepting connections from listening sockets."""
