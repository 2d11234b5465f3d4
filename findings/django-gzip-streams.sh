#!/bin/sh
# The GZipMiddleware of Django 5.2.19 makes each chunk of an async StreamingHttpResponse a gzip file of its own, one behind the
# other. Chromium, curl and httpx 0.28.1 read the first of them and nothing more: of an event stream one event arrives, of a page its
# first piece, without an error; requests 2.34.2 and node read all. A chunk of 9 bytes takes about 110, as each has a file's head,
# padding and sum. A response that has a Content-Encoding already (`identity`) is left alone.
#
# Seen, how many of four chunks arrive:
#   {'chromium': 1, 'curl': 1, 'httpx': 1, 'requests': 4, 'node': 4, 'curl, identity': 4}
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q django==5.2.19 uvicorn==0.54.0 httpx==0.28.1 requests==2.34.2 2>/dev/null
cd "$folder"
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
cat > app.py <<'APP'
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import StreamingHttpResponse
from django.urls import path


async def chunks():
    for number in range(4):
        yield f"chunk {number}\n"


async def view(request, **headers):
    return StreamingHttpResponse(chunks(), content_type="text/html", headers=headers)


MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"]
settings.configure(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, ALLOWED_HOSTS=["*"], SECRET_KEY="none")
urlpatterns = [path("", view), path("identity", view, {"Content-Encoding": "identity"})]
application = get_asgi_application()
APP
"$folder/venv/bin/python" - <<'PROBE'
import subprocess

import httpx
import requests
from servers import serving, told

CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile", "--dump-dom"]
NODE = "fetch(process.argv[1]).then(answer => answer.text()).then(console.log)"


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


with serving("uvicorn") as port:
    url = f"http://127.0.0.1:{port}/"
    texts = {
        "chromium": said(*CHROMIUM, url),
        "curl": said("curl", "-s", "--compressed", url),
        "httpx": httpx.get(url).text,
        "requests": requests.get(url).text,
        "node": said("node", "-e", NODE, url),
        "curl, identity": said("curl", "-s", "--compressed", url + "identity"),
    }
seen = {name: text.count("chunk") for name, text in texts.items()}
told(seen, dict(zip(seen, (1, 1, 1, 4, 4, 4))))
PROBE
