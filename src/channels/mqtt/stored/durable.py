"""The writing of one session: what is stored before others are told, and what may wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from channels import telemetry
from channels.mqtt.stored.record import OWNER_BITS, Mark
from channels.protocols.mqtt.packets import Publish, PubRel
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.values import Value, Values

#: Seconds until an acknowledgement of QoS 1 is stored: after a kill the client gets these messages again.
LAZY: Final = 1.0
#: Seconds that a record is kept beyond the expiry of its session. It is written at least twice in that time.
GRACE: Final = 3600.0


class Overtaken(StoreUnavailable):
    """Another process has the session."""


class Snapshot(Protocol):
    """The session that is stored, as its writing needs it."""

    def stored(self) -> tuple[bytes, float]:
        """Return its record, and for how many seconds it is to be kept."""
        ...

    def send_stored(self, packet: Publish | PubRel) -> None:
        """Send what had to be stored first."""

    def overtaken(self) -> None:
        """End the connection: another process has the session."""

    def store_failed(self) -> None:
        """End the connection: what is to be sent cannot be stored."""


class Durable:
    """The record of one session.

    Args:
        key: of the record.
        owner: the number of this process among those that have had the session.
        values: where it is stored.
        spawn: runs a coroutine.

    Attributes:
        marks: by topic, what the client was sent, unless the router knows something later.
        behind: topics of which it has not got what it missed.
        places: by packet identifier, where messages are that it has not acknowledged.
        owner: see above.
    """

    def __init__(
        self, key: str, owner: int, values: Values, spawn: Callable[[Coroutine[Any, Any, object]], None]
    ) -> None:
        self._key, self._values, self._spawn = key, values, spawn
        self.owner = owner
        self._version = owner << OWNER_BITS
        self.marks: dict[str, Mark] = {}
        self.behind: set[str] = set()
        self.places: dict[int, Mark] = {}
        self._session: Snapshot | None = None
        self._lock = asyncio.Lock()
        self._asked = self._written = 0
        self._held: list[Publish | PubRel] = []
        self._turn, self._flushing = 0, -1
        self._timer: asyncio.TimerHandle | None = None

    def of(self, session: Snapshot) -> None:
        """Say which session it is."""
        self._session = session

    async def commit(self) -> None:
        """Store the session as it is now; calls that wait for each other share a write.

        Raises:
            Overtaken: another process has it.
            StoreUnavailable: the store does not answer.
        """
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._written >= mine or self._session is None:
                return
            covers = self._asked
            data, ttl = self._session.stored()
            await self._put(data, ttl)
            self._written = covers

    async def _put(self, data: bytes, ttl: float) -> None:
        self._version += 1
        if not await self._values.put(self._key, Value(self._version, data), ttl):
            if self._session is not None:
                self._session.overtaken()
            raise Overtaken("Another process has the session of this client.")

    async def settle(self) -> None:
        """Store the session if that is possible."""
        self._stop_timer()
        try:
            await self.commit()
        except Overtaken:
            pass
        except StoreUnavailable as error:
            telemetry.count("mqtt.session_not_stored", error=str(error))

    def soon(self) -> None:
        """Store the session within a second."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LAZY, self._spawn_settle)

    def _spawn_settle(self) -> None:
        self._timer = None
        self._spawn(self.settle())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def erase(self) -> None:
        """Note that the session has ended; nothing is written after that."""
        self.close()
        async with self._lock:
            with contextlib.suppress(StoreUnavailable):
                await self._put(b"", GRACE)

    def close(self) -> None:
        """Write nothing more: the session has ended here."""
        self._stop_timer()
        self._session = None
        self.forget_held()

    # What is sent when it is stored

    def hold(self, packet: Publish | PubRel) -> None:
        """Send a packet of QoS 2 when the session was stored: a client that comes back gets no second one."""
        self._held.append(packet)
        if self._flushing != self._turn:
            self._flushing = self._turn
            self._spawn(self._flush(self._turn))

    def forget_held(self) -> None:
        """Send nothing of what was held: the connection is another one, and resends all."""
        self._held.clear()
        self._turn += 1

    async def _flush(self, turn: int) -> None:
        try:
            while turn == self._turn and self._held:
                await self._flush_once(turn)
        except Overtaken:
            pass  # it has been told
        except StoreUnavailable:
            if self._session is not None:
                self._session.store_failed()
        if self._flushing == turn:
            self._flushing = -1

    async def _flush_once(self, turn: int) -> None:
        held, self._held = self._held, []
        await self.commit()
        for packet in held:
            if turn == self._turn and self._session is not None:
                self._session.send_stored(packet)
