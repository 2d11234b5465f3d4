"""What staff may do: each is a POST, needs a permission, and is written down first."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from channels.inspector.models import audit
from channels.inspector.permissions import ACT, staff
from channels.inspector.views.tasks import run_now, store
from channels.observability.fleet import merging
from channels.observability.fleet.asking import PATIENT_LIMIT
from channels.observability.fleet.current import ask
from channels.observability.fleet.questions import Close, DisconnectUser, DrainNode

#: With which clients of topics stay away, and their reason.
CODE: Final = 3503
REASON: Final = "force disconnect"


@require_POST
@staff(ACT)
def close(request: HttpRequest) -> HttpResponseRedirect:
    """Close one connection."""
    connection = request.POST.get("connection", "")[:100]
    audit(request, "close", connection)
    done = merging.amount(ask(Close(connection, CODE, REASON), PATIENT_LIMIT))
    return _told(request, _connections(done), "connections")


@require_POST
@staff(ACT)
def disconnect(request: HttpRequest) -> HttpResponseRedirect:
    """Close all connections of a user."""
    user = request.POST.get("user", "")[:150]
    audit(request, "disconnect", user)
    done = merging.amount(ask(DisconnectUser(user, CODE, REASON), PATIENT_LIMIT))
    return _told(request, _connections(done), "connections")


@require_POST
@staff(ACT)
def drain(request: HttpRequest) -> HttpResponseRedirect:
    """Drain a process."""
    node = request.POST.get("node", "")[:64]
    audit(request, "drain", node)
    done = merging.amount(ask(DrainNode(node), PATIENT_LIMIT))
    return _told(request, _("The process drains.") if done else _("There is no such process."), "now")


@require_POST
@staff(ACT)
def task(request: HttpRequest) -> HttpResponseRedirect:
    """Let a task run again, cancel it, or run that of a schedule now."""
    backend, task_id = request.POST.get("backend", ""), request.POST.get("task", "")[:200]
    action: Any = request.POST.get("action")
    store(backend)  # or 404
    from channels.tasks.control import cancel, retry
    from channels.tasks.definition.contract import task_backends

    audit(request, f"{action} task"[:50], f"{backend} {task_id}")
    if action == "run":
        done = run_now(backend, task_id)
    else:
        act = {"retry": retry, "cancel": cancel}.get(action)
        done = act is not None and act(task_backends[backend].get_result(task_id))
    return _told(request, _("Done.") if done else _("It was not in a state for that."), "tasks")


def _connections(done: int) -> str:
    return ngettext("%d connection closed.", "%d connections closed.", done) % done


def _told(request: HttpRequest, text: str, page: str) -> HttpResponseRedirect:
    messages.info(request, text, fail_silently=True)
    return HttpResponseRedirect(reverse(f"inspector:{page}"))
