"""``--reload``: replace the worker when a Python file changes, so that it serves what the files say now."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from channels.server.processes.child import WorkerSpec
from channels.server.processes.supervisor import Supervisor, WorkerSlot

logger = logging.getLogger("channels.server")

#: Seconds between two looks at the files.
INTERVAL = 0.5
#: Seconds that requests and WebSockets get to end before they are ended.
PATIENCE = 1.0
#: Folders that hold no code of the project, or far too much of others.
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


class Watcher:
    """Finds out which Python files were changed, added or removed.

    Args:
        folders: watched with all that is below, except hidden folders and virtual environments.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._seen = dict(self._scan())

    def changes(self) -> list[str]:
        """Return the paths that changed since the last call, sorted."""
        before, self._seen = self._seen, dict(self._scan())
        found = before.keys() | self._seen.keys()
        return sorted(path for path in found if before.get(path) != self._seen.get(path))

    def _scan(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for folder in self._folders:
            for here, below, names in os.walk(folder):
                below[:] = [name for name in below if _is_watched(here, name)]
                for name in names:
                    if name.endswith(".py") and (state := _state(os.path.join(here, name))) is not None:
                        yield os.path.join(here, name), state


def _is_watched(here: str, name: str) -> bool:
    if name in _SKIPPED or name.startswith("."):
        return False
    return not os.path.exists(os.path.join(here, name, "pyvenv.cfg"))


def _state(path: str) -> tuple[int, int] | None:
    """Return the time and the size of a file, which change when it does; None if it has gone meanwhile."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Reloader(Supervisor):
    """Serves with one worker, which is replaced when a file changes or SIGHUP comes.

    The old one ends before the new one starts, so that code that is no more never answers;
    connections wait meanwhile. One that cannot start is tried again after the next change. Companions are
    replaced one by one, as they have no connections, but perhaps something to finish.

    Args:
        command: as :class:`~channels.server.processes.supervisor.Supervisor` takes it.
        endpoints: likewise.
        folders: what to watch; the working directory if empty.
        options: what else Supervisor takes.
    """

    def __init__(
        self, command: Sequence[str], endpoints: Sequence[str], *, folders: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(command, endpoints, **options)
        self._watcher = Watcher(folders or [os.getcwd()])

    async def work(self, recipe: WorkerSpec) -> int:
        """Serve, and start again after each change, until cancelled."""
        place, beside = WorkerSlot(1, self.staff, recipe), self.beside(recipe)
        async with asyncio.TaskGroup() as group:
            for each in beside:
                group.create_task(each.keep())
            while True:
                await place.fill()
                watching = asyncio.ensure_future(self._watch(place))
                try:
                    changed = await self._wait_change()
                finally:
                    watching.cancel()
                logger.info("%s changed: starting again.", changed)
                for each in beside:
                    group.create_task(each.renew(self.drain_limit))
                await place.vacate(PATIENCE)

    async def _watch(self, place: WorkerSlot) -> None:
        """Log it when no worker serves."""
        await place.watch()
        logger.warning("Waiting for a change of the code to start again.")

    async def _wait_change(self) -> str:
        """Return what changed, once nothing changes any more: editors and git write many files."""
        changed: list[str] = []
        while (more := self._watcher.changes()) or not (changed or self.renew_asked.is_set()):
            changed += more
            await asyncio.sleep(INTERVAL)
        self.renew_asked.clear()
        return named(changed)


def named(changed: Sequence[str]) -> str:
    """Return the first path, as seen from here, and how many more there are."""
    first = os.path.relpath(changed[0]) if changed else "Nothing"
    return first if len(changed) < 2 else f"{first} and {len(set(changed)) - 1} more"
