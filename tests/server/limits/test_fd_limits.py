"""The limit of open files."""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys

import pytest

from channels.server.limits import fd_limits as descriptors
from channels.server.limits.fd_limits import descriptor_limit, raise_descriptor_limit, room_for_connections


def test_the_limit_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: unlimited)
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


def test_what_a_process_was_started_without_is_the_null_device() -> None:
    program = (
        "import os\n"
        "from channels.server.limits.fd_limits import occupy_standard_streams\n"
        "occupy_standard_streams()\n"
        "kinds = {os.path.samestat(os.fstat(number), os.stat(os.devnull)) for number in (0, 1)}\n"
        "assert kinds == {True} and os.get_inheritable(0) and os.dup(0) > 2\n"
    )
    command = f"exec {sys.executable} -c '{program}' <&- >&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize(("limit", "room"), [(256, 192), (1024, 921), (100_000, 98_976), (10, 1)])
def test_the_application_has_a_part_of_the_descriptors(limit: int, room: int) -> None:
    assert abs(room_for_connections(limit) - room) <= limit // 50 + 1


def test_where_there_is_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, which has no module ``resource``."""
    monkeypatch.setitem(sys.modules, "resource", None)
    spec = importlib.util.spec_from_file_location("fd_limits_elsewhere", descriptors.__file__)
    assert spec is not None and spec.loader is not None
    elsewhere = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(elsewhere)
    assert elsewhere.descriptor_limit() is None
    elsewhere.raise_descriptor_limit()
