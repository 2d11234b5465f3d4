"""The steps on this machine, in the order in which a request needs what they look at."""

from __future__ import annotations

from collections.abc import Iterator

from channels.observability.doctor.local.django_steps import checks_step, database_steps
from channels.observability.doctor.local.layer_steps import layer_steps
from channels.observability.doctor.local.process_steps import process_steps
from channels.observability.doctor.local.service_steps import task_steps, topic_steps
from channels.observability.doctor.steps import Step


def examine() -> Iterator[Step]:
    """Look at what the settings name."""
    yield checks_step()
    yield from layer_steps()
    yield from topic_steps()
    yield from database_steps()
    yield from task_steps()
    yield from process_steps()
