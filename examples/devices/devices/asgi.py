"""The ASGI application: pages go to Django, WebSockets to the topics, devices to the broker.

Run it with ``daphne -e tcp:8000 -e tcp:1883:app=mqtt devices.asgi:application``, and beside it
``python manage.py fleet``.
"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "devices.settings")
# Sets Django up: it has to run before anything imports a model.
pages = get_asgi_application()

import channels.topics  # noqa: E402
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.mqtt.application import MQTTBroker  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from fleet.keys import authenticate  # noqa: E402

broker = path("mqtt", MQTTBroker(authenticate=authenticate))
application = ProtocolTypeRouter(
    {
        # The demo has no web server in front of it that would serve its static files.
        "http": ASGIStaticFilesHandler(pages),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(channels.topics.websocket_urlpatterns))
        ),
        "tcp": URLRouter([broker]),
    }
)
