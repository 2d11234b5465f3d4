"""A process that only writes: ``python -m tests.journal.writing FOLDER TEXT``; no folder: no layer."""

from __future__ import annotations

import sys

import django
from django.conf import settings


def main(folder: str, text: str) -> None:
    from tests.support.databases import from_environment

    host = {"BACKEND": "channels.topics.stores.host.HostStore", "CONFIG": {"path": folder}}
    settings.configure(
        DATABASES=from_environment(),
        INSTALLED_APPS=["channels", "channels.journal"],
        CHANNELS_TOPICS={"STORES": {"default": host}} if folder else {},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    from django.db import transaction

    from tests.journal.topics import Kept

    with transaction.atomic():
        Kept(name="woken").publish(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
