"""Recording a connection: begin with a POST, get the file with a GET; both are written down first."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from channels.inspector.models import audit
from channels.inspector.permissions import CONTENTS, staff
from channels.observability.fleet.asking import PATIENT_LIMIT
from channels.observability.fleet.current import ask
from channels.observability.fleet.questions import AskRecording

#: Seconds of a recording.
SECONDS: Final = 60.0


@require_http_methods(["GET", "POST"])
@staff(CONTENTS)
def recording(request: HttpRequest, connection: str) -> HttpResponse:
    """Record for a minute from now on, or return what was recorded; personal data are masked."""
    connection = connection[:100]
    if request.method == "POST":
        audit(request, "record", connection)
        done = any(each.result for each in ask(AskRecording(connection, SECONDS), PATIENT_LIMIT))
        said = _("It is recorded for a minute.") if done else _("This connection cannot be recorded.")
        messages.info(request, said, fail_silently=True)
        return HttpResponseRedirect(reverse("inspector:connection", args=[connection]))
    audit(request, "download recording", connection)
    found = next((each.result for each in ask(AskRecording(connection), PATIENT_LIMIT) if each.result), None)
    if found is None:
        raise Http404(_("It is not recorded, or has ended."))
    headers = {"Content-Disposition": 'attachment; filename="recording.jsonl"'}
    return HttpResponse(found.text, content_type="application/jsonl; charset=utf-8", headers=headers)
