"""Of which processes one has heard."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from pathlib import Path
from typing import Final

from channels.diagnostics.version import release
from channels.observability.fleet.messages import Known, NodeInfo

#: Seconds after which a process that was not heard of is forgotten.
FORGET_AFTER: Final = 300.0
#: The same for one of this machine that is known to have ended, however it did.
FORGET_ENDED_AFTER: Final = 60.0


def this_process() -> NodeInfo:
    """Return who this process is."""
    return NodeInfo(uuid.uuid4().hex, socket.gethostname(), os.getpid(), _role(), release(), time.time())


def _role() -> str:
    """Return the words of the command line that say what this process is for."""
    words = [_program(), *sys.argv[1:2]]
    return " ".join(word for word in words if not word.startswith(("-", "{")))[:60]


def _program() -> str:
    """Return the name of the script, or of the module of ``python -m``."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return Path(sys.argv[0] or "python").name


class Roster:
    """Processes by their ids, each with when it was heard of."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[NodeInfo, float]] = {}

    def heard(self, node: NodeInfo, silent: float = 0.0) -> None:
        """Note that a process was heard of, so many seconds ago."""
        at = time.monotonic() - silent
        before = self._heard.get(node.id)
        if before is None or before[1] < at:
            self._heard[node.id] = (node, at)

    def knows(self, node: str) -> bool:
        """Return whether a process was heard of."""
        return node in self._heard

    def forget(self, node: str) -> None:
        """Note that a process has ended."""
        self._heard.pop(node, None)

    def known(self) -> list[Known]:
        """Return those of whom something was heard not too long ago."""
        now = time.monotonic()
        found = [Known(node, now - at) for node, at in self._heard.values()]
        kept = [each for each in found if each.silent < FORGET_AFTER and not _is_long_gone(each)]
        if len(kept) < len(found):
            ids = {each.node.id for each in kept}
            self._heard = {key: value for key, value in self._heard.items() if key in ids}
        return kept


def _is_long_gone(known: Known) -> bool:
    return known.silent > FORGET_ENDED_AFTER and state_of_process(known.node) == "ended"


def state_of_process(node: NodeInfo) -> str:
    """Return what this machine knows of a process that says nothing.

    Returns:
        "stopped" or "ended" if it is one of this machine's and that is so; else "silent".
    """
    if node.host != socket.gethostname():
        return "silent"
    try:
        state = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "ended" if Path("/proc/self").exists() else "silent"
    return {"T": "stopped", "t": "stopped", "Z": "ended"}.get(state, "silent")
