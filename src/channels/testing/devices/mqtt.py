"""A device that speaks MQTT, for tests of what it may do."""

# ruff: noqa: ASYNC109  (the parameter `timeout` is part of the public interface)

from __future__ import annotations

from typing import Any, TypeVar

from channels.core.private import PrivateField
from channels.protocols.mqtt.packets import (
    V5,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
)
from channels.protocols.mqtt.reader import ServerPacketReader
from channels.testing.devices.tcp import TCPCommunicator
from channels.typing import ASGIApp

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

_P = TypeVar("_P", bound=Packet)


class _Conversation:
    """What one device has said and heard: no machinery under names of users' subclasses.

    Args:
        version: of MQTT.

    Attributes:
        packets: that came and were not taken yet.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.reader = ServerPacketReader(version)
        self.packets: list[Packet] = []
        self._last_id = 0

    def next_id(self) -> int:
        """Return a packet identifier, from 1 to 65535."""
        self._last_id = self._last_id % 65535 + 1
        return self._last_id


_conversations: PrivateField[_Conversation] = PrivateField("mqtt conversation", None)  # type: ignore[arg-type]


class MQTTCommunicator:
    """One device: it connects, subscribes, publishes, and takes what comes.

    Args:
        application: the project's ASGI application, or a broker alone.
        path: of the scope: the ``app`` of the endpoint, with a slash before it.
        version: 5 for MQTT 5.0, 4 for 3.1.1.
        tls: ASGI's ``tls`` extension, such as ``{"client_cert_name": "CN=meter-7"}``.

    Attributes:
        connection: the communicator underneath.
    """

    def __init__(
        self,
        application: ASGIApp,
        path: str = "/mqtt",
        *,
        version: int = V5,
        tls: dict[str, Any] | None = None,
    ) -> None:
        self.connection = TCPCommunicator(application, path, tls=tls)
        _conversations.set(self, _Conversation(version))

    async def connect(
        self,
        client_id: str = "",
        *,
        username: str | None = None,
        password: str | bytes | None = None,
        **fields: Any,
    ) -> ConnAck:
        """Connect, and return the answer; 0 as its ``reason`` means that the device may.

        Args:
            client_id: of the device; "" has the server assign one.
            username: for Django's authentication backends.
            password: with the user name, or a token alone.
            fields: others of :class:`channels.protocols.mqtt.packets.Connect`, such as ``will``.

        Raises:
            AssertionError: the application refuses the connection itself.
        """
        if not await self.connection.connect():
            raise AssertionError("The application closed the connection before CONNECT.")
        secret = password.encode() if isinstance(password, str) else password
        await self.send(
            Connect(client_id, _conversations.get(self).version, username=username, password=secret, **fields)
        )
        return await _receive_of(self, ConnAck)

    async def subscribe(self, topic_filter: str, qos: int = 0, **options: Any) -> int:
        """Subscribe to one filter; returns the reason: the QoS that was granted, or 0x80 and above.

        Args:
            topic_filter: of topics.
            qos: 0, 1 or 2.
            options: others of :class:`channels.protocols.mqtt.packets.Subscription`.
        """
        await self.send(
            Subscribe(_conversations.get(self).next_id(), [Subscription(topic_filter, qos, **options)])
        )
        return (await _receive_of(self, SubAck)).reasons[0]

    async def publish(self, topic: str, payload: bytes, **fields: Any) -> PubAck:
        """Publish with QoS 1, and return the answer; its ``reason`` is below 0x80 if it was taken."""
        await self.send(Publish(topic, payload, 1, packet_id=_conversations.get(self).next_id(), **fields))
        return await _receive_of(self, PubAck)

    async def send(self, packet: Packet) -> None:
        """Send any packet."""
        await self.connection.send_to(_conversations.get(self).reader.pack(packet))

    async def receive(self, timeout: float | None = 1) -> Packet:
        """Return the next packet of the broker.

        Args:
            timeout: seconds to wait for bytes; None waits without end.

        Raises:
            TimeoutError: nothing in time; the application has been cancelled.
            AssertionError: the broker closed.
        """
        conversation = _conversations.get(self)
        while not conversation.packets:
            conversation.packets += conversation.reader.feed(await self.connection.receive_from(timeout))
        return conversation.packets.pop(0)

    async def receive_publish(self, timeout: float | None = 1) -> Publish:
        """Return the next message; one of QoS 1 is acknowledged.

        Args:
            timeout: see :meth:`receive`.
        """
        publish = await _receive_of(self, Publish, timeout)
        if publish.qos == 1:
            await self.send(PubAck(publish.packet_id))
        return publish

    async def disconnect(self) -> None:
        """Say goodbye, and wait for the application to end."""
        await self.send(Disconnect())
        await self.connection.disconnect("closed")


async def _receive_of(device: MQTTCommunicator, kind: type[_P], timeout: float | None = 1) -> _P:
    """Return the next packet of a kind; those before it wait for their own turn."""
    passed: list[Packet] = []
    while not isinstance(packet := await device.receive(timeout), kind):
        passed.append(packet)
    _conversations.get(device).packets[:0] = passed
    return packet
