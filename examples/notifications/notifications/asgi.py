"""The ASGI application: pages, and event streams, which are pages that do not end. There is no WebSocket.

Run it with ``daphne notifications.asgi:application``.
"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications.settings")

# The demo has no web server in front of it that would serve its static files.
application = ASGIStaticFilesHandler(get_asgi_application())
