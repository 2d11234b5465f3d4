"""What counts in one process: it hears facts, and writes the figures where others find them."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import copy
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from channels import telemetry
from channels.observability.metrics.counting.facts import FACTS
from channels.observability.metrics.counting.latency import LayerLatency, layers_to_measure
from channels.observability.metrics.counting.probes import GCPauses, LoopProbe, StoreOfTasks, timed_handlers
from channels.observability.metrics.counting.sources import look
from channels.observability.metrics.directory import Directory, Place
from channels.observability.metrics.families import FAMILIES
from channels.observability.metrics.samples import Labels, Samples
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
        self._lock = threading.RLock()  # what finds a label may tell something itself
        self._stopping = threading.Event()
        self._writing = threading.Lock()  # who finds the directory deleted takes a new place, and only one
        self._place: Place | None = None
        self._detach = telemetry.attach(self._hear)
        self._unwrap = telemetry.wrap_handlers(partial(timed_handlers, self))
        self._pauses = GCPauses()
        self._probes: list[LoopProbe | LayerLatency] = []
        self._store = StoreOfTasks()
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
            self._pauses.drain(self._samples)
            found = copy.deepcopy(self._samples)
        look(found, self.kind, self._before)
        self._store.look(found)
        return found

    def observe(self, name: str, value: float, labels: Labels = ()) -> None:
        """Note a value of a histogram; in any thread."""
        with self._lock:
            self._samples.observe(name, value, labels)

    def noting(self, name: str, labels: Labels) -> Callable[[float], None]:
        """Return what notes values of a histogram, in any thread; its labels are looked up this once."""
        lock, bounds = self._lock, FAMILIES[name].buckets
        with lock:
            histogram = self._samples.histogram(name, labels)

        def note(value: float) -> None:
            with lock:
                histogram.observe(bounds, value)

        return note

    def measure_loop(self) -> None:
        """Measure how late the running event loop is, and layers from it; nothing if none runs here."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self._probes.append(LoopProbe(self))
        self._probes += [LayerLatency(layer, alias, self) for alias, layer in layers_to_measure().items()]

    def total(self) -> Samples:
        """Return the figures of all processes of this machine."""
        if self._directory is None:
            return self.samples()
        self.write()
        return self._directory.read()

    def write(self) -> None:
        """Write the figures of this process where others find them; whoever else writes is waited for."""
        with self._writing:
            if self._place is None or self._directory is None:
                return
            try:
                self._place.write(self.samples())
            except FileNotFoundError:  # somebody has cleaned up
                self._place.leave()
                self._place = self._directory.join()
                self._place.write(self.samples())

    def _write_on(self) -> None:
        pause = 0.0  # the first time at once: one that is killed a moment later has been there
        while not self._stopping.wait(pause):
            begun = time.thread_time()
            try:
                self.write()
            except Exception:
                logger.exception("The metrics of this process could not be written; it is tried again.")
            pause = max(self._interval, _SHARE * (time.thread_time() - begun))

    def stop(self) -> None:
        """Hear nothing more, and write the figures for the last time."""
        self._let_go()
        with self._writing:
            place, self._place = self._place, None
            if place is not None:
                with contextlib.suppress(FileNotFoundError):  # somebody has deleted the directory
                    place.write(self.samples())
                place.leave()

    def _let_go(self) -> None:
        self._detach()
        self._unwrap()
        self._pauses.close()
        for probe in self._probes:
            probe.close()
        self._stopping.set()

    def abandon(self) -> None:
        """Leave it to the parent of this process, which goes on: this is the child of a fork."""
        self._let_go()
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
