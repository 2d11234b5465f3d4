"""What may be wrong, as one table: how each problem is said, and its remedy, for doctor and inspector.

The texts are English and are translated where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:  # it needs models, which a project that has the doctor may be without
    from channels.observability.fleet.asking import NodeAnswer

#: Seconds that an event loop may take to take a call before that is a problem.
MOST_LAG: Final = 0.5
#: Seconds that a task may wait.
MOST_WAIT: Final = 60.0
#: Seconds that a message may take to another process and back.
MOST_LATENCY: Final = 1.0
#: Seconds that messages are to be kept: those for clients that are slow for a moment.
LEAST_EXPIRY: Final = 5
#: Seconds after which a worker of tasks that says nothing has ended.
SILENT: Final = 900.0

#: The totals of each process that was asked, by its id.
Totals: TypeAlias = Mapping[str, Mapping[str, int]]
Translate: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem.

    Attributes:
        text: what is wrong, one sentence; ``%(name)s`` and its like are filled in.
        remedy: what to do.
    """

    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    Attributes:
        kind: its key in :data:`KINDS`.
        facts: what its text is filled in with.
    """

    kind: str
    facts: Mapping[str, Any]

    def text(self, translate: Translate = str) -> str:
        """Return what is wrong."""
        return translate(KINDS[self.kind].text) % self.facts

    def remedy(self, translate: Translate = str) -> str:
        """Return what to do."""
        return translate(KINDS[self.kind].remedy)


# What is done about a problem, whether it was looked for or is seen by what it does.
_REDIS_RUNS: Final = "See that Redis runs, and that hosts has its address and password."
_RAISE_BUFFER: Final = "Raise Redis's client-output-buffer-limit pubsub to 32mb 8mb 60, and see that it runs."
_LONGER_EXPIRY: Final = (
    f"Set expiry to {LEAST_EXPIRY} seconds or more, and see that those channels have a consumer or a worker."
)
_STORE_ANSWERS: Final = "See that the store of topics answers, and quickly."

#: By their names; those of processes are the states of :class:`NodeAnswer`.
KINDS: Final = {
    "layer_away": Kind(
        "The channel layer %(name)s does not answer: %(error)s",
        "See that Redis (or the broker) runs, and is the same for all processes.",
    ),
    "layer_slow": Kind(
        "The channel layer %(name)s: a message to another process and its answer take %(seconds).1f s.",
        "Look at the processor time of Redis and of the processes, and at the network between them.",
    ),
    "redis_away": Kind("%(name)s does not answer: %(error)s", _REDIS_RUNS),
    "redis_buffer": Kind(
        "client-output-buffer-limit pubsub is %(limit)d bytes: Redis cuts off who is busy for a moment.",
        _RAISE_BUFFER,
    ),
    "expiry_short": Kind("%(name)s keeps messages for %(expiry)s s.", _LONGER_EXPIRY),
    "topics_away": Kind("The store of topics %(name)s does not answer: %(error)s", _STORE_ANSWERS),
    "tasks_away": Kind(
        "%(backend)s: the store of tasks does not answer: %(error)s",
        "See that its database or its Redis runs; run manage.py migrate.",
    ),
    "silent": Kind(
        "%(name)s does not answer; it was last heard of %(seconds)d s ago.",
        "See that it and its machine run, and that its channel layer is the one that this process has.",
    ),
    "stopped": Kind(
        "%(name)s is stopped: somebody has sent SIGSTOP, or debugs it.",
        "Let it go on (kill -CONT), or end the debugger.",
    ),
    "ended": Kind(
        "%(name)s has ended without a word: it was killed, or has crashed.",
        "Look at the end of its log and at the kernel's (out of memory); have a supervisor start it again.",
    ),
    "failed": Kind(
        "%(name)s could not answer: %(error)s",
        "Look at its log. Processes of different releases may not understand each other.",
    ),
    "held": Kind(
        "%(name)s: the event loop is held. %(doing)s",
        "An async function there waits or counts: await it, or move it to a thread (sync_to_async).",
    ),
    "behind": Kind(
        "%(name)s: the event loop is %(lag).1f s behind.",
        "It has more to do than one core carries, or something holds it for a moment: start more processes.",
    ),
    "workers_missing": Kind(
        "%(backend)s: %(ready)d tasks wait, and nobody runs them.",
        "Start manage.py runworker --tasks.",
    ),
    "tasks_late": Kind(
        "%(backend)s: the first of the tasks that wait has waited for %(waited)d s.",
        "They are late: start more workers, or more threads.",
    ),
    "dropped.capacity": Kind(
        "Lost, %(rate).1f a second: channels that are full.",
        "Their consumers are slower than what is sent: do less in each handler, or raise capacity.",
    ),
    "dropped.expired": Kind(
        "Lost, %(rate).1f a second: messages that nobody took in time.",
        _LONGER_EXPIRY,
    ),
    "dropped.lost": Kind(
        "Lost, %(rate).1f a second: messages that were on their way when Redis went away.",
        _RAISE_BUFFER,
    ),
    "dropped.unreachable": Kind(
        "Lost, %(rate).1f a second: messages for which Redis could not be reached.",
        _REDIS_RUNS,
    ),
    "dropped.unauthentic": Kind(
        "Lost, %(rate).1f a second: messages that are not encrypted with a key of this layer.",
        "Give all processes the same symmetric_encryption_keys; change them one after the other.",
    ),
    "dropped.undecodable": Kind(
        "Lost, %(rate).1f a second: messages that cannot be read.",
        "Give all processes the same release and the same serializer, and the layer a prefix of its own.",
    ),
    "dropped.broker_lost": Kind(
        "Lost, %(rate).1f a second: messages that were on their way when the host layer's process ended.",
        "See why it ended: another one has taken its place.",
    ),
    "dropped.cut_off": Kind(
        "Lost, %(rate).1f a second: messages for a process that did not read them.",
        "Its event loop is held, or it has more to do than one core carries.",
    ),
    "topics.events_dropped": Kind(
        "Lost, %(rate).1f a second: publications that an event loop could not deliver in time.",
        "Start more processes; topics with a history give it to clients again.",
    ),
    "topics.held_dropped": Kind(
        "Lost, %(rate).1f a second: publications that came while a gap was filled.",
        _STORE_ANSWERS,
    ),
    "topics.slow_client_dropped": Kind(
        "Lost, %(rate).1f a second: publications for clients that read too slowly.",
        "Publish less often, or smaller (deltas); such clients get the newest.",
    ),
    "topics.position_lost": Kind(
        "Lost, %(rate).1f a second: the places of clients in a topic; they have to load it anew.",
        "Make its history longer (size, ttl), and see that its store keeps what it is given.",
    ),
    "server.application_failed": Kind(
        "%(rate).1f a second: requests or WebSockets whose application raised.", "The log has the tracebacks."
    ),
    "tasks.report_lost": Kind(
        "Lost, %(rate).1f a second: progress of tasks that nobody was told of.",
        _STORE_ANSWERS,
    ),
}
_OTHER: Final = Kind("Lost, %(rate).1f a second: %(what)s", "The page about counters says what that is.")
KINDS["dropped"] = _OTHER
#: Messages for a consumer that is gone: nobody misses them.
_HARMLESS: Final = "dropped.closed"


def problems_of(answers: Iterable[NodeAnswer], rates: Mapping[str, float]) -> list[Problem]:
    """Return what is wrong with the processes.

    Args:
        answers: of all of them.
        rates: what was counted per second of late, see :func:`rates_between`.
    """
    return [*_of_nodes(answers), *_of_rates(rates)]


def _of_nodes(answers: Iterable[NodeAnswer]) -> Iterator[Problem]:
    for each in answers:
        name, status = each.node.name, each.result
        if each.state != "ok":
            yield Problem(each.state, {"name": name, "seconds": each.silent, "error": each.error})
        elif status.lag < 0:
            yield Problem("held", {"name": name, "doing": status.doing})
        elif status.lag > MOST_LAG:
            yield Problem("behind", {"name": name, "lag": status.lag})
        if status is not None and (waited := status.counts.get("tasks_waited_ms", 0) / 1000) > MOST_WAIT:
            yield Problem("tasks_late", {"backend": name, "waited": waited})


def _of_rates(rates: Mapping[str, float]) -> Iterator[Problem]:
    for name, rate in rates.items():
        if rate <= 0 or name == _HARMLESS:
            continue
        if name in KINDS:
            yield Problem(name, {"rate": rate})
        elif name.startswith("dropped."):
            yield Problem("dropped", {"rate": rate, "what": name})


def of_tasks(backend: str, workers: int, ready: int, waited: float) -> Problem | None:
    """Return what is wrong with a backend of tasks; None for nothing.

    Args:
        backend: its alias.
        workers: how many live.
        ready: tasks that may run.
        waited: seconds for which the first of them has.
    """
    if ready and not workers:
        return Problem("workers_missing", {"backend": backend, "ready": ready})
    return Problem("tasks_late", {"backend": backend, "waited": waited}) if waited > MOST_WAIT else None


def of_task_store(backend: str, seen: Any, now: float) -> Problem | None:
    """Return what is wrong with a backend of tasks; None for nothing.

    Args:
        backend: its alias.
        seen: an overview of its store.
        now: seconds since 1970.
    """
    alive = sum(now - worker["seen_at"] < SILENT for worker in seen.workers)
    return of_tasks(backend, alive, seen.states["ready"], seen.oldest_ready or 0.0)


def said(error: Exception) -> str:
    """Return an error as the facts of a problem have it."""
    return f"{type(error).__name__}: {error}"


def totals_of(answers: Iterable[NodeAnswer]) -> Totals:
    """Return what each process that has answered has counted since its start."""
    return {each.node.id: each.result.totals for each in answers if each.result is not None}


def rates_between(before: Totals, now: Totals, seconds: float) -> dict[str, float]:
    """Return what was counted per second between two looks, by the processes that were there both times."""
    changes: dict[str, float] = {}
    for node in now.keys() & before.keys():
        for name, amount in now[node].items():
            change = max(0, amount - before[node].get(name, 0)) / seconds
            changes[name] = changes.get(name, 0.0) + change
    return changes
