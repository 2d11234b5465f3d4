"""What a user may see and do in the inspector."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from channels.inspector.settings import contents_allowed
from channels.observability.fleet.facts.status import own_requests

VIEW: Final = "channels_inspector.view_inspector"
CONTENTS: Final = "channels_inspector.see_contents"
ACT: Final = "channels_inspector.act"

View = Callable[..., HttpResponseBase]


def is_staff(user: Any) -> bool:
    """Whether a user may see anything here: numbers, and no names."""
    return bool(user is not None and user.is_active and getattr(user, "is_staff", False))


def may(user: Any, permission: str) -> bool:
    """Whether a user has a permission; contents need a setting too."""
    if permission == CONTENTS and not contents_allowed():
        return False
    return is_staff(user) and user.has_perm(permission)


def staff(permission: str = "") -> Callable[[View], View]:
    """Let staff in, those with a permission if one is named; others have to log in, or get 403.

    Its requests do not count as the project's.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            own_requests["requests"] += 1
            user: Any = getattr(request, "user", None)
            if user is None or not user.is_authenticated:
                return redirect_to_login(request.get_full_path(), _login_url())
            if not is_staff(user) or (permission and not may(user, permission)):
                raise PermissionDenied(_("You may not see this page."))
            response = view(request, *args, **kwargs)
            response["Cache-Control"] = "no-store"
            return response

        return guarded

    return decorate


def _login_url() -> str:
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return resolve_url(settings.LOGIN_URL)
