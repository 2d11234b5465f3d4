"""Subscribers of a topic who get the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from channels import telemetry
from channels.protocols.centrifuge.codec import EncodingError
from channels.protocols.centrifuge.messages import Join, Leave, Push
from channels.topics.delivery.deltas import Change, Delta
from channels.topics.delivery.frames import Frame, Framing
from channels.topics.delivery.subscription import Subscription

#: What subscribers are told.
Happening: TypeAlias = Change | Join | Leave

#: Members served before other work of the loop gets its turn.
SLICE = 256


class Form(NamedTuple):
    """What makes the bytes of one event differ between subscribers.

    Attributes:
        framing: of the transport.
        numbered: pushes carry the topic's number, not its name.
        join_leave: who comes and goes is told.
        delta: publications are sent as differences.
    """

    framing: Framing
    numbered: bool
    join_leave: bool
    delta: Delta


def form_of(subscription: Subscription) -> Form:
    """Return the form in which a subscriber gets events."""
    framing = subscription.outbox.framing
    return Form(framing, subscription.numbered, subscription.join_leave, subscription.delta)


class Audience:
    """The subscribers of one topic that get events in one form.

    Args:
        form: of the events.
        name: of the topic.
        number: the topic's.
    """

    __slots__ = ("_filtered", "_members", "_name", "_number", "_plain", "_topic", "_viewed", "form")

    def __init__(self, form: Form, name: str, number: int) -> None:
        self.form = form
        self._topic = name
        self._name, self._number = ("", number) if form.numbered else (name, 0)
        self._members: dict[Subscription, None] = {}
        self._plain: list[Subscription] | None = None
        self._filtered: list[Subscription] = []
        self._viewed: list[Subscription] = []

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._members))

    def add(self, subscription: Subscription) -> None:
        """Have ``subscription`` get what comes from now on."""
        self._members[subscription] = None
        self._plain = None

    def discard(self, subscription: Subscription) -> None:
        """Have it get nothing more."""
        self._members.pop(subscription, None)
        self._plain = None

    def batches(self, events: Sequence[Happening]) -> Iterator[tuple[Frame, list[Subscription]]]:
        """Return frames of ``events`` and who gets which; the lists are never changed."""
        encoded = [
            (event, self._encode(event))
            for event in events
            if self.form.join_leave or isinstance(event, Change)
        ]
        wanted = [event for event, message in encoded if message]
        if not wanted or not self._members:
            return
        if self._plain is None:
            self._sort_members()
        messages = [message for _, message in encoded if message]
        if self._plain:
            yield self.form.framing.frame(messages), self._plain
        for choice, members in self._choices(wanted).items():
            chosen = [message for message, passes in zip(messages, choice, strict=True) if passes]
            if chosen:
                yield self.form.framing.frame(chosen), members
        if self._viewed:
            yield from self._views(wanted)

    def _sort_members(self) -> None:
        self._viewed = [each for each in self._members if each.view is not None]
        whole = [each for each in self._members if each.view is None]
        self._plain = [each for each in whole if each.passes is None]
        self._filtered = [each for each in whole if each.passes is not None]

    def _choices(self, events: Sequence[Happening]) -> dict[tuple[bool, ...], list[Subscription]]:
        """Return who of those with a filter gets which of ``events``."""
        choices: dict[tuple[bool, ...], list[Subscription]] = {}
        for member in self._filtered:
            choice = tuple(_passes(member, event) for event in events)
            choices.setdefault(choice, []).append(member)
        return choices

    def _views(self, events: Sequence[Happening]) -> Iterator[tuple[Frame, list[Subscription]]]:
        """Return frames of what those get who get less than all; encoded once for all who get the same."""
        chosen: dict[tuple[int, ...], tuple[list[Happening], list[Subscription]]] = {}
        for member in self._viewed:
            seen = [each for each in (_viewed(member, event) for event in events) if each is not None]
            chosen.setdefault(tuple(map(_identity, seen)), (seen, []))[1].append(member)
        for seen, members in chosen.values():
            messages = [message for message in map(self._encode, seen) if message]
            if messages:
                yield self.form.framing.frame(messages), members

    def _encode(self, event: Happening) -> bytes:
        """Return an event as a message; b"" if this form cannot hold it, which concerns no other event."""
        try:
            return self.form.framing.encode_push(self._push(event))
        except EncodingError as error:
            telemetry.count("topics.not_encodable", topic=self._topic, error=str(error))
            return b""

    def _push(self, event: Happening) -> Push:
        if isinstance(event, Change):
            pushed = event.pushed(self.form.delta, self.form.framing.codec.binary)
            return Push(id=self._number, channel=self._name, pub=pushed)
        if isinstance(event, Join):
            return Push(id=self._number, channel=self._name, join=event)
        return Push(id=self._number, channel=self._name, leave=event)


def _passes(member: Subscription, event: Happening) -> bool:
    if member.passes is None or isinstance(event, Join | Leave):
        return True
    return member.passes(event.publication.tags)


def _viewed(member: Subscription, event: Happening) -> Happening | None:
    """Return what a member with a view gets of an event; None: nothing."""
    if member.view is None or isinstance(event, Join | Leave):
        return event
    publication = member.view(event.publication)
    return None if publication is None else Change(publication, None)


def _identity(event: Happening) -> int:
    """Return what is the same for the same publication: a view gives one object to all who see the same."""
    return id(event.publication) if isinstance(event, Change) else id(event)
