"""One readable line for what topics and tasks do, as ``runserver`` has one for each request.

What happens in the same moment to the same topic or task shares a line, so that a busy project does not push
its own errors off the screen.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from channels import telemetry
from channels.diagnostics.loggers import escaped
from channels.topics.registry import RESERVED

#: Seconds that a line waits for more of its kind.
MOMENT: Final = 0.3
#: Lines of one moment; what is more is summed up in one.
MOST_LINES: Final = 20
#: Topics of ours, which are nobody's business: see topics/development.
_OURS: Final = (RESERVED, "channels-reload")


@dataclass(slots=True)
class Seen:
    """What has happened in one moment to one topic or task.

    Attributes:
        number: how often.
        subscribers: how many there are in this process now.
        users: whose subscriptions these were.
        seconds: how long the attempts took.
        error: the class of what was raised last.
    """

    number: int = 0
    subscribers: int = 0
    users: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    error: str = ""


class ActivityLines:
    """A listener of :mod:`channels.telemetry`, and of the signals of tasks.

    Args:
        write: gets each line.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], Seen] = {}
        self._subscribers: Counter[str] = Counter()
        self._something, self._over = threading.Event(), threading.Event()

    def __call__(self, event: str, facts: dict[str, Any]) -> None:
        """Note a fact, if it is one of topics."""
        note = _NOTES.get(event)
        if note is not None and not facts["topic"].startswith(_OURS):
            with self._lock:
                note(self, facts)
            self._something.set()

    def task_started(self, sender: Any, task_result: Any, **kwargs: Any) -> None:
        """Note the beginning of an attempt."""
        self._note_task("START", task_result)

    def task_finished(self, sender: Any, task_result: Any, **kwargs: Any) -> None:
        """Note its end; a task that began in the same moment has one line."""
        seen = self._note_task(str(task_result.status.value), task_result)
        with self._lock:
            self._drop_start(task_result.task.module_path)
            if task_result.finished_at and task_result.started_at:
                seen.seconds.append((task_result.finished_at - task_result.started_at).total_seconds())
            if task_result.errors:
                seen.error = task_result.errors[-1].exception_class_path

    def run(self) -> None:
        """Write lines until :meth:`stop`."""
        while not self._over.is_set():
            self._something.wait()
            self._over.wait(MOMENT)
            self._something.clear()
            self.flush()

    def stop(self) -> None:
        """End :meth:`run`."""
        self._over.set()
        self._something.set()

    def flush(self) -> None:
        """Write what has happened since the last time."""
        with self._lock:
            seen, self._seen = self._seen, {}
        lines = [_LINES[verb](verb, escaped(name), each) for (verb, name), each in seen.items()]
        for line in lines[:MOST_LINES]:
            self._write(line)
        if len(lines) > MOST_LINES:
            self._write(f"... and {len(lines) - MOST_LINES} more topics and tasks in the same moment")

    def _add(self, verb: str, name: str, number: int = 1) -> Seen:
        seen = self._seen.setdefault((verb, name), Seen())
        seen.number += number
        return seen

    def _note_task(self, verb: str, task_result: Any) -> Seen:
        with self._lock:
            seen = self._add(verb, task_result.task.module_path)
        self._something.set()
        return seen

    def _drop_start(self, name: str) -> None:
        started = self._seen.get(("START", name))
        if started is not None:
            started.number -= 1
            if not started.number:
                del self._seen["START", name]

    def _subscribed(self, facts: dict[str, Any]) -> None:
        topic = facts["topic"]
        self._subscribers[topic] += 1
        seen = self._add("SUBSCRIBE", topic)
        seen.users.add(_user(facts))
        seen.subscribers = self._subscribers[topic]

    def _refused(self, facts: dict[str, Any]) -> None:
        self._add("REFUSE", facts["topic"]).users.add(_user(facts))

    def _unsubscribed(self, facts: dict[str, Any]) -> None:
        topic = facts["topic"]
        self._subscribers[topic] -= 1
        self._add("UNSUBSCRIBE", topic).subscribers = self._subscribers[topic]
        if self._subscribers[topic] <= 0:
            del self._subscribers[topic]

    def _published(self, facts: dict[str, Any]) -> None:
        """Note what nobody here gets; what somebody gets is noted where it is delivered."""
        if not self._subscribers[facts["topic"]]:
            self._add("PUBLISH", facts["topic"])

    def _delivered(self, facts: dict[str, Any]) -> None:
        self._add("PUBLISH", facts["topic"], facts["publications"]).subscribers = facts["subscribers"]


_NOTES: Final[dict[str, Callable[[ActivityLines, dict[str, Any]], None]]] = {
    "topics.subscribed": ActivityLines._subscribed,
    "topics.subscription_refused": ActivityLines._refused,
    "topics.unsubscribed": ActivityLines._unsubscribed,
    "topics.published": ActivityLines._published,
    "topics.delivered": ActivityLines._delivered,
}


def _user(facts: dict[str, Any]) -> str:
    return f"user {facts['user']}" if facts["user"] else "anonymous"


def counted(number: int, what: str) -> str:
    """Return ``1 client``, ``2 clients``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _subscribe_line(verb: str, topic: str, seen: Seen) -> str:
    return f"Topic {verb} {topic} [{_who(seen)}, {counted(seen.subscribers, 'subscriber')} now]"


def _refuse_line(verb: str, topic: str, seen: Seen) -> str:
    return f"Topic {verb} {topic} [may_subscribe() says no to {_who(seen)}]"


def _who(seen: Seen) -> str:
    return escaped(next(iter(seen.users))) if seen.number == 1 else counted(seen.number, "client")


def _unsubscribe_line(verb: str, topic: str, seen: Seen) -> str:
    return f"Topic {verb} {topic} [{counted(seen.number, 'client')}, {seen.subscribers} left]"


def _publish_line(verb: str, topic: str, seen: Seen) -> str:
    to = (
        counted(seen.subscribers, "subscriber")
        if seen.subscribers
        else "nobody is subscribed in this process"
    )
    return f"Topic {verb} {topic} {counted(seen.number, 'publication')} [{to}]"


def _start_line(verb: str, task: str, seen: Seen) -> str:
    return f"Task {verb} {task}{_times(seen)}"


def _end_line(verb: str, task: str, seen: Seen) -> str:
    shortest, longest = min(seen.seconds, default=0.0), max(seen.seconds, default=0.0)
    took = f"{longest:.2f} s" if seen.number == 1 else f"{shortest:.2f} to {longest:.2f} s"
    return f"Task {verb} {task}{_times(seen)} [{took}]{seen.error and f' {escaped(seen.error)}'}"


def _times(seen: Seen) -> str:
    return "" if seen.number == 1 else f" {seen.number} times"


_LINES: Final[dict[str, Callable[[str, str, Seen], str]]] = {
    "SUBSCRIBE": _subscribe_line,
    "REFUSE": _refuse_line,
    "UNSUBSCRIBE": _unsubscribe_line,
    "PUBLISH": _publish_line,
    "START": _start_line,
    "SUCCESSFUL": _end_line,
    "FAILED": _end_line,
}


@contextlib.contextmanager
def lines_of_activity(write: Callable[[str], object], tasks: bool) -> Iterator[None]:
    """Write lines about topics, and about tasks if there are any of ours, while the block runs."""
    lines = ActivityLines(write)
    thread = threading.Thread(target=lines.run, name="activity", daemon=True)
    with contextlib.ExitStack() as listening:
        listening.callback(telemetry.attach(lines))
        if tasks:
            listening.enter_context(_signals_of_tasks(lines))
        thread.start()
        try:
            yield
        finally:
            lines.stop()


@contextlib.contextmanager
def _signals_of_tasks(lines: ActivityLines) -> Iterator[None]:
    """Connect ``lines``, and leave out Django's own about what went well: they say the same with an id."""
    from channels.tasks.definition import contract

    contract.task_started.connect(lines.task_started)
    contract.task_finished.connect(lines.task_finished)
    logger = logging.getLogger(contract.LOGGER)
    logger.addFilter(_needs_attention)
    try:
        yield
    finally:
        logger.removeFilter(_needs_attention)
        contract.task_started.disconnect(lines.task_started)
        contract.task_finished.disconnect(lines.task_finished)


def _needs_attention(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
