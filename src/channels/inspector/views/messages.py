"""Where is my message? What became of the last ones of a topic, a group or a channel, in all processes."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse

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
    """List to what messages were sent lately."""
    text = request.GET.get("text", "")[:200]
    return page(request, "messages", found=merging.log_names(ask(AskLogNames(text)))[:ROWS], text=text)


@staff(VIEW)
def one(request: HttpRequest) -> HttpResponse:
    """Show the last messages of one of them; each look at what is in them is logged first."""
    name = request.GET.get("name", "")[:500]
    sees = may(request.user, CONTENTS)
    contents = sees and request.GET.get("contents") == "1"
    if contents:
        audit(request, "see contents", name)
    answers = ask(AskLog(name, contents=contents))
    missing = [each for each in answers if each.result is None]
    found = merging.log(answers)[:ROWS]
    return page(
        request, "message", subject=name, found=found, missing=missing, contents=contents, sees_contents=sees
    )
