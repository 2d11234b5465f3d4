"""What ``django_fairway.pth`` runs at the start of ``manage.py`` and ``daphne``: a look, a line if needed."""

from __future__ import annotations

import os
import sys

_PROGRAMS = ("manage.py", "daphne", "django-admin", "django")


def is_meant(words: list[str]) -> bool:
    """Whether a command line starts one of the programs that need our files.

    Args:
        words: of the command line, behind the interpreter.
    """
    names = (word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe") for word in words)
    return any(name in _PROGRAMS for name in names)


# RUN_MAIN: the child of Django's autoreloader; its parent has said it.
if is_meant(sys.orig_argv[1:4]) and "RUN_MAIN" not in os.environ:
    from django_fairway import presence

    presence.warn()
    if "runserver" in sys.orig_argv:
        from django_fairway import runserver

        runserver.watch()
