"""The indexes of tasks. They are no part of the models: MariaDB has none on a part of the rows."""

from __future__ import annotations

from typing import Any, Final

#: Of ten million rows few wait or run: where a database can, an index has only these.
_PARTIAL: Final = (
    "CREATE INDEX channels_tasks_ready ON channels_tasks_task (backend, lane, priority DESC, id) "
    "WHERE state = 'ready'",
    "CREATE INDEX channels_tasks_queue ON channels_tasks_task (backend, queue, lane, priority DESC, id) "
    "WHERE state = 'ready'",
    "CREATE INDEX channels_tasks_recovered ON channels_tasks_task (backend, lane, priority DESC, id) "
    "WHERE state = 'recovered'",
    "CREATE INDEX channels_tasks_due ON channels_tasks_task (run_at) WHERE state = 'scheduled'",
    "CREATE INDEX channels_tasks_blocked ON channels_tasks_task (waits_for) WHERE state = 'blocked'",
    "CREATE INDEX channels_tasks_member ON channels_tasks_task (counts_for) WHERE counts_for <> ''",
    "CREATE INDEX channels_tasks_running ON channels_tasks_task (owner) WHERE state = 'running'",
    "CREATE INDEX channels_tasks_ended ON channels_tasks_task (state, finished_at) "
    "WHERE finished_at IS NOT NULL",
)
_WHOLE: Final = (
    "CREATE INDEX channels_tasks_ready ON channels_tasks_task (state, backend, lane, priority, id)",
    "CREATE INDEX channels_tasks_queue ON channels_tasks_task (state, backend, queue, lane, priority, id)",
    "CREATE INDEX channels_tasks_due ON channels_tasks_task (state, run_at)",
    "CREATE INDEX channels_tasks_blocked ON channels_tasks_task (waits_for)",
    "CREATE INDEX channels_tasks_member ON channels_tasks_task (counts_for)",
    "CREATE INDEX channels_tasks_running ON channels_tasks_task (owner)",
    "CREATE INDEX channels_tasks_ended ON channels_tasks_task (state, finished_at)",
)

_LIMITS_PARTIAL: Final = (
    "CREATE INDEX channels_tasks_limited ON channels_tasks_task (limit_key, priority DESC, id) "
    "WHERE state = 'limited'",
    "CREATE INDEX channels_tasks_placed ON channels_tasks_task (limit_key, state) "
    "WHERE limit_key <> '' AND state IN ('ready', 'recovered', 'running')",
    "CREATE INDEX channels_tasks_limit_due ON channels_tasks_limit (due_at) WHERE due_at IS NOT NULL",
)
_LIMITS_WHOLE: Final = (
    "CREATE INDEX channels_tasks_limited ON channels_tasks_task (limit_key, state, priority, id)",
    "CREATE INDEX channels_tasks_waiting ON channels_tasks_task (state, limit_key)",
    "CREATE INDEX channels_tasks_limit_due ON channels_tasks_limit (due_at)",
)
_LIMITS: Final = (
    "CREATE INDEX channels_tasks_limit_used ON channels_tasks_limit (used_at)",
    "CREATE INDEX channels_tasks_start_of ON channels_tasks_start (limit_key, started_at)",
    "CREATE INDEX channels_tasks_start_old ON channels_tasks_start (started_at)",
)


def create_indexes(apps: Any, schema_editor: Any) -> None:
    """Create them; the forward part of a migration."""
    whole = schema_editor.connection.vendor == "mysql"
    for statement in _WHOLE if whole else _PARTIAL:
        schema_editor.execute(statement)


def create_indexes_of_limits(apps: Any, schema_editor: Any) -> None:
    """Create those of limits; the forward part of a migration."""
    whole = schema_editor.connection.vendor == "mysql"
    for statement in (*(_LIMITS_WHOLE if whole else _LIMITS_PARTIAL), *_LIMITS):
        schema_editor.execute(statement)
