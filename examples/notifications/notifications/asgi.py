"""The ASGI application: pages, and event streams, which are pages that do not end. No WebSocket has a route.

Run it with ``daphne notifications.asgi:application``.
"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from channels.routing import ProtocolTypeRouter, URLRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications.settings")

# The demo has no web server in front of it that would serve its static files.
pages = ASGIStaticFilesHandler(get_asgi_application())

# Django alone would fail at a handshake, with a traceback for each; this answers 404.
application = ProtocolTypeRouter({"http": pages, "websocket": URLRouter([])})
