#!/bin/sh
# nginx 1.22.1 (with `proxy_http_version 1.1`) takes an upstream's 103 Early Hints as the final answer: nothing comes before the
# upstream closes, then the 103, and the real answer as if it were its body, unread. HAProxy 2.6.12 passes the 103 on at
# once and the answer after it. Behind such an nginx an application must send no early hints.
#
# Seen, where the answer follows after 1 s and the upstream closes after 2 s: seconds until the first byte, rounded
# down, and whether nginx has put headers of its own on the 200 that followed:
#   {'nginx': (2, False), 'haproxy': 0}
set -eu
cd "$(dirname "$0")/shared"
PYTHONDONTWRITEBYTECODE=1 python3 - <<'PROBE'
from proxies import answer_with, get, through
from servers import told

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
upstream = answer_with([HINT, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], 1.0)
with through("nginx", upstream) as port:
    came = get(port, 4.0)
    nginx = int(came[0][0]), b"Server: nginx" in b"".join(data for _, data in came).partition(b" 200 OK")[2]
with through("haproxy", upstream) as port:
    haproxy = int(get(port, 4.0)[0][0])
told({"nginx": nginx, "haproxy": haproxy}, {"nginx": (2, False), "haproxy": 0})
PROBE
