"""The limit of open files."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from channels.server import descriptors
from channels.server.descriptors import descriptor_limit, room_for_connections
from tests.server.helpers import LONG


def test_the_limit_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda which: unlimited)
    assert descriptor_limit() is None
    assert room_for_connections(None) == 0


RAISE = """
import resource
from channels.server.descriptors import raise_descriptor_limit
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
raise_descriptor_limit()
raise_descriptor_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
"""


def test_a_server_may_open_as_many_files_as_its_user() -> None:
    # In a process of its own: the limit of this one is everybody's.
    subprocess.run([sys.executable, "-c", RAISE], check=True, timeout=LONG)
