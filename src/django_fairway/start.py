"""What ``django_fairway.pth`` runs at the start of ``manage.py`` and ``daphne``: a look, a line if needed."""

from __future__ import annotations

import os

from django_fairway import presence

if "RUN_MAIN" not in os.environ:  # the child of Django's autoreloader: its parent has said it
    presence.warn()
