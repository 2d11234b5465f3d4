#!/bin/sh
# httpx-sse 0.4.3 makes an event with empty data of every comment that a blank line follows, as servers send them to keep a connection open
# (": ping" and a blank line), as soon as one event has had an id; before that it does not. The standard dispatches no event whose data is
# empty. A reader that takes each event's data as JSON works in every test, and fails after the first silence of a stream that can be
# resumed. httpx2 2.16.2, whose reader comes from it, leaves these out, but makes events of a lone retry field; sseclient-py 1.9.0 of neither.
#
# Seen, the data of what each yields for a comment, a retry field, an event without an id, a comment, an event with one and a comment:
#   {'httpx-sse': ['', 'a', 'b', ''], 'httpx2': ['', 'a', 'b'], 'sseclient-py': ['a', 'b']}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q httpx==0.28.1 httpx-sse==0.4.3 httpx2==2.16.2 sseclient-py==1.9.0 2>/dev/null
"$folder/venv/bin/python" - <<'PROBE'
import sys

import httpx
import httpx2
from httpx_sse import EventSource
from sseclient import SSEClient

PING = b": ping\n\n"
STREAM = PING + b"retry: 3000\n\n" + b"data: a\n\n" + PING + b"id: 1\ndata: b\n\n" + PING
HEADERS = {"content-type": "text/event-stream"}

asked = httpx2.Request("GET", "http://localhost/")
readers = {
    "httpx-sse": EventSource(httpx.Response(200, headers=HEADERS, content=STREAM)).iter_sse(),
    "httpx2": httpx2.EventSource(httpx2.Response(200, headers=HEADERS, content=STREAM, request=asked)),
    "sseclient-py": SSEClient(iter([STREAM])).events(),
}
seen = {name: [event.data for event in events] for name, events in readers.items()}
expected = {"httpx-sse": ["", "a", "b", ""], "httpx2": ["", "a", "b"], "sseclient-py": ["a", "b"]}
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected)
PROBE
