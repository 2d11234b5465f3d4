"""A process that sends one of each within a span, and prints its spans: name, trace, id and parent.

``python -m tests.observability.tracing.sending SETTINGS``, which are JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings


def main(given: dict[str, Any]) -> None:
    settings.configure(
        INSTALLED_APPS=["channels", "channels.journal", "channels.tasks"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        **given,
    )
    django.setup()
    from asgiref.sync import async_to_sync

    from channels.layers.manager import get_channel_layer
    from channels.observability.tracing.setup import instrument
    from tests.observability.tracing.spans import Spans, ids, parent
    from tests.tasks import jobs

    spans = Spans()
    instrument(spans.provider)
    with spans.tracer.start_as_current_span("request"):
        publish()
        jobs.add.enqueue(1, 2)
        async_to_sync(get_channel_layer().group_send)("room", {"type": "chat.message", "text": "hello"})
    found = [[span.name, *ids(span), parent(span)] for span in spans.exporter.get_finished_spans()]
    sys.stdout.write(json.dumps(found))


def publish() -> None:
    from django.db import transaction

    from tests.journal.topics import Kept
    from tests.topics.topics_for_tests import Room

    Room(name="one").publish({"text": "hello"})
    with transaction.atomic():
        Kept(name="one").publish({"text": "hello"})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
