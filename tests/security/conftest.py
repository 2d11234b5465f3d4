"""The ways that the tables are sent along; each is opened once for all modules of a process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.way import Way, way
from tests.support.certificates import Pair, make_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session", params=["direct", "nginx", "haproxy"])
def open_way(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Way]:
    with tempfile.TemporaryDirectory() as folder, way(request.param, Path(folder), pair) as found:
        yield found
