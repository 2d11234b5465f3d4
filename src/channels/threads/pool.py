"""The pool: worker threads, and the lanes in which connections wait for them.

What waits is not one queue of calls but one queue of connections. A worker takes the lane
that has waited longest, does *one* piece of its work, and puts the lane back at the end if
there is more: whoever asks for much does not hold up those who ask for little.

A lane that a worker has begun stays with that worker until the handler is over
(:meth:`Lane.leave`): open transactions, cursors and thread-locals belong to the thread. A
worker may be shared by several such lanes. An idle connection holds no thread.

A second worker is woken only when the queue has not moved for :data:`STALL` seconds.
Handlers that compute do not gain from more threads, as only one runs Python at a time, and
waking one costs more than a small handler; those that wait give their turn away after this
millisecond.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: A piece of work; it must not raise.
Work = Callable[[], object]

#: Seconds for which the queue may stand still before another thread is woken.
STALL: Final = 0.001
#: Seconds an idle worker may go without looking whether its database connections are due.
REST: Final = 60.0


class Pool:
    """Threads that work off lanes.

    Args:
        size: called for the number of threads there may be; read before each start of one.
        name: the beginning of the threads' names.

    Attributes:
        tidy: called by a worker that has nothing to do and serves no handler; closes what is
            due and returns in how many seconds it wants to be called again, or None.
        is_untidy: whether ``tidy`` has something to do in a thread; asked from outside of it.
        farewell: called by a worker that ends.
        pinned: how many lanes have a worker of their own at the moment.
    """

    def __init__(self, size: Callable[[], int], name: str = "channels") -> None:
        self.tidy: Callable[[], float | None] = _nothing_to_tidy
        self.is_untidy: Callable[[threading.Thread], bool] = _is_tidy
        self.farewell: Callable[[], None] = _nothing_to_leave
        self._size = size
        self._name = name
        self.reset()

    def reset(self) -> None:
        """Forget all threads and their work: a forked process has none of them."""
        self.lock = threading.Lock()
        self.workers: list[Worker] = []
        self.pinned = 0
        self._ready: deque[Lane] = deque()
        self._idle: list[Worker] = []
        self._moved_at = 0.0
        self._numbers = itertools.count(1)

    @property
    def waiting(self) -> int:
        """How many lanes wait for any worker to take them."""
        return len(self._ready)

    def statistics(self) -> dict[str, int]:
        """Return how many threads there are, how many of them are idle, and how many lanes wait."""
        with self.lock:
            return {"threads": len(self.workers), "idle": len(self._idle), "waiting": len(self._ready)}

    def put(self, lane: Lane, work: Work, whole: bool = False) -> None:
        """See :meth:`Lane.put`."""
        with self.lock:
            lane.works.append(work)
            lane.leaving |= whole
            if lane.queued:
                return
            lane.queued = True
            if lane.worker is not None and lane.worker.stopping:
                self._unpin(lane)
            if lane.worker is not None:
                lane.worker.own.append(lane)
                self._wake(lane.worker)
            else:
                self._enqueue(lane)

    def _enqueue(self, lane: Lane) -> None:
        if not self._ready:
            self._moved_at = time.monotonic()
        self._ready.append(lane)
        if len(self._idle) == len(self.workers):
            self._add_worker()

    def withdraw(self, lane: Lane, work: Work) -> bool:
        """See :meth:`Lane.withdraw`."""
        with self.lock:
            try:
                lane.works.remove(work)
            except ValueError:
                return False
            return True

    def relieve(self) -> None:
        """Put one more thread to work if the queue has not moved for :data:`STALL` seconds."""
        with self.lock:
            if self._ready and time.monotonic() - self._moved_at >= STALL:
                self._moved_at = time.monotonic()
                self._add_worker()

    def moves(self) -> None:
        """Note that a piece of work gets on, one small call after the other: nobody is needed for relief."""
        self._moved_at = time.monotonic()

    def _add_worker(self) -> None:
        """Wake an idle worker, preferably one that serves no handler, or start one; none if all work."""
        free = next((worker for worker in reversed(self._idle) if not worker.pins), None)
        if free is None and len(self.workers) < self._size():
            self._start_worker()
        elif free is not None or self._idle:
            self._wake(free or self._idle[-1])

    def _start_worker(self) -> None:
        worker = Worker(self, f"{self._name}-{next(self._numbers)}")
        self.workers.append(worker)
        worker.thread.start()

    def _wake(self, worker: Worker) -> None:
        if worker.idle:
            worker.idle = False
            self._idle.remove(worker)
            worker.tap()

    def leave(self, lane: Lane) -> None:
        """See :meth:`Lane.leave`."""
        with self.lock:
            if lane.queued:
                lane.leaving = True
                return
            worker = lane.worker
            self._unpin(lane)
            if worker is not None and worker.idle and not worker.pins and self.is_untidy(worker.thread):
                worker.tap()

    def _unpin(self, lane: Lane) -> None:
        if lane.worker is not None:
            lane.worker.pins -= 1
            self.pinned -= 1
            lane.worker = None
        lane.leaving = False

    def next(self, worker: Worker, done: Lane | None) -> tuple[Lane, Work] | None:
        """Give a worker its next piece of work, after it has done one for the lane ``done``.

        Returns:
            None if there is none; then the worker is idle, or has to end if it is ``stopping``.
        """
        with self.lock:
            if done is not None:
                self._put_back(worker, done)
            while (lane := worker.choose(self._ready)) is not None:
                if lane.works:
                    self._moved_at = time.monotonic()
                    return lane, lane.works.pop(0)
                lane.leaving = True  # its work was withdrawn
                self._put_back(worker, lane)
            if not worker.stopping:
                worker.idle = True
                self._idle.append(worker)
            return None

    def is_resting(self, worker: Worker, tapped: bool) -> bool:
        """Whether a worker that was ``tapped``, or has waited long enough, is still idle."""
        with self.lock:
            worker.untap(tapped)
            return worker.idle and not worker.stopping

    def pin(self, lane: Lane, worker: Worker) -> None:
        """Keep ``lane`` with ``worker``; called with the lock held."""
        lane.worker = worker
        worker.pins += 1
        self.pinned += 1

    def _put_back(self, worker: Worker, lane: Lane) -> None:
        if lane.leaving or (lane.ended and not lane.works):
            self._unpin(lane)
        if not lane.works:
            lane.queued = False
        elif lane.worker is None:
            self._ready.append(lane)
        else:
            worker.own.append(lane)

    def stop(self, timeout: float | None = None) -> bool:
        """End the threads, after what is waiting now; later work starts new ones.

        Args:
            timeout: seconds to wait for them; None without end.

        Returns:
            False if some have not ended in time.
        """
        with self.lock:
            workers, self.workers = self.workers, []
            self._idle.clear()
            for worker in workers:
                worker.stopping = True
                worker.tap()
        deadline = None if timeout is None else time.monotonic() + timeout
        for worker in workers:
            worker.thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(worker.thread.is_alive() for worker in workers)


class Worker:
    """One thread of the pool.

    Attributes:
        own: lanes that are pinned to it and have work.
        pins: how many lanes are pinned to it.
        doing: the work it does at the moment.
        since: when it began that.
        idle: it waits for work.
        stopping: it ends when there is nothing to do.
        reported: whether the log has been told how long it takes.
    """

    __slots__ = (
        "_own_turn",
        "_pool",
        "_signal",
        "_tapped",
        "doing",
        "idle",
        "own",
        "pins",
        "reported",
        "since",
        "stopping",
        "thread",
    )

    def __init__(self, pool: Pool, name: str) -> None:
        self._pool = pool
        self._own_turn = False
        self._signal = threading.Lock()
        self._signal.acquire()
        self._tapped = False
        self.own: deque[Lane] = deque()
        self.pins = 0
        self.doing: Work | None = None
        self.since = 0.0
        self.reported = False
        self.idle = False
        self.stopping = False
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def tap(self) -> None:
        """Wake it up; with the pool's lock held, as the following methods."""
        if not self._tapped:
            self._tapped = True
            self._signal.release()

    def untap(self, noticed: bool) -> None:
        """Be ready for the next tap; the last one may have come unnoticed, when the wait was over."""
        if self._tapped and not noticed:
            self._signal.acquire()
        self._tapped = False

    def choose(self, ready: deque[Lane]) -> Lane | None:
        """Take a lane: by turns one of its own and one that waits for anybody."""
        self._own_turn = not self._own_turn
        if self.own and (self._own_turn or not ready):
            return self.own.popleft()
        if not ready:
            return None
        lane = ready.popleft()
        self._pool.pin(lane, self)
        return lane

    def _run(self) -> None:
        lane: Lane | None = None
        while (task := self._pool.next(self, lane)) is not None or not self.stopping:
            if task is None:
                lane = None
                self._rest()
                continue
            lane, self.doing = task
            self.since, self.reported = time.monotonic(), False
            self.doing()
            self.doing = task = None
        self._pool.farewell()

    def _rest(self) -> None:
        """Wait for work; meanwhile look after what this thread keeps open."""
        while True:
            patience = REST if self.pins else self._pool.tidy()
            tapped = self._signal.acquire(timeout=-1 if patience is None else patience)
            if not self._pool.is_resting(self, tapped):
                return


class Lane(Executor):
    """The sync work of one connection: one piece at a time, in order.

    It is an Executor, so that asgiref can send what users give to ``sync_to_async`` the same way.

    Attributes:
        ended: the connection is over; what still comes is done, but keeps no thread.
    """

    __slots__ = ("ended", "leaving", "pool", "queued", "worker", "works")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.works: list[Work] = []  # an empty deque takes 760 bytes, for each connection
        self.worker: Worker | None = None
        self.queued = False
        self.leaving = False
        self.ended = False

    def put(self, work: Work, whole: bool = False) -> None:
        """Have ``work`` done in a thread, after what is there already.

        Args:
            work: called without arguments; it must not raise.
            whole: it is a whole handler: after it the lane has no thread any more.
        """
        self.pool.put(self, work, whole)

    def withdraw(self, work: Work) -> bool:
        """Take ``work`` back; returns False if it has begun."""
        return self.pool.withdraw(self, work)

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have ``fn(*args, **kwargs)`` called in a thread; see concurrent.futures."""
        future: Future[_R] = Future()
        self.put(partial(_fulfil, future, partial(fn, *args, **kwargs)))
        return future

    def leave(self) -> None:
        """The handler is over: the thread it was done in is nobody's any more."""
        if self.worker is not None:
            self.pool.leave(self)


def _fulfil(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


def _nothing_to_tidy() -> float | None:
    return None


def _is_tidy(_: threading.Thread) -> bool:
    return False


def _nothing_to_leave() -> None:
    return None
