#!/bin/sh
# The WebSocket extension of htmx 4.0.1 (hx-ws) swaps a text message into the page as HTML, but first reads it as JSON: a text that
# happens to be JSON, such as a bare number, `true` or words in double quotes, is taken for data and not shown, without an error. So a
# counter whose server sends "41 users" works, and one that sends "41" stays as it was.
#
# Seen, with Chromium 156, what the page shows after each message:
#   {'41 users': '41 users', '41': 'nothing', 'true': 'nothing', '"hello"': 'nothing', 'hello': 'hello', '<b>41</b>': '41'}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q websockets==17.4 selenium==4.51.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts htmx.org@4.0.1 >/dev/null
cat > app.py <<'APP'
import pathlib
from urllib.parse import unquote

DIST = pathlib.Path("node_modules/htmx.org/dist")
FILES = {"/htmx.js": DIST / "htmx.js", "/hx-ws.js": DIST / "ext" / "hx-ws.js"}
PAGE = """<!doctype html><script src="/htmx.js"></script><script src="/hx-ws.js"></script>
<script>addEventListener("htmx:ws:after:message:incoming", () => document.title = "heard")</script>
<body><div hx-ws:connect="/?%s">nothing</div></body>"""


async def application(scope, receive, send):
    query = scope.get("query_string", b"").decode()
    if scope["type"] == "http":
        file = FILES.get(scope["path"])
        kind, body = (b"text/javascript", file.read_bytes()) if file else (b"text/html", (PAGE % query).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": unquote(query)})
        await receive()
APP
"$folder/venv/bin/python" - <<'PROBE'
from urllib.parse import quote

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait
from servers import serving, told

EXPECTED = {
    "41 users": "41 users",
    "41": "nothing",
    "true": "nothing",
    '"hello"': "nothing",
    "hello": "hello",
    "<b>41</b>": "41",
}
options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile"):
    options.add_argument(switch)


def after(page, port, line):
    page.get(f"http://127.0.0.1:{port}/?{quote(line)}")
    WebDriverWait(page, 10).until(lambda page: page.title == "heard")
    return page.find_element("tag name", "div").text


with serving("uvicorn") as port:
    page = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        seen = {line: after(page, port, line) for line in EXPECTED}
    finally:
        page.quit()
told(seen, EXPECTED)
PROBE
