"""Telling processes that serve live queries what has changed.

Many commits in a short time are told together, the last of them by a short-lived thread. A hint that cannot
be sent is counted; the slow poll of live queries finds what it would have told.
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
        self._sent = float("-inf")
        self._timer: threading.Timer | None = None

    def put(self, changes: Changes) -> None:
        """Tell of changes now, or at the end of the window."""
        with self._lock:
            self._pending.setdefault(changes.using, Changes(changes.using)).update(changes)
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
        for hint in hints:
            send_announcement(HINTS, hint)

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
        _lost(error)
    except Exception as error:
        _lost(error)
        logger.exception("What has changed in the database could not be told to live queries.")


def send_announcement(name: str, data: bytes) -> None:
    """Tell all nodes something, from sync code; nothing is raised."""
    try:
        get_store().sync.broadcast(encode_control(Announcement(name, data)))
    except StoreUnavailable as error:
        _lost(error)


def read_hint(data: bytes) -> Hint:
    """Return what a process tells; raises msgspec.MsgspecError if it is of another release."""
    return _decoder.decode(data)


def _lost(error: Exception) -> None:
    telemetry.count("live.hint_lost", error=repr(error))


_sender: Final = HintSender()
after_fork_in_child(_sender.reset)
