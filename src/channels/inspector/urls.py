"""``path("inspector/", include("channels.inspector.urls"))``."""

from __future__ import annotations

from django.urls import path

from channels.inspector.views import actions, connections, messages, now, recordings, tasks

app_name = "inspector"
urlpatterns = [
    path("", now.show, name="now"),
    path("connections/", connections.listed, name="connections"),
    path("connections/<str:connection>/", connections.one, name="connection"),
    path("connections/<str:connection>/recording/", recordings.recording, name="recording"),
    path("messages/", messages.names, name="messages"),
    path("messages/of/", messages.one, name="messages_of"),
    path("tasks/", tasks.overview, name="tasks"),
    path("tasks/<str:backend>/<str:task>/", tasks.one, name="task"),
    path("act/close/", actions.close, name="close"),
    path("act/disconnect/", actions.disconnect, name="disconnect"),
    path("act/drain/", actions.drain, name="drain"),
    path("act/task/", actions.task, name="act_on_task"),
]
