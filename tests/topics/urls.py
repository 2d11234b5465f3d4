"""The pages of the tests' project with topics."""

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

PAGE = """<!doctype html><meta charset="utf-8"><title>Topics</title>
{% load topics %}{% topics_client %}
<ol id="seen"></ol><p id="state"></p>
<script type="module">
  const shared = new URLSearchParams(location.search).get("shared") !== "no";
  const client = topics.connect({ shared });
  window.states = [];
  client.on("state", ({ state }) => {
    states.push(state);
    document.getElementById("state").textContent = state;
  });
  document.getElementById("state").textContent = client.state;
  const seen = document.getElementById("seen");
  const show = (textContent) => seen.append(Object.assign(document.createElement("li"), { textContent }));
  window.room = client.subscribe("room:open", {
    joinLeave: true,
    on: {
      publication: ({ data }) => show(JSON.stringify(data)),
      subscribed: ({ recovered }) => (window.recovered = recovered),
    },
  });
  window.client = client;
</script>
"""


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(PAGE).render())


urlpatterns = [path("", include("channels.topics.urls")), path("page/", page)]
