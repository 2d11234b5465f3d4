"""Numbered publications on their way to other processes, through the store beside the channel layer.

The carrier numbers and keeps nothing of them: offset and epoch stand with the record in the payload of a
publication, whose key says so. In one process there is no need for that. Of what is larger than a message of
the carrier only the position is carried, and receivers read the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec

from channels import telemetry
from channels.exceptions import MessageTooLarge
from channels.journal.tables.streams import Numbered
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Append, Published, Store
from channels.topics.stores.memory import MemoryStore
from channels.topics.stores.noting import note_published
from channels.topics.stores.records import decode_publication

logger = logging.getLogger("channels.journal")

#: The key of what is carried; clients cannot choose keys, and never see this one.
KEY: Final = "\0journal"

Done = Callable[[bool], object]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, str, bytes]).decode


def envelope(numbered: Numbered) -> Append:
    """Return what a store between processes carries."""
    offset, epoch = numbered.position
    if not offset:
        return plain(numbered)
    return _carried(numbered.topic, offset, epoch, numbered.record)


def instead(append: Append, error: object) -> Append | None:
    """Return what is carried instead of what was refused: the position, if it is too large and was kept."""
    offset, epoch = offset_of(append.publication)
    if not offset or not isinstance(error, MessageTooLarge):
        return None
    return _carried(append.topic, offset, epoch, b"")


def _carried(topic: str, offset: int, epoch: str, record: bytes) -> Append:
    return Append(topic, Publication(data=msgspec.Raw(_encode((offset, epoch, record))), key=KEY))


def plain(numbered: Numbered) -> Append:
    """Return what the store of one process hands on."""
    offset, epoch = numbered.position
    return Append(numbered.topic, decode_publication(numbered.record, offset, epoch if offset else ""))


def note_relayed(numbered: Sequence[Numbered]) -> None:
    """Note that what was written in transactions has its place now, in the log of deliveries."""
    for each in numbered:
        note_published(plain(each), Published(each.position))


def opened(publication: Publication) -> Publication | None:
    """Return what was carried; None if only its position was; raises msgspec.DecodeError."""
    if publication.key != KEY:
        return publication
    offset, epoch, record = _decode(bytes(publication.data))
    return decode_publication(record, offset, epoch) if record else None


def offset_of(publication: Publication) -> tuple[int, str]:
    """Return offset and epoch of what was carried, without the rest."""
    if publication.key != KEY:
        return publication.offset, publication.epoch
    offset, epoch, _ = _decode(bytes(publication.data))
    return offset, epoch


class Carrying:
    """Hands numbered publications on.

    Args:
        carrier: the store beside the channel layer.
        loops: returns the event loops of the receivers, which have connections to it.
    """

    def __init__(self, carrier: Store, loops: Callable[[], Sequence[asyncio.AbstractEventLoop]]) -> None:
        self.carrier = carrier
        self.spans_processes: bool = getattr(carrier, "spans_processes", True)
        self._wrap = plain if isinstance(carrier, MemoryStore) else envelope
        self._loops = loops

    def carry(self, numbered: Sequence[Numbered], done: Done = lambda carried: None) -> None:
        """Hand publications on in their order; ``done(whether)`` is called when they are, in any thread."""
        appends = [self._wrap(each) for each in numbered]
        if self.spans_processes:
            for loop in self._loops():
                if _in_loop(loop, self.acarry, appends, done):
                    return
        done(self._carry_here(appends))

    def _carry_here(self, appends: Sequence[Append]) -> bool:
        try:
            for append in appends:
                self._publish_here(append)
        except Exception as error:
            return _failed(error)
        return True

    def _publish_here(self, append: Append) -> None:
        try:
            self.carrier.sync.publish(append)
        except MessageTooLarge as error:
            position = instead(append, error)
            if position is None:
                raise
            self.carrier.sync.publish(position)

    async def acarry(self, appends: Sequence[Append], done: Done) -> None:
        """Hand publications on from the running loop: those of one turn leave in one write."""
        refused = await self._publish(appends)
        positions = [(instead(append, error), error) for append, error in refused]
        errors = [error for position, error in positions if position is None]
        smaller = [position for position, _ in positions if position is not None]
        errors += [error for _, error in await self._publish(smaller)]
        done(not errors or _failed(errors[0]))

    async def _publish(self, appends: Sequence[Append]) -> list[tuple[Append, BaseException]]:
        """Carry what is there; returns what could not be."""
        results = await asyncio.gather(*map(self.carrier.publish, appends), return_exceptions=True)
        pairs = zip(appends, results, strict=True)
        return [(append, result) for append, result in pairs if isinstance(result, BaseException)]


_tasks: Final[set[asyncio.Task[None]]] = set()


def _in_loop(
    loop: asyncio.AbstractEventLoop, work: Callable[..., Coroutine[Any, Any, None]], *values: Any
) -> bool:
    """Start work in a loop from any thread; False if the loop has ended."""

    def start() -> None:
        task = loop.create_task(work(*values))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    try:
        loop.call_soon_threadsafe(start)
    except RuntimeError:
        return False
    return True


def _failed(error: BaseException) -> bool:
    telemetry.count("journal.not_carried", error=repr(error))
    logger.warning("What is in the journal cannot be handed on at the moment: %r", error)
    return False
