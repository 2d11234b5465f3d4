"""The session behind a plain event stream: one-way, with topics that its address names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from channels import telemetry
from channels.protocols.centrifuge.codes import DisconnectCode, reconnects, resubscribes
from channels.protocols.centrifuge.messages import ConnectRequest, Push, SubscribeRequest, SubscribeResult
from channels.topics.delivery.frames import Framing
from channels.topics.delivery.hub import running_hub
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.delivery.subscription import Subscription
from channels.topics.limits import limits
from channels.topics.session.connecting import heartbeat_of
from channels.topics.session.identity import identify
from channels.topics.session.session import Session
from channels.topics.session.subscribing import subscribe
from channels.topics.stores.base import Position
from channels.topics.stores.manager import get_store
from channels.topics.topic import Topic
from channels.topics.transports.events.framing import (
    EventFraming,
    blocks,
    data_lines,
    event_block,
    split_whole,
    with_identifier,
)
from channels.topics.transports.events.positions import identifier_for
from channels.topics.transports.events.rendering import Viewer, is_rendered, rendered
from channels.topics.transports.events.turns import Step, Turns
from channels.topics.transports.stream import StreamTransport
from channels.typing import Scope

#: Milliseconds that clients wait before they come back.
RETRY: Final = 2_000
#: Names of the events that say something about the stream itself.
READY, GAP, UNSUBSCRIBED, CLOSE = "ready", "gap", "unsubscribed", "close"


class TopicOutbox(Outbox):
    """Where the publications of one topic of a stream leave.

    Args:
        framing: of its events.
        put: takes them, as :meth:`put` does.
    """

    __slots__ = ("_put",)

    def __init__(self, framing: Framing, put: Callable[[bytes, str, bool], None]) -> None:
        self.framing, self.direct = framing, refuse
        self._put = put

    def put(self, data: bytes, slot: str = "", droppable: bool = False) -> None:
        """Take one or more events."""
        self._put(data, slot, droppable)


class EventTransport(StreamTransport):
    """The body of the response.

    Attributes:
        cut: it is to end so that clients see an interruption, and come back.
    """

    cut = False

    async def close(self, code: int, reason: str) -> None:
        """End the response: with an event for good, without one where the client is to come back."""
        if reconnects(code):
            self.cut = True
            await self.end(at_once=code == DisconnectCode.SLOW)
        else:
            await self.put(event_block(_json(code=code, reason=reason), CLOSE))
            await self.end()


class EventStream(Session):
    """A client of a plain event stream.

    Args:
        scope: of the request, with its user.
        request: Django's.
        names: of the topics, each once, in the order of the address.
        positions: where the client was, by the topic's name; None: it comes for the first time.
    """

    __slots__ = ("_asked", "_positions", "_request", "_turns", "_unread", "_viewer", "transport")

    def __init__(
        self,
        scope: Scope,
        request: HttpRequest,
        names: Sequence[str],
        positions: Sequence[Position | None] | None,
    ) -> None:
        numbers = limits()
        self.transport = EventTransport(EventFraming())
        outbox = Outbox(EventFraming(), refuse, self.transport.write, numbers.max_queue_size)
        super().__init__(scope, self.transport, outbox, running_hub(), numbers)
        self._asked = dict(zip(names, positions or [None] * len(names), strict=True))
        self._positions: dict[str, Position | None] = dict(self._asked)
        self._request = request
        self._viewer: Viewer | None = None
        self._turns: Turns | None = None
        loop = asyncio.get_running_loop()
        self._unread = loop.call_later(numbers.connect_timeout, self.abandon)

    async def open(self, token: str, resumes: bool) -> None:
        """Subscribe to the topics.

        Args:
            token: of the connection; "" for the user of the session.
            resumes: the client has been here before; it is told of each topic of which it may have missed
                something.

        Raises:
            CommandFailed: one of the topics is unknown, or not for this user; or the token has expired.
            Disconnected: the client may not connect.
            StoreUnavailable: a store does not answer.
        """
        self.hub.use(get_store())
        await self.hub.hear_control()
        self.has_tried = True
        identity = await identify(self.scope, ConnectRequest(token=token))
        self.connected(identity, heartbeat_of(self.hub, self.limits))
        self.outbox.put(event_block(b"{}", READY, retry=RETRY))
        for name, position in self._asked.items():
            offset, epoch = position or Position(0, "")
            request = SubscribeRequest(name, recover=position is not None, offset=offset, epoch=epoch)
            self._begin(name, await subscribe(self, request), resumes)

    def _begin(self, name: str, result: SubscribeResult, resumes: bool) -> None:
        """Write what a client has missed, in the step in which it was subscribed."""
        subscription = self.subscriptions[name]
        for publication in result.publications:
            push = Push(channel=name, pub=publication)
            subscription.outbox.put(subscription.outbox.framing.encode_push(push))
        if resumes and result.recoverable and not result.recovered:
            self.position_lost(subscription)
        elif result.recoverable:
            self._moved(subscription)

    # What leaves

    def outbox_for(self, topic: Topic) -> Outbox:
        """See :class:`~channels.topics.session.session.Session`."""
        cls, name = type(topic), str(topic)
        if not is_rendered(cls):
            return TopicOutbox(EventFraming(cls.event), partial(self._put, name))
        if self._turns is None:
            self._viewer = Viewer(self.user, self._request, get_language() or settings.LANGUAGE_CODE)
            self._turns = Turns(self.limits.max_queue_size, self._overflowed)
        return TopicOutbox(EventFraming(cls.event, whole=True), partial(self._put_whole, topic))

    def _put(self, topic: str, data: bytes, slot: str, droppable: bool) -> None:
        """Write events of a topic, behind what is still rendered."""
        write = partial(self._write, topic, data, slot, droppable)
        if self._turns is None:
            write()
        else:
            self._turns.add(_step(write), len(data), slot, droppable)

    def _put_whole(self, topic: Topic, data: bytes, slot: str, droppable: bool) -> None:
        """Write publications of a topic when they are rendered."""
        assert self._turns is not None  # it was made for this topic
        for block in blocks(data):
            self._turns.add(partial(self._render, topic, block, slot, droppable), len(block), slot, droppable)

    def _in_turn(self, write: Callable[[], None]) -> None:
        """Write behind what is still rendered."""
        if self._turns is None:
            write()
        else:
            self._turns.add(_step(write), 0)

    async def _render(self, topic: Topic, block: bytes, slot: str, droppable: bool) -> None:
        assert self._viewer is not None  # as there is a topic to be rendered
        head, publication = split_whole(block)
        text = await rendered(self.hub, topic, publication, self._viewer)
        if text is not None:
            block = head + data_lines(text.encode()) + b"\n"
        else:  # only the position moves, if there is one
            block = head[: head.find(b"\n") + 1] + b"\n" if head.startswith(b"id: ") else b""
        self._write(str(topic), block, slot, droppable)

    def _write(self, topic: str, data: bytes, slot: str, droppable: bool) -> None:
        """Write events of a topic; of several topics, each event with the positions of all."""
        if len(self._asked) > 1:
            data = b"".join(self._placed(topic, block) for block in blocks(data))
        if data:
            self.outbox.put(data, slot, droppable)

    def _placed(self, topic: str, block: bytes) -> bytes:
        """Return an event with the id of the stream."""
        if block.startswith(b"id: "):
            offset, _, epoch = block[4 : block.index(b"\n")].decode().partition(":")
            self._positions[topic] = Position(int(offset), epoch)
        return with_identifier(block, self._identifier())

    def _identifier(self) -> str:
        return identifier_for(list(self._positions.values()))

    def _moved(self, subscription: Subscription, event: str = "", data: bytes | None = None) -> None:
        """Tell where a topic is now, with an event or without."""
        live = self.hub.find(subscription.topic)
        position = None if live is None else live.position
        self._in_turn(lambda: self._write_position(subscription.topic, position, event, data))

    def _write_position(self, topic: str, position: Position | None, event: str, data: bytes | None) -> None:
        self._positions[topic] = position
        self.outbox.put(event_block(data, event, self._identifier()))

    # What a session of the protocol is told otherwise

    def expect_pong(self) -> None:
        """Expect nothing: the client cannot answer."""

    def position_lost(self, subscription: Subscription) -> None:
        """Tell the client that there is more than it got; it goes on from here."""
        telemetry.count("topics.event_stream_gap", topic=subscription.topic)
        self._moved(subscription, GAP, _json(topic=subscription.topic))

    def unsubscribe(self, topic: str, code: int, reason: str) -> None:
        """End a subscription; the stream ends with the last."""
        if self.leave(topic):
            told = event_block(_json(topic=topic, code=code, reason=reason), UNSUBSCRIBED)
            self._in_turn(lambda: self.outbox.put(told))
            if resubscribes(code):
                self.end(DisconnectCode.FORCE_RECONNECT)
            elif not self.subscriptions:
                self.end(DisconnectCode.PERMISSION_DENIED)

    def user_changed(self, user: Any, permissions: bool) -> None:
        """See :class:`~channels.topics.session.session.Session`; what is rendered from now on is for them."""
        super().user_changed(user, permissions)
        if self._viewer is not None:
            self._viewer = self._viewer._replace(user=user)

    # The body

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body of the response, until the stream ends.

        Raises:
            CancelledError: the response is to be cut off: a client that sees its end would not come back.
        """
        self._unread.cancel()
        try:
            async for chunk in self.transport.chunks():
                yield chunk
            if self.transport.cut:
                raise asyncio.CancelledError
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End it where nobody reads, or will."""
        self._unread.cancel()
        self.lost()
        self.transport.abandon()
        if self._turns is not None:
            self._turns.stop()


def _step(write: Callable[[], None]) -> Step:
    async def step() -> None:
        write()

    return step


def _json(**values: Any) -> bytes:
    return msgspec.json.encode(values)
