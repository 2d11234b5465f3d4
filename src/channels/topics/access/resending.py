"""What could not be told to other nodes as it was said: told again in a thread, until they hear it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from channels import telemetry
from channels.topics.control import AccessChanged
from channels.topics.stores.base import StoreUnavailable

#: Messages that wait; more become one by which every node looks at everybody.
LIMIT: Final = 1_000
#: Seconds after which a message is given up: the checks that nodes make now and then have found it by then.
GIVE_UP: Final = 300.0
#: Seconds between two attempts, first and at most.
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0


class Resender:
    """Messages that wait for a store that does not answer.

    Args:
        send: tells all nodes; raises StoreUnavailable.
    """

    def __init__(self, send: Callable[[AccessChanged], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, AccessChanged]] = deque()
        self._thread: threading.Thread | None = None

    def send(self, message: AccessChanged) -> None:
        """Tell all nodes, now or as soon as the store answers."""
        try:
            self._send(message)
        except StoreUnavailable as error:
            telemetry.count("topics.announcement_delayed", error=str(error))
            self._keep(message)

    def _keep(self, message: AccessChanged) -> None:
        with self._lock:
            if len(self._waiting) >= LIMIT:
                self._waiting.clear()
                message = AccessChanged(permissions=True)
            self._waiting.append((time.monotonic() + GIVE_UP, message))
            if self._thread is None or not self._thread.is_alive():  # it does not live on in a fork
                self._thread = threading.Thread(target=self._run, name="topics-resender", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        wait = FIRST_WAIT
        while self._rest():
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
            try:
                while (message := self._next()) is not None:
                    self._send(message)
                    with self._lock:
                        if self._waiting and self._waiting[0][1] is message:
                            self._waiting.popleft()
            except StoreUnavailable:
                continue

    def _rest(self) -> bool:
        """Whether there is more to do; if not, this thread ends."""
        with self._lock:
            if not self._waiting:
                self._thread = None
            return bool(self._waiting)

    def _next(self) -> AccessChanged | None:
        """Return what is to be sent first, without what has waited for too long."""
        with self._lock:
            while self._waiting and self._waiting[0][0] < time.monotonic():
                self._waiting.popleft()
                telemetry.count("topics.announcement_lost")
            return self._waiting[0][1] if self._waiting else None
