"""What workers, groups, schedules and commands do with other stores, they do with Redis as well.

The tests are those of the other stores, collected a second time; ``conftest.py`` puts their tasks into Redis.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from tests.tasks import test_backend, test_command, test_groups, test_limits
from tests.tasks.schedule import test_schedules
from tests.tasks.schedule.test_schedules import no_others
from tests.tasks.worker import test_worker

#: Tests of what only tables have, or that choose another store themselves.
_OTHERS: Final = {
    "test_a_cancelled_enqueue_is_cancelled_for_its_caller",
    "test_a_row_that_nobody_can_read_has_failed_and_holds_up_nobody",
    "test_a_task_without_code_fails_where_that_is_set",
    "test_groups_are_part_of_the_transaction_and_side_by_side_count_right",
    "test_a_task_in_the_database_is_part_of_the_transaction",
    "test_the_check_asks_for_the_tables",
    "test_it_is_imported_and_made_before_the_apps_are_ready",
}


def collect(*modules: ModuleType) -> None:
    """Make the tests of some modules tests of this one."""
    for module in modules:
        for name, test in vars(module).items():
            if name.startswith("test_") and name not in _OTHERS:
                globals()[name] = test


collect(test_backend, test_command, test_groups, test_limits, test_schedules, test_worker)
__all__ = ["no_others"]
