"""What is wrong, and how processes are, as the pages show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext as _

from channels.observability.fleet.asking import NodeAnswer
from channels.observability.problems import KINDS, Problem

#: What the doctor says too: the texts are there, and marked here for those who translate.
_TEXTS: Final = [gettext_noop(text) for kind in KINDS.values() for text in (kind.text, kind.remedy)]


def shown(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return problems in the language of whoever looks: what is wrong, and what to do."""
    return [{"text": each.text(gettext), "remedy": each.remedy(gettext)} for each in problems]


def plain(answer: NodeAnswer) -> dict[str, Any]:
    """Return a process as the page shows it."""
    found: dict[str, Any] = {
        "id": answer.node.id,
        "name": answer.node.name,
        "role": answer.node.role,
        "state": answer.state,
        "silent": round(answer.silent),
    }
    status = answer.result
    if status is not None:
        found |= {
            "state": "draining" if status.draining else "held" if status.lag < 0 else "ok",
            "lag": round(1000 * status.lag, 1),
            "memory": status.memory // 2**20,
            "counts": {name: status.counts.get(name, 0) for name in SHOWN},
            "may_drain": bool(status.counts.get("servers") or status.counts.get("workers")),
            "tasks": tasks_of(status.counts),
        }
    return found


def tasks_of(counts: dict[str, int]) -> str:
    """Return what a worker of tasks does, in words; "" for a process that is none."""
    if "tasks_running" not in counts:
        return ""
    running, free = counts["tasks_running"], counts.get("tasks_free", 0)
    return _("%(running)d of %(places)d, waited %(seconds).1f s") % {
        "running": running,
        "places": running + free,
        "seconds": counts.get("tasks_waited_ms", 0) / 1000,
    }


#: What each process is shown with.
SHOWN: Final = ("connections", "websockets", "clients", "topics", "subscriptions", "groups", "unread")
