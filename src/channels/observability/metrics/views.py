"""The metrics as a view of Django: ``path("metrics", metrics)``."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from channels.observability.metrics.endpoint import answer


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Show the figures of all processes of this machine to this machine, or to whoever has the token.

    Returns:
        403 for others; 503 where nothing is counted.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    status, body, content_type = answer(headers, request.META.get("REMOTE_ADDR"))
    return HttpResponse(body, status=status, content_type=content_type)
