"""Where clients connect by HTTP, under a prefix of the project: ``include("channels.topics.urls")``."""

from __future__ import annotations

from django.urls import path

from channels.topics.transports import views

app_name = "topics"

urlpatterns = [
    path("connection/sse", views.sse, name="sse"),
    path("connection/http_stream", views.http_stream, name="http_stream"),
    path("emulation", views.emulation, name="emulation"),
]
