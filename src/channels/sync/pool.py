"""The pool: worker threads, and the strands in which connections wait for them.

What waits is not one queue of calls but one queue of connections. A worker takes the strand
that has waited longest, does *one* piece of its work, and puts the strand back at the end if
there is more: a strand with much work does not hold up one with little.

Where the next piece of a strand is done depends on what the last one left behind in its thread:

- A transaction or a cursor that is open: the strand is *bound*. Its work is done in that thread
  only, and no other strand's work until it is not bound any more.
- Nothing: the strand *prefers* this thread until the handler is over (:meth:`Strand.leave`). Its
  next work is done there if the thread is idle, and in any other thread if it is not.

The preferred thread of an *exclusive* strand, that of a request, does the work of no other strand while
another thread is free or may be started: thread-locals of one request are not seen by another. Other
strands share their preferred threads, as all share one in Channels. An idle connection holds no thread.

A second worker is woken only when the queue has not moved for :data:`STALL` seconds.
Handlers that compute do not gain from more threads, as only one runs Python at a time, and
waking one costs more than a small handler; a handler that waits delays the queue by this
millisecond at most. A worker that has been idle for a minute ends, but for the last one.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from channels.sync.growth import CORE, Growth
from channels.sync.strands import NoHooks, Strand, ThreadHooks, Work, Worker

__all__ = ["Pool", "Strand", "Work", "Worker"]

#: Seconds for which the queue may stand still before another thread is woken.
STALL: Final = 0.001
#: Seconds after which an idle worker ends.
KEEP: Final = 60.0


class Pool:
    """Threads that work off strands.

    Args:
        size: called for the number of threads there may be; read before each start of one.
        name: the beginning of the threads' names.
        keep: seconds after which an idle thread ends.
        hooks: called in the threads around the work; None if work leaves nothing open in a thread.

    Attributes:
        idle: the workers that wait for work; to be read.
        ready: the strands that wait for any worker to take them; to be read.
        pinned: how many strands have a worker of their own at the moment.
        moved_at: when the queue last moved, in ``time.monotonic()``.
        taken_at: when a worker last took work from a queue, in ``time.monotonic()``.
    """

    def __init__(
        self,
        size: Callable[[], int],
        name: str = "channels",
        keep: float = KEEP,
        hooks: ThreadHooks | None = None,
    ) -> None:
        self.hooks = hooks or NoHooks()
        self.keep = keep
        self.size = size
        self._name = name
        self.reset()

    def reset(self) -> None:
        """Forget all threads and their work: a forked process has none of them."""
        self.lock = threading.Lock()
        self.workers: list[Worker] = []
        self.pinned = 0
        self.ready: deque[Strand] = deque()
        self.idle: list[Worker] = []
        self.moved_at = 0.0
        self.taken_at = 0.0
        self._most = 1
        self._growth = Growth()
        self._numbers = itertools.count(1)

    @property
    def is_full(self) -> bool:
        """Whether no thread is idle, and none can be started, as far as was known at the last start."""
        return not self.idle and len(self.workers) >= self._most

    def statistics(self) -> dict[str, int]:
        """Return how many threads there are, how many are idle or bound, and how many strands wait."""
        with self.lock:
            return {
                "threads": len(self.workers),
                "idle": len(self.idle),
                "bound": sum(worker.is_bound for worker in self.workers),
                "waiting": len(self.ready),
            }

    # Queueing work, and choosing the workers for it

    def put(self, strand: Strand, work: Work, whole: bool = False) -> None:
        """See :meth:`Strand.put`.

        A strand waits at the worker it is bound to, else at the preferred one if that is idle, else for any.
        """
        with self.lock:
            strand.works.append(work)
            strand.leaving |= whole
            if strand.queued:
                return
            strand.queued = True
            worker = strand.worker
            if worker is not None and worker.stopping:
                self._unpin(strand)
            elif worker is not None and (
                strand.bound or (worker.idle and worker.reserved_for in (None, strand))
            ):
                worker.own.append(strand)
                self._wake(worker)
                return
            if not self.ready:
                self.moved_at = time.monotonic()
            self.ready.append(strand)
            if len(self.idle) == len(self.workers):
                self._add_worker()

    def withdraw(self, strand: Strand, work: Work) -> bool:
        """See :meth:`Strand.withdraw`."""
        with self.lock:
            try:
                strand.works.remove(work)
            except ValueError:
                return False
            return True

    def expired(self, before: float) -> list[Any]:
        """Take the work out of the queue that may expire and was queued up to ``before``."""
        with self.lock:
            waiting = [strand for strand in self.ready if strand.works]
            return [strand.works.pop(0) for strand in waiting if _queued_at(strand.works[0]) <= before]

    def grow_if_stalled(self) -> bool:
        """Put one more thread to work if the queue has not moved for :data:`STALL` seconds.

        Returns:
            False if every thread is busy and no more may be started.
        """
        with self.lock:
            now = time.monotonic()
            if not self.ready or now - self.moved_at < STALL:
                return True
            self.moved_at = now
            if self.idle or len(self.workers) < CORE or self._growth.helps(now - self.taken_at):
                return self._add_worker()
            return True

    def note_progress(self) -> None:
        """Note that work which consists of many small calls gets on, so that no thread is added for it."""
        self.moved_at = time.monotonic()

    def _add_worker(self, *, only_free: bool = False) -> bool:
        """Wake an idle worker, preferably one that serves no handler, or start one.

        Args:
            only_free: leave alone those that a request prefers, which are the last choice otherwise.
        """
        worker = self.idle[-1] if self.idle else None  # most times that is the one
        if worker is not None and worker.pins:
            worker = next((one for one in reversed(self.idle) if not one.pins), None)
        if worker is None and len(self.workers) >= CORE:
            worker = next((one for one in reversed(self.idle) if one.reserved_for is None), None)
        if worker is None:
            self._most = self.size()
            if len(self.workers) < self._most:
                worker = Worker(self, f"{self._name}-{next(self._numbers)}")
                self.workers.append(worker)
                worker.thread.start()
                return True
        if worker is None and not only_free:
            unbound = (one for one in self.idle if not one.is_bound)
            worker = min(unbound, key=attrgetter("since"), default=None)
        if worker is not None:
            self._wake(worker)
        return worker is not None

    def _wake(self, worker: Worker) -> None:
        if worker.idle:
            worker.idle = False
            self.idle.remove(worker)
            worker.notices.put(None)

    # Which thread a strand is bound to or prefers

    def leave(self, strand: Strand) -> None:
        """See :meth:`Strand.leave`."""
        abandons = False
        with self.lock:
            worker = strand.worker
            if strand.queued:
                strand.leaving = True
            elif strand.bound:
                abandons = strand.ended and self._must_abandon(strand)
            else:
                self._unpin(strand)
                if (
                    worker is not None
                    and worker.idle
                    and not worker.pins
                    and self.hooks.has_stale(worker.thread)
                ):
                    worker.notices.put(None)
        if abandons:
            self.put(strand, self.hooks.abandon)

    def _must_abandon(self, strand: Strand) -> bool:
        """Whether closing what an ended connection has left open has to be its last work; said once."""
        if strand.works or strand.abandoned:
            return False
        strand.abandoned = True
        return True

    def _unpin(self, strand: Strand, leaving: bool = False) -> None:
        worker = strand.worker
        if worker is not None:
            worker.pins -= 1
            self.pinned -= 1
            strand.worker = None
            if worker.reserved_for is strand:
                worker.reserved_for = None
        strand.bound = False
        strand.leaving = leaving

    def _put_back(self, worker: Worker, strand: Strand, bound: bool) -> None:
        """Note what a piece of work has left behind: ``bound`` says whether something is open."""
        if bound and not (strand.ended and strand.abandoned):
            strand.bound, strand.leaving = True, False
            worker.reserved_for = strand
            if strand.ended and self._must_abandon(strand):
                strand.works.append(self.hooks.abandon)
        elif strand.leaving or (strand.ended and not strand.works):
            self._unpin(strand)
        elif strand.bound:
            strand.bound = False
            worker.reserved_for = strand if strand.exclusive else None
        if not strand.works:
            strand.queued = False
        elif strand.worker is not None and (strand.bound or strand.exclusive):
            worker.own.append(strand)
        else:
            self.ready.append(strand)

    # For the workers

    def next(self, worker: Worker, done: Strand | None, bound: bool = False) -> tuple[Strand, Work] | None:
        """Give a worker its next piece of work, after it has done one for the strand ``done``.

        Args:
            worker: who asks.
            done: whose work it has done; None if it has done none.
            bound: whether that work left something open in the thread.

        Returns:
            None if there is none; then the worker is idle, or has to end if it is ``stopping``.
        """
        with self.lock:
            if done is not None:
                self._put_back(worker, done, bound)
            while (strand := self._choose(worker)) is not None:
                if strand.works:
                    self.moved_at = self.taken_at = worker.since = time.monotonic()
                    return strand, strand.works.pop(0)
                strand.leaving = True  # its work was withdrawn
                self._put_back(worker, strand, strand.bound)
            if not worker.stopping:
                worker.idle = True
                self.idle.append(worker)
            return None

    def _choose(self, worker: Worker) -> Strand | None:
        """Take a strand: by turns one of the worker's own and one that waits for any worker.

        The latter prefers this worker from now on, which is reserved for it if it is exclusive.
        """
        if worker.own:
            worker.own_turn = not worker.own_turn
            if worker.own_turn or not self.ready or worker.is_bound:
                return worker.own.popleft()
        if not self.ready:
            return None
        if (
            worker.reserved_for is not None
            and worker.reserved_for is not self.ready[0]
            and self._delegated(worker)
        ):
            return worker.own.popleft() if worker.own else None
        strand = self.ready.popleft()
        if worker.own:  # none of them is bound: they must not wait for this strand's work
            self.ready += worker.own
            worker.own.clear()
        if strand.worker is not worker:
            if strand.worker is not None:
                self._unpin(strand, leaving=strand.leaving)
            strand.worker = worker
            worker.pins += 1
            self.pinned += 1
        worker.reserved_for = strand if strand.exclusive else None
        return strand

    def _delegated(self, worker: Worker) -> bool:
        """Whether another worker has to do, or can do, what waits, so that this one stays reserved."""
        if worker.is_bound:
            self._add_worker()
            return True
        return self._add_worker(only_free=True)

    def retire(self, worker: Worker) -> bool:
        """Let a worker end that has been idle for long; not the last one, and none with a bound strand."""
        with self.lock:
            if not worker.idle or worker.is_bound or len(self.workers) == 1:
                return False
            worker.idle, worker.stopping = False, True
            self.idle.remove(worker)
            self.workers.remove(worker)
            return True

    def held_for(self) -> float:
        """Return for how many seconds every thread there may be has been held; 0 if one is free."""
        with self.lock:
            if len(self.workers) < self.size():
                return 0.0
            if any(worker.doing is None and not worker.is_bound for worker in self.workers):
                return 0.0
            return time.monotonic() - max(worker.since for worker in self.workers)

    def stop(self, timeout: float | None = None) -> bool:
        """End the threads, after what is waiting now; later work starts new ones.

        Args:
            timeout: seconds to wait for each piece of work, from its beginning, and for all that
                waits; None without end. What has been at it for longer already is not waited for.

        Returns:
            False if some have not ended in time.
        """
        with self.lock:
            workers, self.workers = self.workers, []
            self.idle.clear()
            for worker in workers:
                worker.stopping = True
                worker.notices.put(None)
        now = time.monotonic()
        for worker in workers:
            end = None if timeout is None else worker.deadline(now, timeout)
            worker.thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(worker.thread.is_alive() for worker in workers)


def _queued_at(work: Work) -> float:
    """Return since when work waits that may expire; most may not."""
    return getattr(work, "queued_at", 0.0) or math.inf
