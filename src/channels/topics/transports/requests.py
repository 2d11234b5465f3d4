"""What the views of topics share: whose page asks, who is asking, and how much."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlparse

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from channels import telemetry
from channels.topics.limits import limits
from channels.topics.transports.admission import origins
from channels.typing import Scope

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]
#: A view that gets what its client has sent beside the request.
SentView = Callable[[HttpRequest, bytes], Coroutine[Any, Any, HttpResponseBase]]

#: Seconds that a browser may remember what it may ask for.
PREFLIGHT_AGE = 300


def from_pages_of(*methods: str) -> Callable[[View], View]:
    """Let requests with these methods in, from pages of this site and of ``ALLOWED_ORIGINS`` only.

    A token against CSRF is not asked for, as clients have none; a browser always names the origin of a page
    that sends what could change something.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        async def checked(request: HttpRequest) -> HttpResponseBase:
            origin = request.headers.get("Origin")
            if origin is not None and not origins.valid_origin(urlparse(origin)):
                telemetry.count("security.origin_refused", path=request.path, origin=origin)
                return HttpResponse("Pages of this origin may not connect.", status=403)
            if request.method == "OPTIONS":
                response: HttpResponseBase = HttpResponse(status=204)
                response["Access-Control-Allow-Methods"] = ", ".join((*methods, "OPTIONS"))
                wanted = request.headers.get("Access-Control-Request-Headers", "Content-Type")
                response["Access-Control-Allow-Headers"] = wanted  # this page may say anything
                response["Access-Control-Max-Age"] = str(PREFLIGHT_AGE)
            elif request.method not in methods:
                response = HttpResponse(status=405)
                response["Allow"] = ", ".join((*methods, "OPTIONS"))
            elif not hasattr(request, "scope"):
                response = HttpResponse("Streams need an ASGI server.", status=501)
            else:
                response = await view(request)
            return _shared_with(response, origin)

        checked.login_required = False  # type: ignore[attr-defined]  # LoginRequiredMiddleware would redirect
        return csrf_exempt(checked)

    return decorate


def takes_a_message(view: SentView) -> View:
    """Hand a view what its client sent, which is no longer than a message may be.

    That is the body of a POST, or ``cf_connect`` of a GET.
    """

    @functools.wraps(view)
    async def measured(request: HttpRequest) -> HttpResponseBase:
        sent = request.body if request.method == "POST" else request.GET.get("cf_connect", "").encode()
        if len(sent) > limits().max_message_size:
            return HttpResponse(status=413)
        return await view(request, sent)

    return measured


def _shared_with(response: HttpResponseBase, origin: str | None) -> HttpResponseBase:
    """Let a page of another origin, that may connect, read the answer."""
    if origin is not None:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
        response["Vary"] = "Origin"
    return response


def bearer_of(request: HttpRequest) -> str:
    """Return the token of the header ``Authorization``; "" if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def scope_of(request: Any) -> Scope:
    """Return the scope of a request, with its user and their session."""
    user = await request.auser() if hasattr(request, "auser") else AnonymousUser()
    return {**request.scope, "user": user, "session": getattr(request, "session", None)}
