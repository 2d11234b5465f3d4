"""The application of a server beside which workers run."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.tasks.kills.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
