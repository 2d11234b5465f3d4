"""Where is my message? What became of the last ones of a topic, a group, a channel, a task or a trace."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from channels.diagnostics.delivery_log import trace_in
from channels.inspector.models import audit
from channels.inspector.permissions import CONTENTS, VIEW, may, staff
from channels.inspector.views.page import page
from channels.observability.fleet import merging
from channels.observability.fleet.current import ask
from channels.observability.fleet.questions import AskLog, AskLogNames

#: Messages of a page.
ROWS: Final = 50


@staff(VIEW)
def names(request: HttpRequest) -> HttpResponse:
    """List to what messages were sent lately; the id of a trace leads to what was sent in it."""
    text = request.GET.get("text", "")[:200]
    if trace := trace_in(text):
        return redirect(f"{reverse('inspector:messages_of')}?trace={trace}")
    return page(request, "messages", found=merging.log_names(ask(AskLogNames(text)))[:ROWS], text=text)


@staff(VIEW)
def one(request: HttpRequest) -> HttpResponse:
    """Show the last messages of one of them; each look at what is in them is logged first."""
    name = request.GET.get("name", "")[:500]
    trace = trace_in(request.GET.get("trace", "")[:200]) or trace_in(name)
    sees = may(request.user, CONTENTS)
    contents = sees and request.GET.get("contents") == "1"
    if contents:
        audit(request, "see contents", trace or name)
    answers = ask(AskLog(name, contents=contents, trace=trace))
    missing = [each for each in answers if each.result is None]
    found = merging.log(answers)[:ROWS]
    return page(
        request,
        "message",
        subject=trace or name,
        trace=trace,
        found=found,
        missing=missing,
        contents=contents,
        sees_contents=sees,
    )
