"""What all pages have."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from channels.inspector.permissions import ACT, VIEW, may
from channels.inspector.sampling import COUNTS, NOW


def page(request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    """Render a page.

    Args:
        request: its request.
        name: of the page and its template.
        context: of the template.
    """
    sees = may(request.user, VIEW)
    common = {
        "page": name,
        "pages": _pages() if sees else [],
        "sees": sees,
        "may_act": may(request.user, ACT),
        "topic": NOW if sees else COUNTS,
        "words": json.dumps(_words()),
    }
    return render(request, f"channels/inspector/{name}.html", {**common, **context})


def _pages() -> list[tuple[str, str, str]]:
    found = [("now", reverse("inspector:now"), _("Now"))]
    found.append(("connections", reverse("inspector:connections"), _("Connections")))
    found.append(("messages", reverse("inspector:messages"), _("Where is my message?")))
    if apps.is_installed("channels.tasks"):
        found.append(("tasks", reverse("inspector:tasks"), _("Tasks")))
    return found


def _words() -> dict[str, str]:
    return {
        "live": _("Live"),
        "offline": _("Offline"),
        "fine": _("Nothing is wrong."),
        "wrong": _("Something is wrong; whoever may see names sees what."),
    }
