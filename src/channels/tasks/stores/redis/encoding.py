"""Tasks as Redis has them: the fields that are not as usual, as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from channels.tasks.stores.records import NUMBERS, Outcome, TaskRecord

_FIELDS: Final = tuple(field for field in dataclasses.fields(TaskRecord) if field.name != "id")
#: Those that are the same for most tasks, and left out then.
_USUAL: Final = {field.name: field.default for field in _FIELDS if field.default is not dataclasses.MISSING}
_NUMBERS: Final = frozenset(name.encode() for name in NUMBERS)
_NAMES: Final = {field.name.encode(): field.name for field in _FIELDS}


def texts_of(records: Sequence[TaskRecord]) -> list[Any]:
    """Return tasks as scripts take them: how many, and for each its id, how many texts, and its fields."""
    texts: list[Any] = [len(records)]
    for record in records:
        fields: list[Any] = []
        for field in _FIELDS:
            value = getattr(record, field.name)
            if field.name not in _USUAL or value != _USUAL[field.name]:
                fields += (field.name, value)
        texts += (record.id, len(fields), *fields)
    return texts


def record_of(found: Sequence[Any]) -> TaskRecord:
    """Return a task, given its id and its fields, one after the other, each behind its name."""
    task_id, fields = found
    pairs = iter(fields)
    values: dict[str, Any] = {
        _NAMES[name]: int(value) if name in _NUMBERS else value.decode()
        for name, value in zip(pairs, pairs, strict=True)
    }
    return TaskRecord(id=task_id.decode(), **values)


def texts_of_outcome(outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome as the script takes it."""
    return (outcome.id, str(outcome.move), outcome.errors, outcome.result or "", outcome.run_at)
