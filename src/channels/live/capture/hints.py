"""Telling processes that serve live queries what has changed.

Many commits in a short time are told together, the last of them by a short-lived thread. A hint that cannot
be sent is counted, and the next one tells of its tables too; or the slow poll of live queries finds it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
import uuid
from typing import Final

import msgspec

from channels import telemetry
from channels.live.capture.changes import Changes, Hint
from channels.live.capture.watched import watched_tables
from channels.process.platforms import after_fork_in_child
from channels.topics.control import Announcement, encode_control
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.manager import get_store

logger = logging.getLogger("channels.live")

#: The name under which hints are announced.
HINTS: Final = "live.hints"
#: Seconds within which what is committed is told together.
WINDOW: Final = 0.02
_encoder: Final = msgspec.msgpack.Encoder(enc_hook=str)
_decoder: Final = msgspec.msgpack.Decoder(Hint)


class HintSender:
    """Sends hints of this process, each window once."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, as another source: in a process that was forked."""
        self._lock = threading.Lock()
        self._source, self._numbers = uuid.uuid4().hex, itertools.count(1)
        self._pending: dict[str, Changes] = {}
        self._lost: dict[str, set[str]] = {}
        self._sent = float("-inf")
        self._timer: threading.Timer | None = None

    def put(self, changes: Changes) -> None:
        """Tell of changes now, or at the end of the window."""
        with self._lock:
            pending = self._pending.setdefault(changes.using, Changes(changes.using))
            pending.update(changes)
            for table in self._lost.pop(changes.using, ()):
                pending.add(table, None)
            if self._timer is not None:
                return
            wait = self._sent + WINDOW - time.monotonic()
            if wait > 0:
                self._timer = threading.Timer(wait, self._flush)
                self._timer.start()  # the end of the process waits for it
                return
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, {}
            self._sent, self._timer = time.monotonic(), None
            hints = [self._hint(changes) for changes in pending.values()]
        try:
            for hint in hints:
                get_store().sync.broadcast(encode_control(Announcement(HINTS, hint)))
        except StoreUnavailable as error:
            for changes in pending.values():
                self.lost(changes, error)

    def lost(self, changes: Changes, error: Exception) -> None:
        """Tell of these tables, without keys, with whatever is told next of this database."""
        telemetry.count("live.hint_lost", error=repr(error))
        with self._lock:
            self._lost.setdefault(changes.using, set()).update(table for table, _ in changes)

    def _hint(self, changes: Changes) -> bytes:
        tables = {table: None if keys is None else list(keys) for table, keys in changes}
        return _encoder.encode(Hint(self._source, next(self._numbers), changes.using, tables))


def tell(changes: Changes) -> None:
    """Tell who serves live queries what was committed; nothing is raised, as that is the user's commit."""
    try:
        found = changes.only(watched_tables(get_store()))
        if found:
            _sender.put(found)
    except StoreUnavailable as error:
        _sender.lost(changes, error)
    except Exception as error:
        _sender.lost(changes, error)
        logger.exception("What has changed in the database could not be told to live queries.")


def read_hint(data: bytes) -> Hint:
    """Return what a process tells; raises msgspec.MsgspecError if it is of another release."""
    return _decoder.decode(data)


_sender: Final = HintSender()
after_fork_in_child(_sender.reset)
