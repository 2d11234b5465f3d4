"""Where clients connect by HTTP, under a prefix of the project: ``include("channels.topics.urls")``."""

from __future__ import annotations

from django.urls import path, re_path

from channels.topics.api.views import api
from channels.topics.transports import views
from channels.topics.transports.events.views import events

app_name = "topics"

urlpatterns = [
    path("connection/sse", views.sse, name="sse"),
    path("connection/http_stream", views.http_stream, name="http_stream"),
    path("connection/uni_sse", views.uni_sse, name="uni_sse"),
    path("connection/uni_http_stream", views.uni_http_stream, name="uni_http_stream"),
    re_path(r"^sse/?$", events, name="events"),  # either way, as a redirect would move EventSource for good
    path("api/<str:method>", api, name="api"),
    path("emulation", views.emulation, name="emulation"),
]
