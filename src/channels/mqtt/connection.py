"""One connection of a client: it acts on packets, one after the other.

More than 400 lines: each kind of packet has a method, and all of them share the state of one connection.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from channels import telemetry
from channels.mailbox import BATCH
from channels.mqtt.identity import Refused, user_of
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.outbound import Outbound
from channels.mqtt.publishing import Publisher
from channels.mqtt.router import Router
from channels.mqtt.session import Session, Subscribed
from channels.mqtt.sessions import Sessions, TooManySessions
from channels.mqtt.streams import ByteStream
from channels.mqtt.system.topics import is_system
from channels.protocols.mqtt.codes import MQTTError, Reason, protocol_error
from channels.protocols.mqtt.encoding import puback
from channels.protocols.mqtt.packets import (
    V5,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from channels.protocols.mqtt.reader import PacketReader
from channels.protocols.mqtt.topics import SHARE, is_wildcard, split_filter
from channels.server.io.timer_wheel import NEVER, Slot
from channels.topics.registry import resolve
from channels.topics.session.permissions import may_subscribe
from channels.topics.stores.base import StoreUnavailable
from channels.topics.user import user_id_of
from channels.typing import Scope

#: Seconds that a client has to read what was written before its connection ends.
CLOSE_WITHIN = 5.0
#: What a session expiry of 5.0 says for "never"; ours has a limit.
_NEVER = 0xFFFFFFFF


class MQTTConnection:
    """The connection of one client. Also the Peer of its session, and Timed.

    Args:
        scope: of the connection.
        stream: its bytes.
        sessions: of this loop.
        router: of this loop.
        limits: of the clients.
        authenticate: says who it is.
    """

    def __init__(
        self,
        scope: Scope,
        stream: ByteStream,
        sessions: Sessions,
        router: Router,
        limits: MQTTLimits,
        authenticate: Any,
    ) -> None:
        self._scope, self._stream = scope, stream
        self._sessions, self._router = sessions, router
        self._limits = limits
        self._authenticate = authenticate
        self._reader = PacketReader(limits.max_packet_size)
        self._outbound = Outbound(stream, limits.max_outbound, self._on_room)
        self._session: Session | None = None
        self._will: Will | None = None
        self._publisher = Publisher(router, limits.topic_aliases)
        self._max_sent = 0
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._silence = limits.connect_timeout
        self.slot: Slot | None = None
        router.timers.schedule(self, self._heard_at + self._silence)
        self.window = limits.max_inflight

    # For the session

    @property
    def version(self) -> int:
        """See :class:`~channels.mqtt.session.Peer`."""
        return self._reader.version

    @property
    def congested(self) -> bool:
        """See :class:`~channels.mqtt.session.Peer`."""
        return self._outbound.congested

    def send(self, packet: Packet) -> bool:
        """See :class:`~channels.mqtt.session.Peer`."""
        return self.write(self._reader.pack(packet))

    def write(self, data: bytes) -> bool:
        """See :class:`~channels.mqtt.session.Peer`."""
        if self._max_sent and len(data) > self._max_sent:
            return False
        self._outbound.put(data)
        return True

    def end(self, reason: Reason) -> None:
        """See :class:`~channels.mqtt.session.Peer`."""
        if self._ended:
            return
        self._ended = True
        telemetry.count("mqtt.disconnected", reason=reason.name.lower())
        if self._session is None:
            self._tell_handshake(reason.name.lower())
        if self._reader.version == V5 and self._session is not None and reason:
            self.send(Disconnect(reason))
        self._router.spawn(self._outbound.aclose(CLOSE_WITHIN))

    def _on_room(self) -> None:
        if self._session is not None:
            self._session.advance()

    # The connection

    async def run(self) -> None:
        """Serve the client until its connection ends."""
        unfinished = "failed"
        try:
            stream = self._stream
            while not self._ended and (data := stream.data_of(await stream.receive())) is not None:
                self._heard_at = self._loop.time()
                await self._take(data)
                if self._outbound.congested:
                    await self._outbound.room()  # who does not read its answers asks for no more of them
            unfinished = "left"
            if self._stream.draining and self._stream.writable:
                self.end(Reason.SERVER_SHUTTING_DOWN)
        finally:
            self._router.timers.cancel(self)
            await self._leave(unfinished)

    async def _take(self, data: bytes) -> None:
        handlers = self.handlers
        try:
            for number, packet in enumerate(self._reader.feed(data), 1):
                await handlers[type(packet)](self, packet)
                if self._ended:
                    return
                if not number % BATCH:
                    await asyncio.sleep(0)  # a store in memory does not wait, and others have their turn
        except MQTTError as error:
            telemetry.count("mqtt.bad_packet", reason=error.reason.name.lower())
            if self._session is None and error.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION:
                self._outbound.put(b"\x20\x02\x00\x01")  # in the words of 3.1.1, which all versions know
            self.end(error.reason)
        except StoreUnavailable:
            self.end(Reason.SERVER_BUSY)

    def on_due(self, now: float) -> float:
        """End a client that has been silent for too long."""
        due = self._heard_at + self._silence
        if now >= due:
            self.end(Reason.KEEP_ALIVE_TIMEOUT)
        return NEVER if self._ended else due

    async def _leave(self, unfinished: str) -> None:
        session, will = self._session, self._will
        if session is None and not self._ended:
            self._tell_handshake(unfinished)
        if session is not None and session.leave(self):
            self._sessions.left(session)
            if session.durable is not None:
                await session.durable.settle()
        self._ended = True
        await self._outbound.aclose(CLOSE_WITHIN)  # the server closes when this application returns
        # A server that stops is no reason to call its clients lost: they are back in a moment.
        if session is not None and will is not None and not self._stream.draining:
            delay = will.properties.get("will_delay_interval", 0) if session.expiry else 0
            self._router.spawn(self._publish_will(session, will, min(delay, session.expiry)))

    async def _publish_will(self, session: Session, will: Will, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
            if session.peer is not None or session.moved:
                return  # it is back in time
        telemetry.count("mqtt.will_published")
        await self._publisher.publish(session, will)

    # CONNECT

    async def _connect(self, packet: Connect) -> None:
        properties = packet.properties
        assigned = "" if packet.client_id else secrets.token_hex(11)
        if assigned and packet.version != V5 and not packet.clean_start:
            self._refuse(Reason.CLIENT_IDENTIFIER_NOT_VALID)
            return
        if "authentication_method" in properties:
            self._refuse(Reason.BAD_AUTHENTICATION_METHOD)
            return
        try:
            user = await user_of(self._authenticate, self._scope, packet)
        except Refused as refused:
            self._refuse(refused.reason)
            return
        if self._ended:
            return
        self._max_sent = properties.get("maximum_packet_size", 0)
        self.window = min(self._limits.max_inflight, properties.get("receive_maximum", 65535))
        self._will = packet.will
        try:
            await self._open(packet, user, assigned)
        except TooManySessions:
            self._refuse(Reason.QUOTA_EXCEEDED)
        except StoreUnavailable:
            self._refuse(Reason.SERVER_UNAVAILABLE)

    @staticmethod
    def _tell_handshake(result: str) -> None:
        if telemetry.listeners:
            telemetry.emit("mqtt.handshake_finished", result=result)

    def _refuse(self, reason: Reason) -> None:
        telemetry.count("mqtt.refused", reason=reason.name.lower())
        self.send(ConnAck(reason))
        self.end(reason)

    async def _open(self, packet: Connect, user: Any, assigned: str) -> None:
        key = (user_id_of(user), packet.client_id or assigned)
        expiry: float = packet.properties.get("session_expiry_interval", 0)
        if packet.version != V5:
            expiry = 0 if packet.clean_start else _NEVER
        session, present = await self._sessions.open(key, user, clean=packet.clean_start, expiry=expiry)
        if self._ended:
            self._sessions.left(session)
            return
        most = self._limits.max_keep_alive
        keep_alive = min(packet.keep_alive or most, most)
        self._silence = 1.5 * keep_alive
        self._router.timers.schedule(self, self._heard_at + self._silence)
        properties = self._told(packet, session, assigned, keep_alive) if packet.version == V5 else {}
        self.send(ConnAck(Reason.SUCCESS, present, properties))
        self._session = session
        self._tell_handshake("accepted")
        session.resume(self)
        await self._router.shares.resume(session)

    def _told(self, packet: Connect, session: Session, assigned: str, keep_alive: int) -> dict[str, Any]:
        """Return what CONNACK of 5.0 says of what is done otherwise than the client has asked for."""
        told: dict[str, Any] = {
            "maximum_packet_size": self._limits.max_packet_size,
            "topic_alias_maximum": self._limits.topic_aliases,
        }
        if assigned:
            told["assigned_client_identifier"] = assigned
        if keep_alive != packet.keep_alive:
            told["server_keep_alive"] = keep_alive
        if packet.properties.get("session_expiry_interval", 0) > session.expiry:
            told["session_expiry_interval"] = int(session.expiry)
        return told

    # PUBLISH

    def _known(self) -> Session:
        """Return the session: the reader takes no packet before CONNECT, which has one or ends."""
        assert self._session is not None
        return self._session

    async def _published(self, packet: Publish) -> None:
        session = self._known()
        if packet.properties:
            self._publisher.resolve_alias(packet)
        key = await self._taken(session, packet) if packet.qos == 2 else ""
        if key is None:
            self.send(PubRec(packet.packet_id))  # it was published when it came first
            return
        reason = await self._publisher.publish(session, packet, key)
        if packet.qos == 1 and not reason:
            self.write(puback(packet.packet_id))
            return
        if reason >= Reason.UNSPECIFIED_ERROR:
            telemetry.count("mqtt.publish_refused", reason=reason.name.lower())
        if packet.qos == 1:
            self.send(PubAck(packet.packet_id, reason))
        elif packet.qos == 2:
            if reason < Reason.UNSPECIFIED_ERROR or self._reader.version != V5:
                session.received[packet.packet_id] = ""
            else:
                session.received.pop(packet.packet_id, None)
            self.send(PubRec(packet.packet_id, reason))

    async def _taken(self, session: Session, packet: Publish) -> str | None:
        """Store that a message of QoS 2 has come; returns under which key it is published, None if it was."""
        key = session.received.get(packet.packet_id)
        if key == "":
            return None
        if key is None and session.durable is not None:
            key = session.received[packet.packet_id] = secrets.token_hex(8)
            await session.durable.commit()
        return key or ""

    async def _acknowledged(self, packet: PubAck | PubRec | PubComp) -> None:
        self._known().acknowledge(packet)

    async def _released(self, packet: PubRel) -> None:
        session = self._known()
        answer = session.release(packet)
        if session.durable is not None and not answer.reason:
            await session.durable.commit()  # the identifier may come again, for another message
        self.send(answer)

    # SUBSCRIBE

    async def _subscribed(self, packet: Subscribe) -> None:
        session = self._known()
        identifier = packet.properties.get("subscription_identifier", 0)
        reasons, fresh = [], []
        for subscription in packet.subscriptions:
            known = subscription.filter in session.subscriptions
            reason = await self._subscribe(session, subscription, identifier)
            reasons.append(int(reason))
            handling = subscription.retain_handling
            if reason < Reason.UNSPECIFIED_ERROR and (handling == 0 or (handling == 1 and not known)):
                fresh.append(subscription.filter)
        if session.durable is not None:
            await session.durable.commit()
        self.send(SubAck(packet.packet_id, reasons))
        for topic_filter in fresh:
            if is_system(topic_filter):
                self._sessions.system.send_now(session, topic_filter)
            await self._router.retained(session, topic_filter)

    async def _subscribe(self, session: Session, subscription: Subscription, identifier: int) -> Reason:
        topic_filter = split_filter(subscription.filter).filter
        known = subscription.filter in session.subscriptions
        if not known and len(session.subscriptions) >= self._limits.max_subscriptions:
            return Reason.QUOTA_EXCEEDED
        if session.durable is not None and not known:
            stored = sum(len(each.encode()) for each in (subscription.filter, *session.subscriptions))
            if stored > self._limits.max_stored_filters:
                return Reason.QUOTA_EXCEEDED
        if is_system(topic_filter):
            return await self._subscribe_to_system(session, Subscribed(subscription, identifier))
        if not is_wildcard(topic_filter):
            topic = resolve(topic_filter)
            if topic is None or not await may_subscribe(topic, session.user):
                telemetry.count("mqtt.subscribe_refused")
                return Reason.NOT_AUTHORIZED
        await self._router.subscribe(session, subscription.filter, Subscribed(subscription, identifier))
        return Reason(subscription.qos)

    async def _subscribe_to_system(self, session: Session, subscribed: Subscribed) -> Reason:
        """Subscribe to topics below ``$SYS``; nobody shares them."""
        topic_filter, system = subscribed.options.filter, self._sessions.system
        if topic_filter.startswith(SHARE) or not await system.permits(session.user):
            telemetry.count("mqtt.subscribe_refused")
            return Reason.NOT_AUTHORIZED
        session.subscriptions[topic_filter] = subscribed
        system.join(session)
        return Reason(subscribed.options.qos)

    async def _unsubscribed(self, packet: Unsubscribe) -> None:
        session, reasons = self._known(), []
        for topic_filter in packet.filters:
            found = self._router.unsubscribe(session, topic_filter)
            reasons.append(int(Reason.SUCCESS if found else Reason.NO_SUBSCRIPTION_EXISTED))
        if session.durable is not None:
            await session.durable.commit()
        self.send(UnsubAck(packet.packet_id, reasons))

    # The rest

    async def _pinged(self, packet: PingReq) -> None:
        self.send(PingResp())

    async def _disconnected(self, packet: Disconnect) -> None:
        session = self._known()
        if "session_expiry_interval" in packet.properties:
            asked = packet.properties["session_expiry_interval"]
            if asked and not session.expiry:
                raise protocol_error("A session that was to end with its connection is to last.")
            session.expiry = min(asked, self._limits.max_session_expiry)
        if packet.reason != Reason.DISCONNECT_WITH_WILL:
            self._will = None
        if session.durable is not None and session.expiry:
            await session.durable.settle()  # it may come back to another process at once
        self.end(Reason.SUCCESS)

    async def _authenticated(self, packet: Auth) -> None:
        raise protocol_error("There was no authentication method in CONNECT.")

    #: By the type of a packet; a connection that counts has others.
    handlers: ClassVar[dict[type[Packet], Callable[[Any, Any], Awaitable[None]]]] = {
        Connect: _connect,
        Publish: _published,
        PubAck: _acknowledged,
        PubRec: _acknowledged,
        PubRel: _released,
        PubComp: _acknowledged,
        Subscribe: _subscribed,
        Unsubscribe: _unsubscribed,
        PingReq: _pinged,
        Disconnect: _disconnected,
        Auth: _authenticated,
    }
