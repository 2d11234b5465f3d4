"""The tests' project on a database file."""

import tempfile
from pathlib import Path

from tests.settings import *  # noqa: F403

_directory = tempfile.TemporaryDirectory()
_path = str(Path(_directory.name) / "db.sqlite3")
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _path, "TEST": {"NAME": f"{_path}-test"}}  # type: ignore[dict-item]
}
