"""What one changed row costs, beside a group message of the same bytes: measured in the server's process."""

import asyncio
import time

from django.db import connection, models
from django.http import HttpRequest, JsonResponse

ROWS, CHANGES = 1_000, 100
#: What subscribers of the query get of a change, as text of a WebSocket.
TEXT = (
    '{"push":{"id":1,"pub":{"data":{"changes":'
    '[{"op":"change","key":500,"row":{"number":%d,"text":"row 500"}}]},"offset":1000}}}'
)


class Line(models.Model):
    number = models.IntegerField(default=0)
    text = models.CharField(max_length=20)

    class Meta:
        app_label = "benchsite"


class Unwatched(models.Model):
    number = models.IntegerField(default=0)
    text = models.CharField(max_length=20)

    class Meta:
        app_label = "benchsite"


def prepare(request: HttpRequest) -> JsonResponse:
    """Make the tables, and serve live queries; only this row of the summary has them."""
    from channels.live import LiveQuery
    from channels.live.capture.statements import watch_statements
    from channels.live.serving.node import serve_live_queries

    class Lines(LiveQuery):
        pattern = "lines"
        fields = ("number", "text")
        interval = 0.0

        def queryset(self):
            return Line.objects.all()

        async def may_subscribe(self, user):
            return True

    known = connection.introspection.table_names()
    for model in (Line, Unwatched):
        if model._meta.db_table not in known:
            with connection.schema_editor() as editor:
                editor.create_model(model)
            model.objects.bulk_create([model(text=f"row {number}") for number in range(ROWS)])
    serve_live_queries()
    watch_statements()
    return JsonResponse({})


def change(model: type[models.Model], number: int) -> None:
    model.objects.filter(pk=500).update(number=number)


async def _cpu(step) -> float:
    """Return the microseconds of processor time of one step, what follows it included."""
    begun = time.process_time()
    for number in range(CHANGES):
        await step(number)
        await asyncio.sleep(0.02)
    return (time.process_time() - begun) / CHANGES * 1e6


async def told(request: HttpRequest, kind: str) -> JsonResponse:
    """Answer with the microseconds of a change, or of a group message, without what the rest costs."""
    from channels.db import database_sync_to_async
    from channels.layers import get_channel_layer

    layer = get_channel_layer()

    async def message(number):
        await layer.group_send("broadcast_bench", {"type": "websocket.send", "text": TEXT % number})

    async def nothing(number):
        pass

    def changed(model):
        return lambda number: database_sync_to_async(change)(model, number + time.time_ns() % 10**9)

    step, rest = (changed(Line), changed(Unwatched)) if kind == "query" else (message, nothing)
    await _cpu(step)
    return JsonResponse({"us": max(0.0, await _cpu(step) - await _cpu(rest)), "note": f"{CHANGES} times"})
