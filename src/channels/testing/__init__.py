"""Tools for testing ASGI applications: communicators, and a test case with a live server.

Importing this package imports no server.
"""

from channels.testing.application import ApplicationCommunicator
from channels.testing.http import HttpCommunicator
from channels.testing.live import ChannelsLiveServerTestCase
from channels.testing.websocket import WebsocketCommunicator

__all__ = [
    "ApplicationCommunicator",
    "ChannelsLiveServerTestCase",
    "HttpCommunicator",
    "WebsocketCommunicator",
]
