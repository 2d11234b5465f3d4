from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from channels.server.config import Config
from channels.server.lifecycle.gc_tuning import DEFAULTS, THRESHOLDS, tuned_gc
from channels.server.server import Server
from tests.server.helpers import echo


@pytest.fixture(scope="module")
def default():
    """What a process of this Python begins with; in this one a server of other tests may run."""
    command = [sys.executable, "-c", "import gc; print(*gc.get_threshold())"]
    return tuple(map(int, subprocess.check_output(command, timeout=60).split()))


@pytest.fixture(autouse=True)
def thresholds(default):
    before = gc.get_threshold()
    gc.set_threshold(*default)
    gc.unfreeze()  # the interpreter itself, from 3.12 on, and the tests that were collected
    yield
    gc.set_threshold(*before)
    gc.freeze()


def test_this_pythons_default_is_known(default):
    assert default in DEFAULTS


def test_what_is_loaded_is_left_alone_until_the_end():
    before = gc.get_threshold()
    with tuned_gc():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_thresholds_of_somebody_else_stay():
    gc.set_threshold(500, 5, 5)
    with tuned_gc():
        assert gc.get_threshold() == (500, 5, 5)
        assert gc.get_freeze_count() == 0


def test_a_collector_that_is_off_stays_off():
    gc.disable()
    try:
        with tuned_gc():
            assert gc.get_freeze_count() == 0
    finally:
        gc.enable()


async def test_a_server_that_serves_settles(default):
    seen = []
    server = Server(Config(app=echo, endpoints=("tcp:port=0:interface=127.0.0.1",), lifespan="off"))

    def ready():
        seen.append(gc.get_threshold())
        server.ask_to_stop()

    await server.serve(ready, signals=False)
    assert seen == [THRESHOLDS]
    assert gc.get_threshold() == default
