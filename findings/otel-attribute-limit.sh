#!/bin/sh
# OpenTelemetry's SDKs keep at most 128 attributes on a span (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT). The specification: a key whose addition would
# exceed the limit must be discarded; so does the SDK for JavaScript. That for Python, opentelemetry-sdk 1.45.2, discards the oldest one instead:
# a span that has been given many attributes loses those that it began with, which its sampler has seen, and by which it is found
# (its route, its user), and to set one again counts as new. One trace of a page and its server keeps the first of one and the last of the other.
#
# Seen, of a span with a limit of two that begins with route and user, and is then given user again and topic:
#   {'python': {'user': 8, 'topic': 9}, 'javascript': {'route': 1, 'user': 8}}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opentelemetry-sdk==1.45.2 2>/dev/null
cd "$folder"
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.0 @opentelemetry/sdk-trace-base@2.12.1 >/dev/null 2>&1
export OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=2
cat > span.mjs <<'SPAN'
import trace from "@opentelemetry/sdk-trace-base";

const exporter = new trace.InMemorySpanExporter();
const provider = new trace.BasicTracerProvider({ spanProcessors: [new trace.SimpleSpanProcessor(exporter)] });
const span = provider.getTracer("probe").startSpan("span", { attributes: { route: 1, user: 7 } });
span.setAttribute("user", 8);
span.setAttribute("topic", 9);
span.end();
console.log(JSON.stringify(exporter.getFinishedSpans()[0].attributes));
SPAN
"$folder/venv/bin/python" - 2>/dev/null <<'PROBE'
import json
import subprocess
import sys

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
span = provider.get_tracer("probe").start_span("span", attributes={"route": 1, "user": 7})
span.set_attribute("user", 8)
span.set_attribute("topic", 9)
span.end()
python = dict(exporter.get_finished_spans()[0].attributes)
javascript = json.loads(subprocess.run(["node", "span.mjs"], check=True, capture_output=True, text=True).stdout)
seen = {"python": python, "javascript": javascript}
expected = {"python": {"user": 8, "topic": 9}, "javascript": {"route": 1, "user": 8}}
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected)
PROBE
