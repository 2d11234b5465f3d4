"""What counts in one process: it hears facts, and writes the figures where others find them."""

from __future__ import annotations

import atexit
import copy
import logging
import threading
import time
from typing import Any, Final

from channels import telemetry
from channels.observability.metrics.directory import Directory, Place
from channels.observability.metrics.facts import FACTS
from channels.observability.metrics.samples import Samples
from channels.observability.metrics.sources import look
from channels.process.platforms import after_fork_in_child

logger = logging.getLogger("channels.observability")

#: Seconds between two writes: so old the figures of other processes are at most, and so much a kill loses.
INTERVAL: Final = 1.0
#: A process with so many connections that a write takes long writes less often: this many times as long.
_SHARE: Final = 100


class Recorder:
    """Counts what happens in this process.

    Args:
        kind: what the process is for: ``"server"``, ``"tasks"``, ``"worker"``, ``"command"``.
        directory: where the figures of all processes meet; None: this one is alone.
        interval: seconds between two writes.

    Attributes:
        kind: see above.
    """

    def __init__(self, kind: str, directory: Directory | None, interval: float = INTERVAL) -> None:
        self.kind = kind
        self._directory, self._interval = directory, interval
        self._samples = Samples()
        self._before = dict(telemetry.counters)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._place: Place | None = None
        self._detach = telemetry.attach(self._hear)
        self._join()

    def _join(self) -> None:
        if self._directory is not None:
            self._place = self._directory.join()
            threading.Thread(target=self._write_on, name="metrics", daemon=True).start()

    def _hear(self, event: str, facts: dict[str, Any]) -> None:
        fact = FACTS.get(event)
        if fact is not None:
            with self._lock:
                fact(self._samples, facts)

    def samples(self) -> Samples:
        """Return the figures of this process as they are now."""
        with self._lock:
            found = copy.deepcopy(self._samples)
        look(found, self.kind, self._before)
        return found

    def total(self) -> Samples:
        """Return the figures of all processes of this machine."""
        if self._directory is None:
            return self.samples()
        self.write()
        return self._directory.read()

    def write(self) -> None:
        """Write the figures of this process where others find them."""
        if self._place is not None:
            self._place.write(self.samples())

    def _write_on(self) -> None:
        pause = self._interval
        while not self._stopping.wait(pause):
            begun = time.thread_time()
            try:
                self.write()
            except Exception:
                logger.exception("The metrics of this process could not be written; it is tried again.")
            pause = max(self._interval, _SHARE * (time.thread_time() - begun))

    def stop(self) -> None:
        """Hear nothing more, and write the figures for the last time."""
        self._detach()
        self._stopping.set()
        place, self._place = self._place, None
        if place is not None:
            place.write(self.samples())
            place.leave()

    def abandon(self) -> None:
        """Leave it to the parent of this process, which goes on: this is the child of a fork."""
        self._detach()
        self._stopping.set()
        if self._place is not None:
            self._place.leave()  # our copy of the descriptor: that of the parent still holds the lock


_recorder: Recorder | None = None


def recorder() -> Recorder | None:
    """Return what counts in this process; None where metrics are off."""
    return _recorder


def start(kind: str, directory: Directory | None, interval: float = INTERVAL) -> Recorder:
    """Count in this process from now on; started twice, the first one goes on."""
    global _recorder
    if _recorder is None:
        _recorder = Recorder(kind, directory, interval)
        atexit.register(stop)
    return _recorder


def stop() -> None:
    """Count nothing more, and write the figures for the last time; harmless where nothing counts."""
    global _recorder
    stopped, _recorder = _recorder, None
    if stopped is not None:
        atexit.unregister(stop)
        stopped.stop()


def _forked() -> None:
    """Count nothing in the child of a fork; one that serves begins anew."""
    global _recorder
    forked, _recorder = _recorder, None
    if forked is not None:
        forked.abandon()


after_fork_in_child(_forked)
