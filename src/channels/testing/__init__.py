"""Tools for testing ASGI applications: communicators, and a test case with a live server.

A communicator (:mod:`~channels.testing.application`) is the server of an application that runs in the
test's own event loop. :mod:`~channels.testing.http` and :mod:`~channels.testing.websocket` speak one protocol
each on top of it, and so do those for devices, in :mod:`~channels.testing.devices`;
:mod:`~channels.testing.topics` is a client of topics. :mod:`~channels.testing.live` serves over real sockets,
for browsers. Sync code of an application runs in other threads, where it could not see the rows of a test's
open transaction; :mod:`~channels.testing.database` lends it the test's connections.
:mod:`~channels.testing.contracts` has the tests that every channel layer passes, third-party ones included.

Timeouts are seconds; one that runs out cancels the application and says what was waited for. Importing
this package imports no server, so that communicators work wherever an application does. Product code never
imports this package: what tests need to reach has a public name where it lives.
"""

from channels.testing.application import ApplicationCommunicator
from channels.testing.devices.mqtt import MQTTCommunicator
from channels.testing.devices.tcp import TCPCommunicator
from channels.testing.http import HttpCommunicator
from channels.testing.live import ChannelsLiveServerTestCase
from channels.testing.topics import TopicsCommunicator, TopicsError
from channels.testing.websocket import WebsocketCommunicator

__all__ = [
    "ApplicationCommunicator",
    "ChannelsLiveServerTestCase",
    "HttpCommunicator",
    "MQTTCommunicator",
    "TCPCommunicator",
    "TopicsCommunicator",
    "TopicsError",
    "WebsocketCommunicator",
]
