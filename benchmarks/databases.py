"""A PostgreSQL of the run's own, on the server's core, with what it has by default."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .children import Child
from .servers import SERVER_CORE, ServerFailed

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@contextlib.contextmanager
def postgresql_server() -> Iterator[str]:
    """Start it; gives the directory of its socket.

    Raises:
        ServerFailed: it is not installed or does not start.
    """
    search = os.pathsep.join([*map(str, _FOLDERS), os.environ.get("PATH", "")])
    initdb, program = shutil.which("initdb", path=search), shutil.which("postgres", path=search)
    if not initdb or not program:
        raise ServerFailed("PostgreSQL is not installed (apt-get install postgresql)")
    folder = tempfile.mkdtemp(prefix="bench")
    user = _unprivileged(folder)
    options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **user}
    make = [initdb, "-D", f"{folder}/data", "--auth=trust", "--username=postgres", "--encoding=UTF8"]
    subprocess.run(make, check=True, **options)
    serve = [program, "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses="]
    child = Child(SERVER_CORE, serve, **options)
    try:
        _wait(child, Path(folder))
        yield folder
    finally:
        child.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(child: Child, folder: Path) -> None:
    for _ in range(200):
        if child.ended:
            raise ServerFailed("postgres does not run here")
        pid = folder / "data/postmaster.pid"
        if pid.exists() and "ready" in pid.read_text():
            return
        time.sleep(0.05)
    raise ServerFailed("postgres was not ready within 10 s")


def _unprivileged(folder: str) -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return {}
    shutil.chown(folder, "nobody")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}
