"""What a pool does for database connections; channels.db and channels.sync have the tests of the rest."""

from __future__ import annotations

import subprocess
import sys
import threading

from channels.core.database import DatabaseHooks, opened, opened_by

LOOK = """
from channels.sync.context import pool
before = dict(vars(pool)), type(pool.hooks).__name__, vars(pool.hooks)
import channels.db
assert (dict(vars(pool)), type(pool.hooks).__name__, vars(pool.hooks)) == before
print(before[1:])
"""


def test_importing_the_bridge_changes_nothing_of_the_pool() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("('DatabaseHooks', {})\n", "")


def test_a_thread_that_has_opened_nothing_has_nothing_to_close() -> None:
    found: list[object] = []

    def look() -> None:
        hooks, thread = DatabaseHooks(), threading.current_thread()
        hooks.begin()
        found.extend([hooks.needs_thread(), hooks.close_stale(), hooks.has_stale(thread), thread in opened])
        hooks.abandon()
        hooks.close_all()
        found.extend(opened_by(thread))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False, None, False, False]
