#!/bin/sh
# prometheus-client 0.26.0 answers with OpenMetrics whenever an Accept header names it before plain text of version 1.0.0, whatever the header prefers: for q=0.1
# beside text with q=0.9, as from a scraper that is told to prefer text, and for q=0, "not acceptable". It says to write any version that it
# is asked for: 7.3.0 is the same as its 1.0.0. Asked for escaping=values, it renames each sample and not its type, so that even a plain
# `hits_total` becomes another series, `U__hits__total`, beside a type `hits` without samples.
#
# Seen, the content type, the type's name and the sample of a counter `hits`, for each Accept:
#   {'text 0.9, openmetrics 0.1': ['openmetrics-text; version=1.0.0', 'hits', 'hits_total 1.0'],
#    'openmetrics 0': ['openmetrics-text; version=1.0.0', 'hits', 'hits_total 1.0'], 'version 7.3.0': ['openmetrics-text; version=7.3.0', 'hits', 'hits_total 1.0'],
#    'values': ['openmetrics-text; version=1.0.0', 'hits', 'U__hits__total 1.0']}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q prometheus-client==0.26.0 2>/dev/null
"$folder/venv/bin/python" - <<'PROBE'
import sys
import urllib.request

from prometheus_client import CollectorRegistry, Counter, start_http_server

TEXT, OPEN = "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"
ACCEPT = {
    "text 0.9, openmetrics 0.1": f"{TEXT};q=0.9,{OPEN};q=0.1",
    "openmetrics 0": f"{TEXT},{OPEN};q=0",
    "version 7.3.0": f"application/openmetrics-text;version=7.3.0,{TEXT};q=0.1",
    "values": f"{OPEN};escaping=values",
}
registry = CollectorRegistry()
Counter("hits", "Hits.", registry=registry).inc()
server, _ = start_http_server(0, "127.0.0.1", registry)


def scrape(accept):
    asked = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/", headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        kind = ";".join(answer.headers["content-type"].removeprefix("application/").split(";")[:2])
        lines = answer.read().decode().splitlines()
    named = next(line.split()[2] for line in lines if line.startswith("# TYPE"))
    return [kind, named, next(line for line in lines if line.endswith("total 1.0"))]


seen = {name: scrape(accept) for name, accept in ACCEPT.items()}
kind, line = "openmetrics-text; version=1.0.0", "hits_total 1.0"
expected = dict.fromkeys(ACCEPT, [kind, "hits", line])
expected["version 7.3.0"] = ["openmetrics-text; version=7.3.0", "hits", line]
expected["values"] = [kind, "hits", "U__hits__total 1.0"]
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected)
PROBE
