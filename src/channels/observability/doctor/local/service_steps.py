"""Stores of topics, and tasks with their workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from django.apps import apps

from channels.observability.doctor.steps import Status, Step, wrong
from channels.observability.problems import SILENT, Problem, of_task_store, said

#: A stream of our own, which no client gets.
_TOPIC: Final = "channels.topics/doctor"


def topic_steps() -> Iterator[Step]:
    """Publish to each store of topics, and read it again."""
    if not apps.is_installed("channels.topics"):
        return
    from channels.topics.stores.manager import configured_stores

    for alias in configured_stores():
        yield _store(alias)


def _store(alias: str) -> Step:
    from channels.protocols.centrifuge.messages import Publication
    from channels.topics.stores.base import Append, Retention
    from channels.topics.stores.manager import get_store

    name, did = f"topics {alias}", "published to the store, and read it again"
    try:
        store = get_store(alias).sync
        begun = time.perf_counter()
        publication = Publication(data=b"{}", time=time.time_ns() // 1_000_000)  # type: ignore[arg-type]
        published = store.publish(Append(_TOPIC, publication, Retention(1, 60.0)))
        page = store.read(_TOPIC, limit=0)
    except Exception as error:
        return wrong(name, did, Problem("topics_away", {"name": alias, "error": said(error)}))
    if page.position.offset < published.position.offset:
        remedy = "It does not keep what is published: look at what is behind it."
        return Step(name, did, f"offset {page.position.offset} after {published}", Status.ERROR, remedy)
    return Step(name, did, f"read after {(time.perf_counter() - begun) * 1000:.1f} ms")


def task_steps() -> Iterator[Step]:
    """Look at what waits for workers, and whether there are any."""
    if not apps.is_installed("channels.tasks"):
        return
    from channels.tasks.backend import TaskBackend
    from channels.tasks.definition.contract import task_backends

    for alias in task_backends:
        if isinstance(task_backends[alias], TaskBackend):
            yield _tasks(alias)


def _tasks(alias: str) -> Step:
    from channels.tasks.backend import store_of
    from channels.tasks.definition.contract import task_backends

    name, did = f"tasks {alias}", "looked at what waits, and who runs it"
    try:
        found = store_of(task_backends[alias]).overview()
    except Exception as error:
        return wrong(name, did, Problem("tasks_away", {"backend": alias, "error": said(error)}))
    alive = [each for each in found.workers if time.time() - each["seen_at"] < SILENT]
    waited = found.oldest_ready or 0.0
    saw = f"{len(alive)} workers; {found.states['ready']} tasks wait, the first for {waited:.0f} s"
    problem = of_task_store(alias, found, time.time())
    if problem is not None:
        status = Status.WARNING if alive else Status.ERROR
        return Step(name, did, saw, status, problem.remedy())
    if not alive:
        return Step(name, did, saw, Status.WARNING, "There is no worker: start manage.py runworker --tasks.")
    return Step(name, did, saw)
