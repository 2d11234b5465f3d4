#!/bin/sh
# A request of HTTP/1.0 without a Host header, which that version allows and simple health checks send: granian 2.8.9 says
# http_version "1" (ASGI has "1.0") and adds a Host header of its own, an empty one. Django then has a host to judge and refuses it:
# 400, where it takes the server's own name under uvicorn 0.54.0 and hypercorn 0.18.0, since no Host came.
#
# Seen, (http_version, headers, status of a view of Django 5.2.19 that asks for the host):
#   {'uvicorn': ('1.0', [], 200), 'hypercorn': ('1.0', [], 200), 'granian': ('1', [['host', '']], 400)}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q django==5.2.19 2>/dev/null
cat > app.py <<'APP'
import json
import pathlib

from django.conf import settings

settings.configure(ROOT_URLCONF="app", ALLOWED_HOSTS=["*"], SECRET_KEY="-")

from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

django = get_asgi_application()
urlpatterns = [path("", lambda request: HttpResponse(request.get_host()))]


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError(scope["type"])
    headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    pathlib.Path("scope").write_text(json.dumps([scope["http_version"], headers]))
    await django(scope, receive, send)
APP
"$folder/venv/bin/python" - <<'PROBE'
import json
import pathlib

from servers import COMMANDS, pieces, serving, told

seen = {}
for name in COMMANDS:
    with serving(name) as port:
        answer = b"".join(data for _, data in pieces(port, b"GET / HTTP/1.0\r\n\r\n"))
        version, headers = json.loads(pathlib.Path("scope").read_text())
        seen[name] = version, headers, int(answer.split()[1])
plain = ("1.0", [], 200)
told(seen, {"uvicorn": plain, "hypercorn": plain, "granian": ("1", [["host", ""]], 400)})
PROBE
