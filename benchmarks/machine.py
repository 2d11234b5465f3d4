"""Where a run took place: processor, memory, system, revision, versions."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from . import environment
from .results import Machine

OURS = ("django", "asgiref", "websockets", "uvloop", "zttp", "h2", "msgspec", "redis")
#: The peers' distributions that a reader wants to know the version of.
PEERS = (
    *(
        "channels",
        "channels_redis",
        "amqtt",
        "mosquitto",
        "daphne",
        "django",
        "asgiref",
        "twisted",
        "uvicorn",
        "uvloop",
        "httptools",
    ),
    *("websockets", "granian", "hypercorn", "gunicorn", "redis", "picows", "socketify", "node", "ws"),
)


def machine(installed: dict[str, str], method: str) -> Machine:
    """This machine, now."""
    ours = {f"ours: {name}": importlib.metadata.version(name) for name in OURS}
    theirs = {name: installed[name] for name in PEERS if name in installed}
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        date=now(),
        revision=_revision(),
        versions={"fairway": environment.our_version(environment.ROOT), **ours, **theirs},
        method=method,
    )


def now() -> str:
    """Date and time as they go into the record."""
    return datetime.datetime.now(tz=datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
