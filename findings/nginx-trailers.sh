#!/bin/sh
# nginx 1.22.1 drops the trailers of an upstream's chunked answer and still passes on the header `Trailer` that announces
# them: a client that was told of a checksum never gets it. HAProxy 2.6.12 passes both on.
#
# Seen, whether the header and the trailer itself arrive:
#   {'nginx': (True, False), 'haproxy': (True, True)}
set -eu
cd "$(dirname "$0")/shared"
PYTHONDONTWRITEBYTECODE=1 python3 - <<'PROBE'
from proxies import answer_with, get, through
from servers import told

HEAD = b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
upstream = answer_with([HEAD, b"2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"], 0.3)
seen = {}
for proxy in ("nginx", "haproxy"):
    with through(proxy, upstream) as port:
        came = b"".join(data for _, data in get(port)).lower()
        seen[proxy] = b"trailer: x-sum\r\n" in came, b"x-sum: 1\r\n" in came
told(seen, {"nginx": (True, False), "haproxy": (True, True)})
PROBE
