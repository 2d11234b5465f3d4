"""Numbered publications on their way to other processes, through the store beside the channel layer.

The carrier numbers and keeps nothing of them: offset and epoch stand with the record in the payload of a
publication, whose key says so. In one process there is no need for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec

from channels import telemetry
from channels.journal.tables.streams import Numbered
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Append, Store
from channels.topics.stores.memory import MemoryStore
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
    data = msgspec.Raw(_encode((offset, epoch, numbered.record)))
    return Append(numbered.topic, Publication(data=data, key=KEY))


def plain(numbered: Numbered) -> Append:
    """Return what the store of one process hands on."""
    offset, epoch = numbered.position
    return Append(numbered.topic, decode_publication(numbered.record, offset, epoch if offset else ""))


def opened(publication: Publication) -> Publication:
    """Return what was carried; raises msgspec.DecodeError."""
    if publication.key != KEY:
        return publication
    offset, epoch, record = _decode(bytes(publication.data))
    return decode_publication(record, offset, epoch)


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
                self.carrier.sync.publish(append)
        except Exception as error:
            return _failed(error)
        return True

    async def acarry(self, appends: Sequence[Append], done: Done) -> None:
        """Hand publications on from the running loop: those of one turn leave in one write."""
        results = await asyncio.gather(*map(self.carrier.publish, appends), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        done(not errors or _failed(errors[0]))


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
