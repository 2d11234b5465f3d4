"""One more thread: for those that wait, and not for those that compute."""

from __future__ import annotations

import time

from channels.sync import growth
from channels.sync.growth import OVERDUE, WINDOW, Growth


def test_threads_that_wait_get_company() -> None:
    measured = Growth()
    measured.helps(0)
    time.sleep(5 * WINDOW)
    assert measured.helps(0)


def test_threads_that_compute_get_none_until_the_queue_is_overdue() -> None:
    measured = Growth()
    measured.helps(0)
    begun = time.process_time()
    while time.process_time() - begun < 20 * WINDOW:
        pass
    # On a machine that gives this process half a processor it looks like waiting: ask by what was used.
    wall, cpu = time.monotonic() - measured._wall, time.process_time() - measured._cpu
    assert measured.helps(0) is (cpu / wall < growth.COMPUTING)
    assert measured.helps(OVERDUE)


def test_it_is_not_asked_too_often() -> None:
    measured = Growth()
    assert measured.helps(0)
    assert not measured.helps(0)
