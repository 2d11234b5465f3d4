"""How all processes are now."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from channels.inspector.permissions import VIEW, may, staff
from channels.inspector.sampling import counts_only, sampler
from channels.inspector.views.page import page


@staff()
def show(request: HttpRequest) -> HttpResponse:
    """Show plots, and the processes to those who may see names."""
    samples = sampler.samples()
    if not may(request.user, VIEW):
        samples = [counts_only(each) for each in samples]
    return page(request, "now", samples=samples, last=samples[-1], plots=_plots())


def _plots() -> list[tuple[str, str, str]]:
    """Return what is plotted: where it is in a sample, what it is called, and its unit."""
    found: list[Any] = [
        ("sums.websockets", _("WebSockets"), ""),
        ("sums.subscriptions", _("Subscriptions"), ""),
        ("sums.groups", _("Groups"), ""),
        ("rates.requests", _("Requests"), _("a second")),
        ("rates.delivered", _("Delivered"), _("a second")),
        ("rates.dropped", _("Dropped"), _("a second")),
        ("lag", _("Lag"), _("ms")),
        ("sums.unread", _("Unread messages"), ""),
    ]
    return found
