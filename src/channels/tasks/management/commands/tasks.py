"""``manage.py tasks``: look at background tasks, let them run again, cancel and delete them."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management import BaseCommand, CommandError

from channels.tasks.backend import TaskBackend, store_of
from channels.tasks.control import cancel, retry
from channels.tasks.definition.contract import (
    InvalidTaskBackend,
    TaskResult,
    TaskResultDoesNotExist,
    task_backends,
)
from channels.tasks.definition.states import FINISHED, State
from channels.tasks.stores.records import MICROSECONDS, Overview, TaskRecord

#: Tasks that one call lets run again at most.
_MOST: Final = 10_000
_DAY: Final = 86400


class Command(BaseCommand):
    """Looks at the tasks of a backend, and acts on them."""

    help = "Look at background tasks, let them run again, cancel and delete them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the actions, and what all take."""
        parser.add_argument("--backend", default="default", help="Alias in the setting TASKS [default].")
        parser.add_argument("--json", action="store_true", help="Answer in JSON.")
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("status", help="What waits, runs and has failed; workers; schedules.")
        listing = actions.add_parser("list", help="The newest tasks of a state.")
        every = sorted(map(str, State))
        listing.add_argument("--state", choices=every, default="failed", help="Of which state [failed].")
        listing.add_argument("--limit", type=int, default=20, help="How many at most [20].")
        again = actions.add_parser("retry", help="Let tasks run again that have failed or were cancelled.")
        again.add_argument("ids", nargs="*", help="Ids of tasks.")
        again.add_argument("--failed", action="store_true", help="All that have failed, up to 10,000.")
        again.add_argument("--path", default="", help="With --failed: of this task only.")
        actions.add_parser("cancel", help="Cancel tasks.").add_argument(
            "ids", nargs="+", help="Ids of tasks."
        )
        purge = actions.add_parser("purge", help="Delete tasks that have ended.")
        purge.add_argument(
            "--older-than", type=float, default=0.0, metavar="DAYS", help="Ended so long ago [0]."
        )
        states = sorted(map(str, FINISHED))
        purge.add_argument("--state", choices=states, action="append", help="In this state [any that ends].")
        for each in actions.choices.values():
            each.add_argument("--json", action="store_true", default=SUPPRESS, help="Answer in JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked.

        Raises:
            CommandError: there is no such backend, or it is none of ours.
        """
        try:
            backend = task_backends[options["backend"]]
        except InvalidTaskBackend as error:
            raise CommandError(str(error)) from error
        if not isinstance(backend, TaskBackend):
            raise CommandError(f"TASKS[{options['backend']!r}] is no channels.tasks.TaskBackend.")
        answer, text = _ACTIONS[options["action"]](backend, options)
        self.stdout.write(json.dumps(answer) if options["json"] else text)


def show_status(backend: TaskBackend, options: dict[str, Any]) -> tuple[Any, str]:
    """Return how the backend's store is."""
    found = store_of(backend).overview()
    return asdict(found), "\n".join(_lines(found))


def retry_tasks(backend: TaskBackend, options: dict[str, Any]) -> tuple[Any, str]:
    """Let tasks run again."""
    ids = options["ids"]
    if options["failed"]:
        ids = store_of(backend).failed_ids(options["path"], _MOST)
    elif not ids:
        raise CommandError("Name tasks by their ids, or all that have failed by --failed.")
    return _each(backend, ids, retry, "run again", "have not failed")


def cancel_tasks(backend: TaskBackend, options: dict[str, Any]) -> tuple[Any, str]:
    """Cancel tasks."""
    return _each(backend, options["ids"], cancel, "are cancelled, or asked to stop", "had ended")


def purge_tasks(backend: TaskBackend, options: dict[str, Any]) -> tuple[Any, str]:
    """Delete tasks that have ended."""
    store = store_of(backend)
    states = tuple(State(each) for each in options["state"] or sorted(FINISHED))
    before, deleted = store.now() - int(options["older_than"] * _DAY * MICROSECONDS), 0
    while some := store.prune(states, before):
        deleted += some
    return {"deleted": deleted}, f"{deleted} tasks deleted."


def list_tasks(backend: TaskBackend, options: dict[str, Any]) -> tuple[Any, str]:
    """Return the newest tasks of a state."""
    limit = min(max(options["limit"], 1), _MOST)
    found = store_of(backend).listing(State(options["state"]), limit)
    return [asdict(record) for record in found], "\n".join(map(_record_line, found))


_ACTIONS: Final[dict[str, Callable[[TaskBackend, dict[str, Any]], tuple[Any, str]]]] = {
    "status": show_status,
    "list": list_tasks,
    "retry": retry_tasks,
    "cancel": cancel_tasks,
    "purge": purge_tasks,
}


def _each(
    backend: TaskBackend, ids: list[str], act: Callable[[TaskResult], bool], done: str, left: str
) -> tuple[Any, str]:
    """Act on each task; returns whom it concerned, as an answer and as text."""
    unknown: list[str] = []
    acted: list[str] = []
    passed: list[str] = []
    for task_id in ids:
        try:
            result = backend.get_result(task_id)
        except TaskResultDoesNotExist:
            unknown.append(task_id)
            continue
        (acted if act(result) else passed).append(task_id)
    answer = {"done": acted, "left": passed, "unknown": unknown}
    parts = [f"{len(acted)} tasks {done}."]
    parts += [f"{len(passed)} {left}."] if passed else []
    parts += [f"There is no task {', '.join(unknown)}."] if unknown else []
    return answer, " ".join(parts)


def _lines(found: Overview) -> list[str]:
    lines = ["  ".join(f"{state} {count}" for state, count in found.states.items())]
    if found.oldest_ready is not None:
        lines.append(f"the oldest that is ready waits for {found.oldest_ready:.1f} s")
    lines += [f"queue {name}: the first waits for {waited:.1f} s" for name, waited in found.queues.items()]
    lines += [_limit_line(each) for each in found.limits]
    lines += [
        f"worker {each['id']} on {each.get('host')}, pid {each.get('pid')}: {each['running']} running"
        for each in found.workers
    ]
    lines += [f"schedule {name}: last at {_time(at)}" for name, at in found.schedules.items()]
    lines += [
        f"{each['state']} {each['id']} {each['path']} at {_time(each['finished_at'])}: {each['error']}"
        for each in found.failures
    ]
    return lines


def _record_line(record: TaskRecord) -> str:
    waits = f", waits for key {record.limit_key}" if record.state == State.LIMITED else ""
    when = _time(record.enqueued_at / MICROSECONDS)
    return f"{record.id} {record.path} of {when}, {record.attempts} attempts{waits}"


def _limit_line(limit: dict[str, Any]) -> str:
    due = "" if limit["due_at"] is None else f", the next may start at {_time(limit['due_at'])}"
    taken = f"{limit['places']} run or are about to"
    return f"{limit['waiting']} wait for key {limit['key']} ({limit['limit']}): {taken}{due}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")
