"""What is done in the background."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.http import Http404, HttpRequest, HttpResponse

from channels.inspector.permissions import VIEW, staff
from channels.inspector.views.page import page

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
    found = [(alias, store(alias).overview(), _running(store(alias))) for alias in backends()]
    return page(request, "tasks", found=found)


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
