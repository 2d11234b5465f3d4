"""A page with npm's client, which is served as its package ships it for pages without a build step."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

PAGE = """<!doctype html><meta charset="utf-8"><title>npm</title>
<script src="/static/{script}"></script>
<script>
  const { transport, format } = Object.fromEntries(new URLSearchParams(location.search));
  const origin = transport === "websocket" ? location.origin.replace("http", "ws") : location.origin;
  const client = new Centrifuge([{ transport, endpoint: `${origin}/connection/${transport}` }], {
    emulationEndpoint: "/emulation", minReconnectDelay: 20, maxReconnectDelay: 100,
  });
  // With Protobuf data are bytes, whatever they mean.
  const decoded = (data) => (format === "protobuf" ? JSON.parse(new TextDecoder().decode(data)) : data);
  const encoded = (data) => (format === "protobuf" ? new TextEncoder().encode(JSON.stringify(data)) : data);
  const seen = [], offsets = [], subscribed = [], states = [], clients = [];
  client.on("state", ({ newState }) => states.push(newState));
  client.on("connected", ({ client, transport }) => clients.push([client, transport]));
  const room = client.newSubscription("room:open", { joinLeave: true });
  room.on("publication", ({ data, offset }) => (seen.push(decoded(data)), offsets.push(offset)));
  room.on("subscribed", ({ wasRecovering, recovered }) => subscribed.push([wasRecovering, recovered]));
  room.subscribe();
  client.connect();
</script>
"""


def page(request: HttpRequest) -> HttpResponse:
    script = "centrifuge.protobuf.js" if request.GET["format"] == "protobuf" else "centrifuge.js"
    return HttpResponse(PAGE.replace("{script}", script))


urlpatterns = [path("", include("channels.topics.urls")), path("npm/", page)]
