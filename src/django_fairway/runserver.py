"""A line for a project that has an ASGI application, and neither ``daphne`` nor ``channels`` among its apps.

Django's own ``runserver`` then serves WSGI, and none of our apps is there whose system check would say so.
"""

from __future__ import annotations

import sys
from typing import Any, Final

#: Django's command, which every ``runserver`` is derived from. It is imported once the settings are read.
_COMMAND: Final = "django.core.management.commands.runserver"


def watch() -> None:
    """Look at the settings when Django's ``runserver`` is imported; Django itself is not imported here."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds nothing: it is told what is imported, and leaves when it has seen the command."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname != _COMMAND:
            return
        sys.meta_path.remove(self)
        try:
            said = advice(sys.modules["django.conf"].settings)
        except Exception:  # a start of somebody's program is no place to fail
            return
        if said and "--noasgi" not in sys.orig_argv:
            print(said, file=sys.stderr)


def advice(settings: Any) -> str:
    """Return what is to be said of these settings; "" if nothing is.

    Args:
        settings: Django's.
    """
    application = getattr(settings, "ASGI_APPLICATION", None)
    if not application or any(app.split(".")[0] in ("daphne", "channels") for app in settings.INSTALLED_APPS):
        return ""
    return (
        f"django-fairway: ASGI_APPLICATION is {application!r}, but 'daphne' is missing from INSTALLED_APPS: "
        "runserver serves WSGI, and every WebSocket gets a 404. "
        "Add 'daphne' to INSTALLED_APPS, best in the first place."
    )
