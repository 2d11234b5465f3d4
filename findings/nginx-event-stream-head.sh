#!/bin/sh
# nginx 1.22.1, which passes each event of a chunked stream on at once though it buffers, keeps the head until the first of them
# has come; not with `proxy_buffering off` or `X-Accel-Buffering: no`. HAProxy 2.6.12 (with `option http-no-delay`) does not.
# A page whose stream starts quietly sees no `open` event: send one of these, or a comment line with the head.
#
# Seen, the seconds until the head comes, where the first event comes after 1.5 s, rounded down:
#   {'nginx': 1, 'nginx, proxy_buffering off': 0, 'nginx, X-Accel-Buffering: no': 0, 'haproxy': 0}
set -eu
cd "$(dirname "$0")/shared"
PYTHONDONTWRITEBYTECODE=1 python3 - <<'PROBE'
from proxies import answer_with, get, through
from servers import told

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n%b\r\n"
EVENT = b"9\r\ndata: 1\n\n\r\n"


def seconds(proxy, header=b"", more=""):
    with through(proxy, answer_with([HEAD % header, EVENT], 1.5), more) as port:
        return int(get(port, 4.0)[0][0])


seen = {
    "nginx": seconds("nginx"),
    "nginx, proxy_buffering off": seconds("nginx", more="proxy_buffering off;"),
    "nginx, X-Accel-Buffering: no": seconds("nginx", b"X-Accel-Buffering: no\r\n"),
    "haproxy": seconds("haproxy"),
}
told(seen, dict(zip(seen, (1, 0, 0, 0))))
PROBE
