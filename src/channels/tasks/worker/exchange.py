"""The thread that speaks with the store: it takes tasks, writes how they ended, and says that we live."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from django.db import Error

from channels import telemetry
from channels.tasks.definition.options import Options
from channels.tasks.definition.states import Move
from channels.tasks.exceptions import StoreUnavailable
from channels.tasks.progress.reporter import Reporter
from channels.tasks.progress.reports import Report
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.records import (
    LOST_WORKER,
    MICROSECONDS,
    Claim,
    Outcome,
    TaskRecord,
    new_owner,
)
from channels.tasks.worker.attempt import Attempt
from channels.tasks.worker.lane import PATIENCE, Lane
from channels.tasks.worker.rounds.liveness import Observer
from channels.tasks.worker.rounds.pruning import Pruning
from channels.tasks.worker.rounds.ticking import Ticking
from channels.tasks.worker.threads import ThreadLane

logger = logging.getLogger("channels.tasks")

#: Seconds in which outcomes gather, while the threads have more to do.
_GATHER: Final = 0.003
#: Seconds to wait after the store has failed: from, to.
_RETRY: Final = (0.1, 5.0)
#: Seconds between two beats of a worker that has nothing to do; its row is kept for a day without any.
_IDLE_BEAT: Final = 600.0


class Exchange:
    """Moves tasks between a store and the lanes of a worker, in a thread of its own.

    Args:
        store: where the tasks are.
        options: of their backend.
        backend: its alias.
        queues: whose tasks are taken; none: all.
        attempt: makes an attempt of a row.
        reporter: publishes how tasks have ended that somebody sees.

    Attributes:
        owner: the name under which it owns tasks.
        claimed_at: when it last took a task, by ``time.monotonic()``.
        claiming: it takes tasks, and is not told to end.
        waited: seconds for which the first of those that it took last could have run; 0 since it found none.
        idle: set when it takes no more tasks, nothing runs, and all is written.
        threads: the lane of sync tasks.
        lanes: all, by the number in rows of tasks.
    """

    def __init__(
        self,
        store: TaskStore,
        options: Options,
        backend: str,
        queues: tuple[str, ...],
        attempt: Callable[[TaskRecord], Attempt],
        reporter: Reporter,
    ) -> None:
        self.owner = new_owner()
        self.claimed_at = self.waited = 0.0
        self.idle = threading.Event()
        self.threads: ThreadLane
        self.lanes: tuple[Lane, ...]
        self._store, self._options, self._backend, self._queues = store, options, backend, queues
        self._attempt, self._reporter = attempt, reporter
        self._observer = Observer(options.lease)
        self._pruning = Pruning(store, options)
        self._ticking = Ticking(store, backend)
        self._outcomes: deque[Outcome] = deque()
        self._limits: dict[str, str] = {}
        self._event = threading.Event()
        self._more = [True, True]
        self._recovered = [True, True]
        self._suspect = ""
        self.claiming, self._joined, self._ended = True, False, False
        self._round_at = self._beat_at = 0.0
        self._held_since_beat = False
        self._due_at: float | None = None
        self._failures = 0

    @property
    def interval(self) -> float:
        """Seconds between two rounds."""
        return min(self._options.poll, self._options.lease / 4)

    def wake(self) -> None:
        """Look for tasks now; called in any thread."""
        self._more, self._due_at = [True, True], 0.0
        self._event.set()

    def look(self) -> None:
        """See now what somebody has changed about what runs; called in any thread."""
        self._round_at = 0.0
        self._event.set()

    def ended(self, outcome: Outcome) -> None:
        """Take how an attempt has ended; called in any thread, and before :meth:`freed`."""
        self._outcomes.append(outcome)

    def freed(self) -> None:
        """Write what has ended, and take more; called in any thread, when a lane has room again."""
        self._event.set()

    def stop_claiming(self) -> None:
        """Take no more tasks, and give back what was not started."""
        self.claiming = False
        self._event.set()

    def finish(self) -> None:
        """End the thread when all outcomes are written."""
        self.claiming, self._ended = False, True
        self._event.set()

    def run(self) -> None:
        """Work until :meth:`finish`."""
        while not self._ended or self._outcomes:
            delay = self._do(self._step)
            if not (self.claiming or self._outcomes or any(lane.held() for lane in self.lanes)):
                self.idle.set()
            self._event.wait(delay)
            self._event.clear()
            if self._outcomes and self.threads.waits_since() is not None:
                time.sleep(_GATHER)
        self._do(self._leave)
        self._close()

    def _do(self, what: Callable[[], float]) -> float:
        """Do something with the store; returns after how many seconds to go on."""
        try:
            delay = what()
        except Exception as error:
            return self._note_failure(error)
        if self._failures:
            logger.warning("The store of tasks answers again.")
            self._failures = 0
        return delay

    def _note_failure(self, error: Exception) -> float:
        first, longest = _RETRY
        delay = min(first * 2.0**self._failures, longest)
        self._failures = min(self._failures + 1, 30)
        telemetry.count("tasks.store_failed", error=type(error).__name__)
        level = logging.ERROR if self._failures == 1 else logging.DEBUG
        known = isinstance(error, Error | StoreUnavailable)
        said = " ".join([str(error), *getattr(error, "__notes__", ())])
        logger.log(level, "The store of tasks fails: %s It is tried again.", said, exc_info=not known)
        self._observer.forget()
        self._round_at = self._beat_at = 0.0  # it may have given us tasks, and the answer was lost
        self._close()
        return delay

    def _close(self) -> None:
        self._store.close()

    def _leave(self) -> float:
        self._store.leave(self.owner)
        return 0.0

    def _step(self) -> float:
        if self._was_held_up() or (self._failures and self._joined):
            self._beat_at = 0.0  # before anything is taken or written: are we alive to the others?
            self._round(time.monotonic())
        if not self._joined:
            self._store.join(self.owner, about())
            self._joined = True
        for lane in self.lanes:
            self._give_back_what_waits(lane)
            self._outcomes.extend(lane.cut_off(time.monotonic()))
        if self._due_at is not None and time.monotonic() >= self._due_at:
            self._promote()
        self._turn()
        if time.monotonic() >= self._round_at:
            self._round(time.monotonic())
            self._turn()
        return self._seconds_to_wait()

    def _was_held_up(self) -> bool:
        """Whether this thread did not run for so long that others may take this worker for dead."""
        return 0.0 < self._round_at < time.monotonic() - self._options.lease / 2

    def _seconds_to_wait(self) -> float:
        times: list[float] = [self._round_at]
        if self._due_at is not None:
            times.append(self._due_at)
        for lane in self.lanes:
            if (deadline := lane.deadline()) is not None:
                times.append(deadline)
            if (since := lane.waits_since()) is not None:
                times.append(since + PATIENCE)
        return max(0.0, min(times) - time.monotonic())

    def _give_back_what_waits(self, lane: Lane) -> None:
        since = lane.waits_since()
        if since is not None and (not self.claiming or time.monotonic() - since >= PATIENCE):
            attempts = lane.take_back()
            telemetry.count("tasks.released", len(attempts), reason="waited behind a longer one")
            self._outcomes.extend(Outcome(each.id, Move.RELEASE) for each in attempts)

    def _turn(self) -> None:
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        outcomes = [self._with_limit(outcome) for outcome in outcomes]
        # What waits for them, or is given back, is ready in the same turn.
        if any(each.counts_for or each.limit_key or each.move is Move.GIVE_BACK for each in outcomes):
            self._more = [True, True]
        claims = self._claims()
        if not outcomes and not claims:
            return
        try:
            records = self._store.turn(self.owner, outcomes, claims, self._backend, self._queues)
        except BaseException:
            self._outcomes.extendleft(reversed(outcomes))
            self._more, self._recovered = [True, True], [True, True]
            raise
        if claims:
            first = min((record.run_at for record in records), default=0)
            self.waited = max(0.0, self._store.now() - first) / MICROSECONDS if first else 0.0
        for outcome in outcomes:
            if outcome.id == self._suspect:
                self._suspect, self._recovered = "", [True, True]
            if outcome.report is not None:
                self._reporter.report(outcome.id, outcome.report)
            if outcome.run_at:
                self._expect(outcome.run_at)
            if outcome.counts_for or outcome.limit_key:  # what has waited may have to wait for a limit now
                self._expect(self._store.now())
            self._limits.pop(outcome.id, None)
        self._remember(claims, records)
        self._hand_out(records)

    def _claims(self) -> list[Claim]:
        """Return what would be taken: what can start now, and at most one that workers were lost with."""
        if not self.claiming:
            return []
        claims = []
        for number, lane in enumerate(self.lanes):
            if self._more[number] and (room := lane.room()):
                self._more[number] = False
                claims.append(Claim(number, room))
        for number, lane in enumerate(self.lanes):
            if self._recovered[number] and not self._suspect and lane.free():
                self._recovered[number] = False
                return [*claims, Claim(number, 1, recovered=True)]
        return claims

    def _remember(self, claims: list[Claim], records: list[TaskRecord]) -> None:
        """Note whether there may be more to take."""
        for claim in claims:
            taken = [
                each for each in records if each.lane == claim.lane and (each.losses > 0) == claim.recovered
            ]
            if claim.recovered and taken:
                self._suspect = taken[0].id
            elif not claim.recovered and len(taken) == claim.count:
                self._more[claim.lane] = True

    def _with_limit(self, outcome: Outcome) -> Outcome:
        key = self._limits.get(outcome.id)
        return outcome if key is None else replace(outcome, limit_key=key)

    def _hand_out(self, records: list[TaskRecord]) -> None:
        self._limits.update({record.id: record.limit_key for record in records if record.limit_key})
        if records:
            self.claimed_at, self._held_since_beat = time.monotonic(), True
        for number, lane in enumerate(self.lanes):
            lane.put([self._attempt(record) for record in records if record.lane == number])

    def _round(self, now: float) -> None:
        """Say that we live, look who does not, and find what no wake-up has told."""
        holding = any(lane.held() for lane in self.lanes)
        if holding or self._held_since_beat or now >= self._beat_at:
            self._beat_at, self._held_since_beat = now + _IDLE_BEAT, holding
            if self._store.beat(self.owner):
                self._compare()
            else:
                self._start_anew()
        self._recover(now)
        self._promote()
        if self.claiming and (self._store.review() or self._store.has_work(self._backend)):
            self._more, self._recovered = [True, True], [True, True]
        self._pruning.prune(now)
        self._round_at = now + self.interval

    def _recover(self, now: float) -> None:
        beats = self._store.owners()
        beats.pop(self.owner, None)
        for owner, count in self._observer.silent(beats, now):
            again, dead = self._store.recover(owner, count, self._options.max_losses)
            for task_id in dead:
                self._reporter.report(task_id, Report.failed(LOST_WORKER))
            telemetry.count("tasks.recovered", again, reason="worker lost")
            logger.warning("The worker %s is lost: %d of its tasks run again.", owner, again)

    def _promote(self) -> None:
        self._due_at = None
        ticked, tick = self._ticking.run()
        promoted, due = self._store.promote()
        for at in (tick, due):
            if at is not None:
                self._expect(at)
        if promoted or ticked:
            self._more, self._recovered = [True, True], [True, True]

    def _expect(self, due: int) -> None:
        """Look when a task is due, unless another is due before it."""
        at = time.monotonic() + max(due / MICROSECONDS - self._store.clock(), 0.001)
        self._due_at = at if self._due_at is None else min(at, self._due_at)

    def _compare(self) -> None:
        """Give back what the store says we have and we have not, and stop what somebody has cancelled."""
        held = self._store.held(self.owner)
        ours = {task_id for lane in self.lanes for task_id in lane.held()}
        ours.update(outcome.id for outcome in tuple(self._outcomes))
        self._outcomes.extend(Outcome(task_id, Move.GIVE_BACK) for task_id in held.keys() - ours)
        for task_id in (task_id for task_id, cancelled in held.items() if cancelled):
            for lane in self.lanes:
                lane.stop(task_id)

    def _start_anew(self) -> None:
        """Stop what runs: others took us for dead, and run it again. Go on under another name."""
        telemetry.count("tasks.taken_for_dead")
        logger.error("Others took this worker for dead: what it runs is stopped, and runs elsewhere.")
        for lane in self.lanes:
            for task_id in lane.held():
                lane.stop(task_id)
        self.owner, self._joined = new_owner(), False


def about() -> str:
    """Return what is known of this process, as JSON."""
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
