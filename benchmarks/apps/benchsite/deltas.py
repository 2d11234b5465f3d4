"""What a delta costs, measured where it is made: in the server's process."""

import itertools
import json
import statistics
import time

from django.http import HttpRequest, JsonResponse

ROWS, DOCUMENTS = 87, 200


def document(number: int) -> bytes:
    """A JSON document of 4 kB of which one field changes, in its middle."""
    rows = [{"id": row, "name": f"row {row}", "price": row * 7919 % 1000 / 10} for row in range(ROWS)]
    rows[ROWS // 2]["price"] = number
    return json.dumps(rows).encode()


def delta(request: HttpRequest, kind: str) -> JsonResponse:
    """Answer with the microseconds of one delta, for text (JSON) or bytes (Protobuf)."""
    from channels.protocols.centrifuge import fossil

    create = {"text": fossil.create_text_delta, "bytes": fossil.create_binary_delta}[kind]
    documents = [document(number) for number in range(DOCUMENTS + 1)]
    took, sizes = [], []
    for source, target in itertools.pairwise(documents):
        begun = time.thread_time_ns()
        made = create(source, target)
        took.append((time.thread_time_ns() - begun) / 1000)
        sizes.append(len(made or target))
    return JsonResponse({"us": statistics.median(took), "note": f"{statistics.median(sizes):g} bytes"})
