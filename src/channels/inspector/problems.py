"""What is wrong, in words: the line that is red."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from channels.observability.fleet.asking import NodeAnswer

#: Seconds that an event loop may take to take a call before that is a problem.
MOST_LAG: Final = 0.5


def problems(answers: list[NodeAnswer], rates: dict[str, float]) -> list[str]:
    """Return what is wrong with the processes.

    Args:
        answers: of all of them.
        rates: what was counted per second of late, of all of them together.
    """
    return [*_of_nodes(answers), *_of_rates(rates)]


def _of_nodes(answers: list[NodeAnswer]) -> Iterator[str]:
    for each in answers:
        name, status = each.node.name, each.result
        if each.state != "ok":
            yield _SAID[each.state](name, each)
        elif status.lag < 0:
            yield _("%(name)s: the event loop is held. %(doing)s") % {
                "name": name,
                "doing": status.doing,
            }
        elif status.lag > MOST_LAG:
            yield _("%(name)s: the event loop is %(lag).1f s behind.") % {
                "name": name,
                "lag": status.lag,
            }


_SAID: Final[dict[str, Callable[[str, NodeAnswer], str]]] = {
    "silent": lambda name, each: (
        _("%(name)s does not answer; it was last heard of %(seconds)d s ago.")
        % {"name": name, "seconds": each.silent}
    ),
    "stopped": lambda name, each: (
        _("%(name)s is stopped: somebody has sent SIGSTOP, or debugs it.") % {"name": name}
    ),
    "ended": lambda name, each: (
        _("%(name)s has ended without a word: it was killed, or has crashed.") % {"name": name}
    ),
    "failed": lambda name, each: (
        _("%(name)s could not answer: %(error)s") % {"name": name, "error": each.error}
    ),
}


def _of_rates(rates: dict[str, float]) -> Iterator[str]:
    for name, rate in rates.items():
        if rate > 0 and (name.startswith("dropped.") or name in _LOSSES):
            yield _("Lost, %(rate).1f a second: %(what)s") % {"rate": rate, "what": name}


#: Counters that say that somebody has missed something, beside those of the layers.
_LOSSES: Final = frozenset(
    {
        "topics.events_dropped",
        "topics.held_dropped",
        "topics.slow_client_dropped",
        "topics.position_lost",
        "server.application_failed",
        "tasks.report_lost",
    }
)


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
