"""The limit of open files."""

from __future__ import annotations

import resource

import pytest

from channels.server import descriptors
from channels.server.descriptors import descriptor_limit, raise_descriptor_limit, room_for_connections


def test_the_limit_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda which: unlimited)
    assert descriptor_limit() is None
    assert room_for_connections(None) == 0


def test_a_server_may_open_as_many_files_as_its_user() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
        for _ in range(2):
            raise_descriptor_limit()
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
