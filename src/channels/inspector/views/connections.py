"""Who is connected, and one connection."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from channels.inspector.closings import meaning
from channels.inspector.permissions import CONTENTS, VIEW, may, staff
from channels.inspector.views.page import page
from channels.observability.fleet import merging
from channels.observability.fleet.asking import PATIENT_LIMIT
from channels.observability.fleet.current import ask
from channels.observability.fleet.questions import AskConnection, AskConnections, AskEndings

#: Rows of a page.
ROWS: Final = 50
#: Rows of those that have ended.
ENDED: Final = 20
#: Seconds for which the messages of a connection are noted, each time somebody looks at it.
WATCH: Final = 30.0
_FIELDS: Final = ("text", "user", "path", "topic", "address")


@staff(VIEW)
def listed(request: HttpRequest) -> HttpResponse:
    """List those that fit the search."""
    search = {name: request.GET.get(name, "")[:200] for name in _FIELDS}
    after = request.GET.get("after", "")[:100]
    question = AskConnections(
        text=search["text"],
        user=search["user"],
        path=search["path"],
        topic=search["topic"],
        address=search["address"],
        after=after,
        limit=ROWS,
    )
    found = merging.connections(ask(question), ROWS)
    kept: dict[str, Any] = {name: text for name, text in search.items() if text}
    more = urlencode({**kept, "after": found.after}) if found.after else ""
    return page(
        request, "connections", found=found, fields=_fields(search), more=more, ended=_ended(search["path"])
    )


def _ended(path: str) -> list[Any]:
    """Return those that have ended lately, each with what its code says."""
    rows = [row for each in ask(AskEndings(path)) if each.result for row in each.result.rows]
    newest = sorted(rows, key=lambda row: -row.at)[:ENDED]
    return [(row, meaning(row.code)) for row in newest]


def _fields(search: dict[str, str]) -> list[tuple[str, str, str]]:
    words = {
        "text": _("Anything"),
        "user": _("User"),
        "path": _("Path"),
        "topic": _("Topic or group"),
        "address": _("Address"),
    }
    return [(name, words[name], text) for name, text in search.items()]


@staff(VIEW)
def one(request: HttpRequest, connection: str) -> HttpResponse:
    """Show one connection."""
    answers = ask(AskConnection(connection[:100], WATCH), PATIENT_LIMIT)
    found = next((each for each in answers if each.result is not None), None)
    if found is None:
        raise Http404(_("This connection has ended, or its process does not answer."))
    sees = may(request.user, CONTENTS)
    return page(request, "connection", found=found.result, node=found.node, sees_contents=sees)
