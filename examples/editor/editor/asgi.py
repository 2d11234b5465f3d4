"""The ASGI application: pages go to Django, WebSockets to the documents.

Run it with ``daphne editor.asgi:application``.
"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "editor.settings")
# Sets Django up: it has to run before anything imports a model.
pages = get_asgi_application()

from django.urls import path  # noqa: E402

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from documents.consumers import DocumentConsumer  # noqa: E402

patterns = [path("ws/documents/<int:pk>", DocumentConsumer.as_asgi())]
application = ProtocolTypeRouter(
    {
        # The demo has no web server in front of it that would serve its static files.
        "http": ASGIStaticFilesHandler(pages),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(patterns))),
    }
)
