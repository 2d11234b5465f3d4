"""A page with the bar of a task, by our client and by htmx, for one user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

from tests.tasks import jobs

#: Where npm has put htmx; the tests say it.
packages = Path()

OURS = "{% load topics tasks %}{% topics_client %}{% task_progress result %}"
HTMX = """{% load tasks %}
<script src="/npm/htmx.org/dist/htmx.js"></script>
<script src="/npm/htmx.org/dist/ext/hx-sse.js"></script>
{% task_progress_htmx result %}"""


class Viewer:
    """A user without a database."""

    pk = 7
    is_anonymous = False
    is_authenticated = True
    is_active = True


async def auser() -> Viewer:
    """As Django's middleware has it."""
    return Viewer()


class AsViewer:
    """Lets each request be the viewer's."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    async def __call__(self, request: Any) -> Any:
        request.user = Viewer()
        request.auser = auser
        return await self._get_response(request)


def page(request: HttpRequest, kind: str, task_id: str) -> HttpResponse:
    body = {"ours": OURS, "htmx": HTMX}[kind]
    context = {"result": jobs.resize.get_backend().get_result(task_id)}
    html = engines["django"].from_string(body).render(context)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Task</title>'
    return HttpResponse(f"<!doctype html>{head}<body>{html}</body>")


def from_npm(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse((packages / "node_modules" / name).read_bytes(), content_type="text/javascript")


urlpatterns = [
    path("", include("channels.topics.urls")),
    path("page/<str:kind>/<str:task_id>", page),
    path("npm/<path:name>", from_npm),
]
