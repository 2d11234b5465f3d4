"""Pages that read a topic by EventSource, its polyfill, htmx and Datastar, with the files of npm."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

#: Where npm has put the packages; the tests say it.
packages = Path()

EVENT_SOURCE = """
<script>
  window.seen = [];
  const source = new EventSource("/sse/?topic=room:lobby" + location.search.replace("?", "&"));
  source.addEventListener("ready", () => window.seen.push("ready"));
  source.addEventListener("gap", () => window.seen.push("gap"));
  source.addEventListener("close", () => { window.seen.push("close"); source.close(); });
  source.onmessage = (event) => window.seen.push(JSON.parse(event.data));
</script>
"""
POLYFILL = (
    """
<script src="/npm/event-source-polyfill/src/eventsource.min.js"></script>
<script>EventSource = EventSourcePolyfill;</script>
"""
    + EVENT_SOURCE
)
ONE_WAY = """
<script>
  window.seen = [];
  const request = encodeURIComponent(JSON.stringify({subs: {"room:lobby": {}}}));
  const source = new EventSource("/connection/uni_sse?cf_connect=" + request);
  source.onopen = () => window.seen.push("open");
  source.onmessage = (event) => {
    const push = JSON.parse(event.data);
    window.seen.push(push.connect ? Object.keys(push.connect.subs) : push.pub ? push.pub.data : push);
  };
</script>
"""
HTMX = """
<script src="/npm/htmx.org/dist/htmx.js"></script>
<script src="/npm/htmx.org/dist/ext/hx-sse.js"></script>
<script>
  window.seen = [];
  for (const name of ["ready", "gap"]) document.addEventListener(name, () => window.seen.push(name));
</script>
<div id="lines" hx-sse:connect="/sse/?topic=shown:shared" hx-sse:close="close" hx-swap="beforeend"></div>
"""
DATASTAR = """
<script type="module" src="/npm/@starfederation/datastar/dist/datastar.js"></script>
<div id="card" data-on-load="@get('/sse/?topic=patched:1')"></div>
"""

BODIES = {
    "eventsource": EVENT_SOURCE,
    "polyfill": POLYFILL,
    "htmx": HTMX,
    "oneway": ONE_WAY,
    "datastar": DATASTAR,
}


def page(request: HttpRequest, name: str) -> HttpResponse:
    body = BODIES[name]
    return HttpResponse(f'<!doctype html><meta charset="utf-8"><title>{name}</title><body>{body}</body>')


def npm(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse((packages / "node_modules" / name).read_bytes(), content_type="text/javascript")


urlpatterns = [
    path("page/<str:name>", page),
    path("npm/<path:name>", npm),
    path("", include("channels.topics.urls")),
]
