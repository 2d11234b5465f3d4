"""The ASGI application: pages go to Django, WebSockets to the topics, and matches to a worker.

Run it with ``daphne game.asgi:application``, and ``python manage.py runworker arena`` beside it.
"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "game.settings")
# Sets Django up: it has to run before anything imports a model.
pages = get_asgi_application()

import channels.topics  # noqa: E402
from arena.consumers import ArenaConsumer  # noqa: E402
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

application = ProtocolTypeRouter(
    {
        # The demo has no web server in front of it that would serve its static files.
        "http": ASGIStaticFilesHandler(pages),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(channels.topics.websocket_urlpatterns))
        ),
        "channel": ChannelNameRouter({"arena": ArenaConsumer.as_asgi()}),
    }
)
