"""A client's session, from its first frame to its end, on whatever transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from msgspec import Raw

from channels import telemetry
from channels.access.credentials import Credentials, Reason, credentials_of
from channels.access.watch import running_watcher
from channels.core.token_bucket import TokenBucket
from channels.protocols.centrifuge.codes import DisconnectCode, UnsubscribeCode
from channels.protocols.centrifuge.messages import EMPTY, ClientInfo, Push, Refresh, Reply, Unsubscribe
from channels.topics.access.expiry import CONNECTION, Expiry, ttl_until
from channels.topics.control import RefreshClients, SubscribeClients
from channels.topics.delivery.hub import Hub
from channels.topics.delivery.outbox import Outbox
from channels.topics.delivery.subscription import Subscription
from channels.topics.limits import Limits
from channels.topics.registry import resolve
from channels.topics.session.announcing import announce_left, anybody_listens, look_for_vacancies
from channels.topics.session.errors import Disconnected
from channels.topics.session.heartbeat import Heartbeat
from channels.topics.session.identity import Identity
from channels.topics.session.permissions import may_subscribe
from channels.topics.stores.base import Store
from channels.topics.topic import Topic
from channels.typing import Scope

logger = logging.getLogger("channels.topics")


class Transport(Protocol):
    """What carries a session."""

    async def close(self, code: int, reason: str) -> None:
        """End the connection; the client is told code and reason."""


class Session:
    """One client.

    Args:
        scope: of the connection.
        transport: carries it.
        outbox: of the transport.
        hub: of the running loop.
        limits: what the client may cost.

    Attributes:
        scope, outbox, hub, limits: see above.
        id: the client's, unique among all processes.
        user_id: what others see of the user.
        identity: who it is; None until it has connected.
        secret: by which other requests bring commands; "" where the transport itself does.
        subscriptions: by the topic's name.
        granted: topics that a token has let it have, whatever may_subscribe says.
        expiry: when the connection, and subscriptions by tokens, end.
        by_server: subscribes the client when the server wants that; None where it cannot be told.
        has_tried: it has asked to connect, with whatever result.
    """

    __slots__ = (
        "_awaits_pong", "_busy", "_closed", "_connect_timer", "_credentials", "_heartbeat", "_next_recheck",
        "_pace", "_transport", "by_server", "expiry", "granted", "has_tried", "hub", "id", "identity",
        "limits", "outbox", "scope", "secret", "subscriptions", "user_id",
    )  # fmt: skip

    def __init__(self, scope: Scope, transport: Transport, outbox: Outbox, hub: Hub, limits: Limits) -> None:
        self.scope, self.outbox, self.hub, self.limits = scope, outbox, hub, limits
        outbox.overflowed = self._overflowed
        self.id, self.user_id = str(uuid.uuid4()), ""
        self.identity: Identity | None = None
        self.secret = ""
        self.subscriptions: dict[str, Subscription] = {}
        self.granted: frozenset[str] = frozenset()
        self.has_tried = False
        self.by_server: Callable[[Session, SubscribeClients], Coroutine[Any, Any, None]] | None = None
        self.expiry = Expiry(limits.expiry_grace, self._expired)
        self._credentials: Credentials | None = None
        self._next_recheck = 0.0
        self._transport = transport
        self._pace = TokenBucket(limits.max_command_rate, asyncio.get_running_loop().time())
        self._heartbeat: Heartbeat | None = None
        self._awaits_pong = self._busy = self._closed = False
        loop = asyncio.get_running_loop()
        self._connect_timer = loop.call_later(limits.connect_timeout, self._not_connected)

    @property
    def closed(self) -> bool:
        """Whether the session is over, or about to be."""
        return self._closed

    @property
    def user(self) -> Any:
        """Django's user, once the client has connected."""
        assert self.identity is not None  # commands before that are refused
        return self.identity.user

    def connected(self, identity: Identity, heartbeat: Heartbeat | None) -> None:
        """Note who the client is; it is served from now on.

        Args:
            identity: who it is.
            heartbeat: pings it; None where the transport does.
        """
        self._connect_timer.cancel()
        self.identity, self.user_id = identity, identity.user_id
        if identity.expires_at:
            self.expiry.set(CONNECTION, identity.expires_at)
        self._next_recheck = asyncio.get_running_loop().time() + self.limits.recheck_interval
        self._credentials = credentials_of(identity.user, identity.session)
        if self._credentials is not None:
            running_watcher().add(self)
        self.hub.connected(self)
        look_for_vacancies(self.hub)
        self._heartbeat = heartbeat
        if heartbeat is not None:
            heartbeat.add(self)

    def info_for(self, chan_info: Raw = EMPTY) -> ClientInfo:
        """Return how others see the client."""
        info = EMPTY if self.identity is None else self.identity.info
        return ClientInfo(self.user_id, self.id, info, chan_info)

    def keeps_pace(self) -> bool:
        """Count a command; False if it is one too many."""
        return self._pace.allows(asyncio.get_running_loop().time())

    # What leaves

    def outbox_for(self, topic: Topic) -> Outbox:
        """Return where what is published to a topic leaves."""
        return self.outbox

    def reply(self, reply: Reply) -> None:
        """Answer a command, at the end of this turn of the loop."""
        self.outbox.put(self.outbox.framing.encode_reply(reply))

    def push(self, push: Push) -> None:
        """Tell the client something."""
        self.outbox.put(self.outbox.framing.encode_push(push))

    # Pings

    def busy(self, value: bool) -> None:
        """Note whether a command is worked on: answers to pings wait behind it."""
        self._busy = value

    def ping(self) -> None:
        """Send a ping, and expect an answer to it."""
        self._awaits_pong = True
        self.outbox.put(self.outbox.framing.encode_ping())
        now = asyncio.get_running_loop().time()
        if now >= self._next_recheck:
            self._next_recheck = now + self.limits.recheck_interval
            self.recheck("")

    def pong_received(self) -> None:
        """Take an answer to a ping.

        Raises:
            Disconnected: there was no ping to answer.
        """
        if not self._awaits_pong:
            raise Disconnected(DisconnectCode.BAD_REQUEST)
        self._awaits_pong = False

    def expect_pong(self) -> None:
        """End the connection if the last ping is not answered, and no command keeps the answer waiting."""
        if self._awaits_pong and not self._busy:
            self.end(DisconnectCode.NO_PONG)

    def _not_connected(self) -> None:
        self.end(DisconnectCode.STALE)

    # Ends

    def leave(self, topic: str) -> bool:
        """End a subscription; False if there is none."""
        subscription = self.subscriptions.pop(topic, None)
        if subscription is None:
            return False
        if subscription.conflation is not None:
            subscription.conflation.close()
        if topic in self.granted:
            self.grant(topic, None)
        live = self.hub.find(topic)
        if live is not None:
            live.leave(subscription)
            if telemetry.listeners:
                telemetry.emit("topics.unsubscribed", topic=topic, user=self.user_id, client=self.id)
            self._tell_of_leaving(live.store, subscription)
        return True

    def _tell_of_leaving(self, store: Store, subscription: Subscription) -> None:
        topic = resolve(subscription.topic)
        if topic is not None and anybody_listens(topic):
            self.hub.spawn(self._left(topic, store, subscription))
        elif subscription.present:
            self.hub.spawn(self.forget_presence(store, subscription))

    async def _left(self, topic: Topic, store: Store, subscription: Subscription) -> None:
        last = subscription.present and await self.forget_presence(store, subscription)
        await announce_left(topic, self.user, self.id, last)

    def grant(self, topic: str, expires_at: float | None) -> None:
        """Note that a token lets the client have a topic until then (0: for ever); None: no longer."""
        self.granted = self.granted - {topic} if expires_at is None else self.granted | {topic}
        self.expiry.set(topic, expires_at or 0.0)

    def _expired(self, what: str) -> None:
        """End what the client has not refreshed."""
        subscription = self.subscriptions.get(what)
        if what == CONNECTION:
            self.end(DisconnectCode.CONNECTION_EXPIRED)
        elif subscription is not None and subscription.server_side:
            self.end(DisconnectCode.SUBSCRIPTION_EXPIRED)
        else:
            code = UnsubscribeCode.SUBSCRIPTION_EXPIRED
            self.unsubscribe(what, code, code.reason)

    @staticmethod
    async def forget_presence(store: Store, subscription: Subscription) -> bool:
        """Note that the client is not in a topic any more; whether nobody is."""
        return await store.presence_remove(subscription.topic, subscription.info, subscription.announced)

    def unsubscribe(self, topic: str, code: int, reason: str) -> None:
        """See :class:`~channels.topics.delivery.subscription.Client`."""
        if self.leave(topic):
            self.push(Push(channel=topic, unsubscribe=Unsubscribe(code, reason)))

    def subscribe_by_server(self, control: SubscribeClients) -> None:
        """See :class:`~channels.topics.delivery.subscription.Client`."""
        if self.by_server is not None and control.topic not in self.subscriptions:
            self.hub.spawn(self.by_server(self, control))

    def refresh_by_server(self, control: RefreshClients) -> None:
        """See :class:`~channels.topics.delivery.subscription.Client`."""
        assert self.identity is not None  # it has connected
        if control.info:
            self.identity = self.identity._replace(info=Raw(control.info))
        self.identity = self.identity._replace(expires_at=control.expires_at)
        self.expiry.set(CONNECTION, control.expires_at)
        ttl = ttl_until(control.expires_at)
        self.push(Push(refresh=Refresh(expires=control.expires_at > 0, ttl=ttl)))

    def position_lost(self, subscription: Subscription) -> None:
        """See :class:`~channels.topics.delivery.subscription.Client`."""
        if subscription.server_side:
            self.end(DisconnectCode.INSUFFICIENT_STATE)
        else:
            code = UnsubscribeCode.INSUFFICIENT_STATE
            self.unsubscribe(subscription.topic, code, code.reason)

    def recheck(self, topic: str) -> None:
        """See :class:`~channels.topics.delivery.subscription.Client`."""
        names = {topic} if topic else self.subscriptions.keys()
        if names & self.subscriptions.keys() - self.granted:
            self.hub.spawn(self._recheck([*names]))

    async def _recheck(self, names: list[str]) -> None:
        """End the subscriptions that the user, as they are now, may not have any more."""
        if self._credentials is not None:
            await running_watcher().refresh([self])
        for name in names:
            if not self.closed and name in self.subscriptions and name not in self.granted:
                topic = resolve(name)
                if topic is None or not await may_subscribe(topic, self.user):
                    code = UnsubscribeCode.SERVER_UNSUBSCRIBE
                    self.unsubscribe(name, code, code.reason)
                elif name in self.subscriptions and self.subscriptions[name].view is not None:
                    self.position_lost(self.subscriptions[name])  # what it may have of that may have changed

    # The right to be connected: see channels.access.watch.Watched

    @property
    def credentials(self) -> Credentials:
        """What the right to be connected rests on."""
        assert self._credentials is not None  # else it is not watched
        return self._credentials

    def access_ended(self, reason: Reason) -> None:
        """End the connection: its user may not have it any more."""
        assert self.identity is not None  # it has connected
        if reason is Reason.DEACTIVATED:
            self.end(DisconnectCode.PERMISSION_DENIED)
        elif self.identity.by_token:
            self.end(DisconnectCode.STATE_INVALIDATED)
        else:
            self.end(DisconnectCode.CONNECTION_EXPIRED)

    def user_changed(self, user: Any, permissions: bool) -> None:
        """Go on with the user as they are now; ask what they may have if that may have changed."""
        assert self.identity is not None  # it has connected
        self.identity = self.identity._replace(user=user)
        self._credentials = self.credentials._replace(user=user)
        if permissions:
            self.recheck("")

    def _overflowed(self) -> None:
        self.end(DisconnectCode.SLOW)

    def end(self, code: DisconnectCode) -> None:
        """Disconnect with a code of the protocol."""
        self.disconnect(code, code.reason)

    def disconnect(self, code: int, reason: str) -> None:
        """See :class:`~channels.topics.delivery.subscription.Client`."""
        if not self._closed:
            telemetry.count("topics.disconnected", code=code)
            self._forget()
            self.hub.spawn(self._close(code, reason))

    def lost(self) -> None:
        """Note that the connection is gone."""
        if not self._closed:
            self._forget()
        self.outbox.close()

    async def _close(self, code: int, reason: str) -> None:
        """Write what waits and close the connection, as long as the client reads; whatever happens, end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                if code not in _AT_ONCE:
                    await self.outbox.drain()
                self.outbox.close()
                await self._transport.close(code, reason)
        self.outbox.close()

    def _forget(self) -> None:
        self._closed = True
        self._connect_timer.cancel()
        self.expiry.stop()
        if self._credentials is not None:
            running_watcher().discard(self)
        if self._heartbeat is not None:
            self._heartbeat.discard(self)
        self.hub.disconnected(self)
        for topic in list(self.subscriptions):
            self.leave(topic)


#: Seconds that a client has to read what was written before its connection ends.
CLOSE_WITHIN: Final = 5.0
#: Ends that wait for nothing to be read.
_AT_ONCE: Final = (DisconnectCode.CONNECTION_CLOSED, DisconnectCode.SLOW)
