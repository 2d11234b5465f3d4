from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.layers.host import HostChannelLayer
from tests.layers.host.processes import Process


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where processes meet; its path is short enough for a Unix socket whatever the test is called."""
    parent = Path(tempfile.mkdtemp(prefix="fw"))
    yield parent / "broker"
    shutil.rmtree(parent)


@pytest.fixture
async def start(directory: Path) -> AsyncIterator[Callable[..., Awaitable[Process]]]:
    """Start a process of the project; what is left of it at the end is killed."""
    started: list[Process] = []

    async def start(**config: Any) -> Process:
        process = await Process.start(**{"path": str(directory), **config})
        started.append(process)
        return process

    yield start
    for process in started:
        if process.process.returncode is None:
            await process.kill()


@pytest.fixture
async def make(directory: Path) -> AsyncIterator[Callable[..., HostChannelLayer]]:
    """Layers that are processes of their own to the broker."""
    made: list[HostChannelLayer] = []

    def make(**config: Any) -> HostChannelLayer:
        made.append(HostChannelLayer(path=directory, **config))
        return made[-1]

    yield make
    for layer in made:
        await layer.aclose()
        await layer.aclose()
