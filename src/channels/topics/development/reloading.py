"""Pages that are loaded anew when a file has changed.

Django's reloader watches code, and ends the process when it changes; the pages' client comes back to the new
one, and finds that it is another. Templates and static files change without that: then a publication tells.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.template.autoreload import get_template_directories
from django.utils import autoreload

logger = logging.getLogger("channels.topics")


def reloads_pages() -> bool:
    """Return whether this process is the one that Django's reloader runs, of a project in development."""
    return bool(settings.DEBUG) and os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) == "true"


def watch() -> None:
    """Let there be a topic for pages, and tell it of changes from now on."""
    from channels.topics.development import page_reload  # noqa: F401  # its class registers itself

    autoreload.autoreload_started.connect(watch_static_files, dispatch_uid="channels-reload")
    autoreload.file_changed.connect(tell_pages, dispatch_uid="channels-reload")


def static_directories() -> set[Path]:
    """Return the folders of static files of the project and its apps, apart from installed packages."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return set()
    from django.contrib.staticfiles.finders import get_finders

    storages = [storage for finder in get_finders() for storage in getattr(finder, "storages", {}).values()]
    return {Path(storage.location) for storage in storages if "site-packages" not in storage.location}


def watch_static_files(sender: Any, **kwargs: Any) -> None:
    """Have the reloader look at static files, too."""
    for directory in static_directories():
        sender.watch_dir(directory, "**/*")


def tell_pages(sender: Any, file_path: Path, **kwargs: Any) -> bool | None:
    """Tell pages that a file has changed; returns True for a static file, which needs no other process."""
    is_static = any(directory in file_path.parents for directory in static_directories())
    if is_static or any(directory in file_path.parents for directory in get_template_directories()):
        _publish(file_path.name)
    return True if is_static else None


def _publish(name: str) -> None:
    from channels.topics.development.page_reload import PageReload

    try:
        PageReload().publish({"file": name}, now=True)
    except Exception as error:  # the store is away: whoever writes code loads the page by hand
        logger.debug("Pages could not be told that %s has changed: %r", name, error)
