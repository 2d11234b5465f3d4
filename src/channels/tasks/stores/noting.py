"""What is noted of tasks in the log of deliveries; called only where there is one."""

from __future__ import annotations

from channels.diagnostics import delivery_log
from channels.tasks.definition.encoding import beside_of
from channels.tasks.stores.records import TaskRecord


def note_task(record: TaskRecord, stage: str, detail: str) -> None:
    """Note what becomes of a task, by the path of its function and by its id."""
    if delivery_log.note is not None:
        trace = beside_of(record.arguments).get("traceparent", "")[3:35]
        delivery_log.note("task", record.path, stage, 1, detail, record.id, trace=trace)
