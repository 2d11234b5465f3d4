"""What is done in the background."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import autodiscover_modules

from channels.inspector.permissions import VIEW, staff
from channels.inspector.problems import shown
from channels.inspector.views.page import page
from channels.observability.problems import Problem, of_task_store, said
from channels.tasks.exceptions import StoreUnavailable

#: Running tasks that are shown.
MOST: Final = 50


class Running(NamedTuple):
    """A task that runs.

    Attributes:
        id, path, attempts: as its row says.
        worker: which runs it.
        cancelled: it was asked to stop.
        percent, text: how far it says that it is.
    """

    id: str
    path: str
    attempts: int
    worker: str
    cancelled: bool
    percent: int
    text: str


class Planned(NamedTuple):
    """A schedule.

    Attributes:
        name: of it.
        last: when it has ticked last, or a worker has seen it first, seconds since 1970; None: not yet.
        next: when it ticks next; None: it is in no task of this process any more.
    """

    name: str
    last: float | None
    next: float | None


def backends() -> dict[str, Any]:
    """Return the backends of ours by their aliases; empty without the app of tasks."""
    if not apps.is_installed("channels.tasks"):
        return {}
    from channels.tasks.backend import TaskBackend
    from channels.tasks.definition.contract import task_backends

    return {
        alias: task_backends[alias]
        for alias in task_backends
        if isinstance(task_backends[alias], TaskBackend)
    }


def store(alias: str) -> Any:
    """Return the store of a backend; raises Http404 if there is none of ours."""
    from channels.tasks.backend import store_of

    backend = backends().get(alias)
    if backend is None:
        raise Http404(alias)
    return store_of(backend)


@staff(VIEW)
def overview(request: HttpRequest) -> HttpResponse:
    """Show queues, workers, what runs and what has failed."""
    found, problems = [], []
    for alias in backends():
        try:
            seen = store(alias).overview()
        except (StoreUnavailable, Error) as error:
            problems.append(Problem("tasks_away", {"backend": alias, "error": said(error)}))
            continue
        if problem := of_task_store(alias, seen, time.time()):
            problems.append(problem)
        found.append((alias, seen, _running(store(alias)), planned(alias, seen.schedules)))
    return page(request, "tasks", found=found, problems=shown(problems))


def _schedules(alias: str) -> dict[str, Any]:
    """Return the schedules of a backend by their names; they are made where tasks are."""
    from channels.tasks.schedule.schedules import registered

    autodiscover_modules("tasks")
    return {name: each for name, each in registered.items() if each.task.backend == alias}


def planned(alias: str, ticked: Mapping[str, float]) -> list[Planned]:
    """Return the schedules of a backend, the next first.

    Args:
        alias: of the backend.
        ticked: when each has ticked last.
    """
    now, known = datetime.now(UTC), _schedules(alias)
    found = [
        Planned(name, ticked.get(name), known[name].timing.after(now).timestamp() if name in known else None)
        for name in {**known, **ticked}
    ]
    return sorted(found, key=lambda each: (each.next is None, each.next, each.name))


def run_now(alias: str, name: str) -> bool:
    """Enqueue the task of a schedule, whose ticks stay as they are; returns whether there is such a one."""
    schedule = _schedules(alias).get(name)
    if schedule is not None:
        schedule.task.enqueue(**schedule.kwargs)
    return schedule is not None


def _running(of: Any) -> list[Running]:
    found: list[Running] = []
    for owner in of.owners():
        for task_id, cancelled in of.held(owner).items():
            record = of.get(task_id)
            if record is not None and len(found) < MOST:
                percent, text = _progress(task_id)
                found.append(Running(task_id, record.path, record.attempts, owner, cancelled, percent, text))
    return found


def _progress(task_id: str) -> tuple[int, str]:
    from channels.tasks.progress.topic import TaskProgress
    from channels.topics.stores.manager import get_store

    topic = TaskProgress(id=task_id)
    newest = get_store(type(topic).store).sync.read(str(topic), limit=1, reverse=True).publications
    if not newest:
        return 0, ""
    report = json.loads(bytes(newest[0].data))
    return round(100 * float(report.get("progress", 0.0))), str(report.get("text", ""))


@staff(VIEW)
def one(request: HttpRequest, backend: str, task: str) -> HttpResponse:
    """Show one task, with the tracebacks of its failures."""
    record = store(backend).get(task)
    if record is None:
        raise Http404(task)
    percent, text = _progress(task)
    errors = json.loads(record.errors)
    return page(request, "task", backend=backend, task=record, errors=errors, percent=percent, text=text)
