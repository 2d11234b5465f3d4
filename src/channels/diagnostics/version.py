"""Which release of Fairway this is. ``channels.__version__`` says which release of Channels it stands for."""

from __future__ import annotations

from functools import cache
from importlib import metadata

#: The name of the distribution.
DISTRIBUTION = "django-fairway"


@cache
def release() -> str:
    """Return the version of the installed distribution; "unknown" for a copy of the source alone."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
